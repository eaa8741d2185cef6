//! A function's path as the compiler prints it: its parts, and what they prove about where the function is declared.
//!
//! A path identifies one item in every process only if it is the path of a module's item. Blocks do not appear in a path, so items of
//! two blocks can print alike, and an edit can put another item there. The path alone does not tell: `shop::price::Tea` is a type in
//! the module `price`, or one inside the function `price`. But the module is known that encloses a function's *declaration*, and
//! whatever the head of an impl in a module names is a module's item as well. So a proven declaration vouches for all that it names.
//! What the function is instantiated with must be proven separately.

/// A function's path in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// What encloses the function: a module, a type, or the head of an impl.
    within: String,
    name: String,
    /// The type arguments with their brackets; empty if there are none.
    args: String,
}

impl Path {
    /// The path of the item that encloses `marker`, the path of a type or a closure inside it.
    pub(super) fn of(marker: &str) -> Self {
        // lifetimes are not part of an identity, and how they print is up to the compiler
        let marker = marker.replace("'_, ", "").replace("<'_>", "");
        let mut path = marker.as_str();
        loop {
            let (outer, last) = split_last(path);
            if last != "{{closure}}" && last != "__Item" {
                break;
            }
            path = outer;
        }
        let (within, last) = split_last(path);
        let (name, args) = last.split_at(last.find('<').unwrap_or(last.len()));
        let (within, name) = match name.strip_prefix("__cacheado_site_") {
            Some(name) => (within, name),
            None if name == "__site" => split_last(within),
            None => (within, name),
        };
        Self {
            within: within.to_owned(),
            name: name.to_owned(),
            args: args.to_owned(),
        }
    }

    /// Whether it is a free function of the module.
    pub(super) fn is_in(&self, module: &str) -> bool {
        self.within == module
    }

    /// What distinguishes functions with the same explicit name: the impl of a trait, a type with arguments, the function's own type
    /// arguments. Neither the function's name nor its module does.
    pub(super) fn instance(&self, method: bool) -> String {
        let of = self.instance_of(method);
        if of.is_empty() && self.args.is_empty() {
            return String::new();
        }
        format!("@{of}{}", self.args)
    }

    /// The part of [`instance`](Self::instance) that comes from the type or impl of a method.
    fn instance_of(&self, method: bool) -> &str {
        let within = self.within.as_str();
        let of = match without_module(within) {
            _ if !method => "",
            Some(head) if !is_of_trait(head) => head,
            _ => within,
        };
        if of.contains('<') { of } else { "" }
    }

    /// For a function with an explicit name: whether the type that it is a method of matters.
    pub(super) fn is_of_instance(&self, method: bool) -> bool {
        !self.instance_of(method).is_empty()
    }

    /// Whether every name in an [`instance`](Self::instance) can only be that of a module's item.
    pub(super) fn is_plain(instance: &str) -> bool {
        paths(instance).into_iter().all(is_surely_modules)
    }

    /// Whether this path is the same item's in every process. `declared` is the path without its instantiation.
    pub(super) fn is_modules(&self, declared: &Self, module: &str, method: bool) -> bool {
        let is_declared_there = if method {
            is_head_in(&declared.within, module)
        } else {
            declared.is_in(module)
        };
        let mut named = paths(&declared.within);
        named.extend(paths(&declared.args));
        let mut given = paths(&self.within);
        given.extend(paths(&self.args));
        // each name of the declaration vouches for one of the instance
        given.retain(|path| match named.iter().position(|named| named == path) {
            Some(same) => {
                named.swap_remove(same);
                false
            }
            None => true,
        });
        is_declared_there && given.iter().all(|path| is_surely_modules(path))
    }

    /// Whether it is a method of a trait with arguments of its own, about which `Self` says nothing.
    pub(super) fn is_of_trait_with_arguments(&self) -> bool {
        let within = self.within.as_str();
        if within.starts_with('<') {
            return within.ends_with(">>");
        }
        let head = split_last(within).1;
        let head = head.strip_prefix("<impl ");
        head.filter(|head| is_of_trait(head)).is_some_and(|head| {
            let name = head.find(['<', ' ']);
            name.is_some_and(|end| head[end..].starts_with('<'))
        })
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.within.is_empty() {
            write!(f, "{}::", self.within)?;
        }
        write!(f, "{}{}", self.name, self.args)
    }
}

/// Whether a method that is declared in `within` is in an impl or a trait of the module, and not inside a function.
fn is_head_in(within: &str, module: &str) -> bool {
    if within.starts_with('<') {
        // it prints like this only if the impl is in the module of the type or of the trait
        let named = paths(within);
        let parents = || named.iter().filter_map(|path| path.rsplit_once("::"));
        return parents().any(|(parent, _)| parent == module)
            && !parents().any(|(parent, _)| may_be_inside(parent, module));
    }
    let rest = within
        .strip_prefix(module)
        .and_then(|rest| rest.strip_prefix("::"));
    rest.is_some_and(|rest| split_last(rest).0.is_empty())
}

/// Whether `parent` may be a function in the module, or a module inside a function: it contains all segments of the module's path,
/// which leaves functions out, and more.
fn may_be_inside(parent: &str, module: &str) -> bool {
    let mut segments = parent.split("::");
    parent != module
        && module
            .split("::")
            .all(|of| segments.any(|segment| segment == of))
}

/// Whether a path is certain to be that of a module's item: it has no `::`, or it is the standard library's, or that of an item at a
/// crate's root.
fn is_surely_modules(path: &str) -> bool {
    if path.contains("{{") {
        return false;
    }
    let mut segments = path.split("::");
    let first = segments.next().unwrap_or_default();
    match segments.next() {
        None => true,
        Some(_) if first.is_empty() => false,
        Some(second) => {
            ["core", "alloc", "std"].contains(&first)
                || (!second.is_empty() && segments.next().is_none())
        }
    }
}

/// `T` of `module::<impl T>`.
fn without_module(within: &str) -> Option<&str> {
    let (module, head) = split_last(within);
    let head = head.strip_prefix("<impl ")?.strip_suffix('>')?;
    (!module.is_empty()).then_some(head)
}

/// Whether an impl's head is that of a trait impl: `R for T`.
fn is_of_trait(head: &str) -> bool {
    let mut depth = Depth::default();
    head.char_indices()
        .any(|(at, char)| depth.is_top_at(head, at, char) && head[at..].starts_with(" for "))
}

/// Splits `path` at its last `::` outside brackets. The first part is empty if there is none.
fn split_last(path: &str) -> (&str, &str) {
    let mut depth = Depth::default();
    let mut last = None;
    for (at, char) in path.char_indices() {
        if depth.is_top_at(path, at, char) && path[at..].starts_with("::") {
            last = Some(at);
        }
    }
    last.map_or(("", path), |at| (&path[..at], &path[at + 2..]))
}

/// All paths, keywords and literals in a type as the compiler prints it.
fn paths(printed: &str) -> Vec<&str> {
    let mut quoted = Quoted::default();
    let mut found = Vec::new();
    let mut begin = None;
    for (at, char) in printed.char_indices() {
        let quoted = quoted.is_at(printed, at, char);
        let is_part = !quoted && (char.is_alphanumeric() || "_:{}#".contains(char));
        match begin {
            None if is_part => begin = Some(at),
            Some(from) if !is_part => {
                found.push(&printed[from..at]);
                begin = None;
            }
            _ => {}
        }
    }
    found.extend(begin.map(|from| &printed[from..]));
    found
}

/// The bracket depth while reading a printed type.
#[derive(Default)]
struct Depth {
    brackets: usize,
    before: char,
    quoted: Quoted,
}

impl Depth {
    /// Whether `char`, the next one of `text`, is outside all brackets.
    fn is_top_at(&mut self, text: &str, at: usize, char: char) -> bool {
        let is_arrow = char == '>' && self.before == '-';
        self.before = char;
        if self.quoted.is_at(text, at, char) || is_arrow {
            return false;
        }
        match char {
            '<' | '(' | '[' => self.brackets += 1,
            '>' | ')' | ']' => self.brackets = self.brackets.saturating_sub(1),
            _ => return self.brackets == 0,
        }
        false
    }
}

/// Whether a `char` literal is being read, which may be any bracket: `Row<'<'>`.
#[derive(Default)]
struct Quoted {
    until: usize,
}

impl Quoted {
    fn is_at(&mut self, text: &str, at: usize, char: char) -> bool {
        if at >= self.until && char == '\'' {
            let inside = &text[at + 1..];
            let end = match inside.chars().next() {
                Some('\\') => inside
                    .get(2..)
                    .and_then(|rest| rest.find('\''))
                    .map(|end| end + 2),
                Some(char) => Some(char.len_utf8()).filter(|end| inside[*end..].starts_with('\'')),
                None => None,
            };
            // a lifetime has no second quote
            if let Some(end) = end {
                self.until = at + end + 2;
            }
        }
        at < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(path: &str) -> Path {
        Path::of(&format!("{path}::__Item"))
    }

    #[test]
    fn the_marker_and_what_it_stands_in_are_cut_off() {
        let of = |marker| Path::of(marker).to_string();
        assert_eq!(of("a::f"), "a::f");
        assert_eq!(of("a::f::{{closure}}::{{closure}}"), "a::f");
        assert_eq!(of("a::f::__site<u8>::{{closure}}"), "a::f<u8>");
        assert_eq!(of("a::f::__site::__Item"), "a::f");
        assert_eq!(of("a::T::__cacheado_site_f::{{closure}}"), "a::T::f");
        assert_eq!(of("a::__site_plan::f"), "a::__site_plan::f");
        assert_eq!(of("a::f<a::g::{{closure}}>"), "a::f<a::g::{{closure}}>");
        assert_eq!(of("<a::T<'_> as a::R<'_, u8>>::f"), "<a::T as a::R<u8>>::f");
    }

    #[test]
    fn brackets_in_a_char_or_an_arrow_are_none() {
        for args in [
            "<'<'>",
            "<'\\''>",
            "<'>'>",
            "<fn(u8) -> u8>",
            "<[(u8, a::B); 2]>",
        ] {
            let path = Path::of(&format!("a::T{args}::f{args}::{{{{closure}}}}"));
            assert_eq!(path.within, format!("a::T{args}"));
            assert_eq!((path.name.as_str(), path.args.as_str()), ("f", args));
        }
        assert_eq!(paths("a::T<'<', 'a, a::b::C>"), ["a::T", "a", "a::b::C"]);
    }

    #[test]
    fn an_impl_is_the_modules_if_nothing_says_that_it_may_be_inside_of_a_function() {
        let is = |within, module| is_head_in(within, module);
        assert!(is("a::b::T", "a::b"));
        assert!(is("a::b::T<a::b::c::U>", "a::b"));
        assert!(is("a::b::<impl a::T>", "a::b"));
        assert!(is("<a::b::T as a::R>", "a::b"));
        assert!(is("<a::T as a::b::R>", "a::b"));
        assert!(is("<a::c::T as a::b::R>", "a::b"));
        // inside a function `f`, `c` or `b`
        assert!(!is("a::b::f::T", "a::b"));
        assert!(!is("a::b::f::<impl a::T>", "a::b"));
        assert!(!is("<a::b::T as a::b::f::R>", "a::b"));
        assert!(!is("<a::b::c::T as a::b::R>", "a::b"));
        assert!(!is("a::b::T", "a"));
        // in a module `m` inside a function `f`
        assert!(!is("<a::f::m::T as a::m::R>", "a::m"));
        assert!(!is("<a::f::m::T as a::R>", "a::m"));
    }

    #[test]
    fn instances_differ_in_types_and_not_in_where_they_stand() {
        let of = |path: &str| Path::of(path).instance(true);
        assert_eq!(of("a::T::f"), "");
        assert_eq!(of("a::b::<impl a::T>::f"), "");
        assert_eq!(of("a::b::<impl a::T<u8>>::f"), "@a::T<u8>");
        assert_eq!(of("a::T<u8>::f<u16>"), "@a::T<u8><u16>");
        assert_eq!(of("a::T::f<u16>"), "@<u16>");
        assert_eq!(of("<a::T as a::R>::f"), "@<a::T as a::R>");
        assert_eq!(
            of("a::b::<impl a::R for a::T>::f"),
            "@a::b::<impl a::R for a::T>"
        );
        assert_eq!(
            of("a::<impl a::T<dyn for<'a> Fn(&'a u8)>>::f"),
            "@a::T<dyn for<'a> Fn(&'a u8)>"
        );
        let free = |path: &str| Path::of(path).instance(false);
        assert_eq!(free("<a::T as a::R>::f::nested"), "");
        assert_eq!(free("a::f::{{closure}}::nested"), "");
        assert_eq!(free("a::b::f<u8>"), "@<u8>");
    }

    #[test]
    fn arguments_of_a_trait_are_told_from_those_of_its_implementor() {
        let is = |path: &str| Path::of(path).is_of_trait_with_arguments();
        assert!(is("<a::T as a::R<a::U>>::f"));
        assert!(is("a::b::<impl a::R<a::U> for a::T>::f"));
        assert!(!is("<a::T<a::U> as a::R>::f"));
        assert!(!is("a::b::<impl a::R for a::T<a::U>>::f"));
        assert!(!is("a::b::<impl a::T<a::U>>::f"));
        assert!(!is("a::T<a::U>::f"));
        assert!(!is("a::f<a::U>"));
    }

    #[test]
    fn each_name_of_the_declaration_vouches_for_one_of_the_instance() {
        let instance = Path::of("<a::b::T<a::c::U> as a::b::R>::f");
        let is = |head: &str| instance.is_modules(&declared(head), "a::b", true);
        assert!(is("<a::b::T<a::c::U> as a::b::R>::f"));
        assert!(!is("<a::b::T<X> as a::b::R>::f"));
        assert!(!is("<X as a::b::R>::f"));
        let twice = Path::of("a::b::T<a::c::U, a::c::U>::f");
        let is = |head: &str| twice.is_modules(&declared(head), "a::b", true);
        assert!(is("a::b::T<a::c::U, a::c::U>::f"));
        assert!(!is("a::b::T<a::c::U, X>::f"));
    }
}
