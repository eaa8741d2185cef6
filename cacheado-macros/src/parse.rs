//! Parse helpers that every macro of this crate shares: an error collector, `keyword = value`,
//! `keyword(…)`, flags, "duplicate option" and "nearest name".
//!
//! What an option means is not decided here.

use proc_macro2::{Delimiter, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::{Error, Expr, Result, Token};

/// Errors gathered on the way, so that every mistake of one attribute is reported at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    /// An error that underlines all of `tokens`.
    pub(crate) fn on(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// The value of `result`, or nothing and its error noted.
    pub(crate) fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// How an option is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `keyword`
    Flag,
    /// `keyword = value`
    Value,
    /// `keyword(a, b)`
    List,
    /// `keyword = value` or `keyword(value, …)`
    ValueOrList,
}

/// The keyword of one option, with its span.
pub(crate) struct Keyword(pub(crate) Ident);

impl Parse for Keyword {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Ident::parse_any).map(Keyword)
    }
}

impl Keyword {
    pub(crate) fn text(&self) -> String {
        self.0.unraw().to_string()
    }

    /// Whether what follows has the form `form`; if not, an error that shows the right one.
    pub(crate) fn expect(&self, form: Form, input: ParseStream<'_>) -> Result<()> {
        let fits = match form {
            Form::Flag => input.is_empty() || input.peek(Token![,]),
            Form::Value => input.peek(Token![=]),
            Form::List => input.peek(syn::token::Paren),
            Form::ValueOrList => input.peek(Token![=]) || input.peek(syn::token::Paren),
        };
        if fits {
            return Ok(());
        }
        let name = self.text();
        let right = match form {
            Form::Flag => format!("`{name}` is a flag and takes no value"),
            Form::Value => format!("`{name}` takes a value: `{name} = …`"),
            Form::List => format!("`{name}` takes a list: `{name}(…)`"),
            Form::ValueOrList => format!("`{name}` takes a value: `{name} = …` or `{name}(…)`"),
        };
        Err(Error::new(self.0.span(), right))
    }

    /// The expression of `keyword = expression`, whose `keyword` has been read.
    pub(crate) fn value(&self, input: ParseStream<'_>) -> Result<Expr> {
        self.expect(Form::Value, input)?;
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(
                equals.span(),
                format!("`{}` lacks its value", self.text()),
            ));
        }
        input.parse()
    }
}

/// Reads past whatever value an unknown option has, so that the options after it are still read.
pub(crate) fn skip_option(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.peek(Token![=]) && !input.peek(Token![==]) {
            input.parse::<Token![=]>()?;
            input.parse::<Expr>()?;
        } else {
            input.parse::<TokenTree>()?;
        }
    }
    Ok(())
}

/// The comma between two options, or the end.
pub(crate) fn comma_or_end(input: ParseStream<'_>) -> Result<()> {
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    Ok(())
}

/// The expression without the invisible groups and parentheses around it.
pub(crate) fn peel(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => peel(&group.expr),
        Expr::Paren(paren) => peel(&paren.expr),
        other => other,
    }
}

/// The candidate most alike `name`, if one is alike at all.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `, did you mean …?`, or nothing.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!(", did you mean `{near}`?"))
}

/// `` `a`, `b` and `c` ``
pub(crate) fn list_names<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::from("none"),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Whether a value of `names` is meant anywhere in `tokens`: not a field or method behind a dot, nor a part of a path.
pub(crate) fn mentions(tokens: impl ToTokens, names: &[Ident]) -> bool {
    mention(tokens, names).is_some()
}

/// Where the first of `names` stands in `tokens`, and which it is.
pub(crate) fn mention(tokens: impl ToTokens, names: &[Ident]) -> Option<Ident> {
    stream_mention(tokens.into_token_stream(), names, false)
}

/// Whether two identifiers are one name, which may be written raw: `r#id` is `id`.
pub(crate) fn same(one: &Ident, other: &Ident) -> bool {
    one.unraw() == other.unraw()
}

/// Whether one of `names` is `name`.
pub(crate) fn among(name: &Ident, names: &[Ident]) -> bool {
    names.iter().any(|one| same(one, name))
}

/// What the token before says of the one that comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// A field or a method comes, or another part of a path.
    Access,
    /// A name, which is that of a macro if `!` and a group follow.
    Name,
    /// The `!` behind a name.
    MacroName,
}

/// `in_macro`: whether a text may be one that is formatted.
fn stream_mention(tokens: TokenStream, names: &[Ident], in_macro: bool) -> Option<Ident> {
    let mut before = Before::Nothing;
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let last = std::mem::replace(&mut before, Before::Nothing);
        let next = match trees.peek() {
            Some(TokenTree::Punct(next)) => Some(next.as_char()),
            _ => None,
        };
        match tree {
            TokenTree::Ident(ident) => {
                let is_path = next == Some(':') && is_path_ahead(trees.clone());
                if last != Before::Access && !is_path && among(&ident, names) {
                    return Some(ident);
                }
                if !in_macro && let Some(item) = Item::of(&ident, trees.peek()) {
                    let name = item.skip(&mut trees);
                    if let Some(name) = name.filter(|name| among(name, names)) {
                        return Some(name);
                    }
                } else if ident == "stringify" && next == Some('!') {
                    // its tokens are text: nothing is meant by them
                    trees.nth(1);
                } else if !is_keyword(&ident) {
                    before = Before::Name;
                }
            }
            TokenTree::Group(group) => {
                let in_macro = in_macro || last == Before::MacroName;
                let found = stream_mention(group.stream(), names, in_macro);
                if found.is_some() {
                    return found;
                }
            }
            TokenTree::Literal(literal) if in_macro => {
                let text = literal.to_string();
                if let Some(name) = names.iter().find(|name| captures(&text, name)) {
                    let mut name = name.clone();
                    name.set_span(literal.span());
                    return Some(name);
                }
            }
            TokenTree::Literal(_) => {}
            TokenTree::Punct(punct) => match punct.as_char() {
                '!' if last == Before::Name => before = Before::MacroName,
                // one dot is a field or method access; more of them are a range
                '.' if next == Some('.') => {
                    trees.next();
                }
                '.' => before = Before::Access,
                ':' if next == Some(':') && punct.spacing() == Spacing::Joint => {
                    trees.next();
                    before = Before::Access;
                }
                _ => {}
            },
        }
    }
    None
}

/// An item inside of a body or an expression. It sees no argument, and its `self` is another one.
struct Item {
    is_named: bool,
    /// Whether braces are its end, as a semicolon is in any case.
    has_braces: bool,
}

impl Item {
    /// The item that `word` begins, if it does.
    fn of(word: &Ident, next: Option<&TokenTree>) -> Option<Item> {
        let is_named = matches!(next, Some(TokenTree::Ident(_)));
        let (is_named, has_braces) = match word.to_string().as_str() {
            "impl" => (false, true),
            "use" => (false, false),
            // without a name it is the type of a pointer
            "fn" | "struct" | "enum" | "trait" | "mod" if is_named => (true, true),
            _ => return None,
        };
        Some(Item {
            is_named,
            has_braces,
        })
    }

    /// Goes to its end, and gives its name, which may hide that of an argument.
    fn skip(self, trees: &mut impl Iterator<Item = TokenTree>) -> Option<Ident> {
        let name = match self.is_named.then(|| trees.next()) {
            Some(Some(TokenTree::Ident(name))) => Some(name),
            _ => None,
        };
        let is_end = |tree: &TokenTree| match tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => self.has_braces && group.delimiter() == Delimiter::Brace,
            _ => false,
        };
        trees.find(is_end);
        name
    }
}

/// Whether `::` comes.
fn is_path_ahead(mut trees: impl Iterator<Item = TokenTree>) -> bool {
    let is_colon = |tree: Option<TokenTree>| match tree {
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => Some(punct.spacing()),
        _ => None,
    };
    is_colon(trees.next()) == Some(Spacing::Joint) && is_colon(trees.next()).is_some()
}

/// Whether an identifier is a word of the language, and so no name of a macro.
fn is_keyword(ident: &Ident) -> bool {
    syn::parse2::<Ident>(ident.to_token_stream()).is_err()
}

/// Whether a literal is a text that has the name in braces, or as a width, as one has that is formatted.
pub(crate) fn captures(literal: &str, name: &Ident) -> bool {
    if !literal.starts_with(['"', 'r']) {
        return false;
    }
    let name = name.unraw().to_string();
    // two braces stand for one
    let text = literal.replace("{{", "");
    text.split('{').skip(1).any(|piece| {
        let piece = piece.split('}').next().unwrap_or(piece);
        let (argument, format) = piece.split_once(':').unwrap_or((piece, ""));
        let is_word = |c: char| c == '_' || c.is_alphanumeric();
        let mut given = format.split('$').rev().skip(1);
        argument.trim() == name
            || given.any(|given| {
                let rest = given.strip_suffix(name.as_str());
                rest.is_some_and(|rest| !rest.ends_with(is_word))
            })
    })
}

/// Whether `ident` stands anywhere in `tokens`.
pub(crate) fn contains_ident(tokens: TokenStream, ident: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(found) => found == ident,
        TokenTree::Group(group) => contains_ident(group.stream(), ident),
        _ => false,
    })
}

/// Whether the path `first::second` stands anywhere in `tokens`, or is the end or the beginning of one that does.
pub(crate) fn contains_path(tokens: TokenStream, [first, second]: [&str; 2]) -> bool {
    let mut trees = tokens.into_iter();
    while let Some(tree) = trees.next() {
        let found = match tree {
            TokenTree::Group(group) => contains_path(group.stream(), [first, second]),
            TokenTree::Ident(ident) if ident == first && is_path_ahead(trees.clone()) => {
                matches!(trees.clone().nth(2), Some(TokenTree::Ident(next)) if next == second)
            }
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// The tokens inside the next group, which must have this delimiter.
pub(crate) fn group(input: ParseStream<'_>, delimiter: Delimiter) -> Result<TokenStream> {
    match input.parse()? {
        TokenTree::Group(group) if group.delimiter() == delimiter => Ok(group.stream()),
        other => Err(Error::new(other.span(), "unexpected token")),
    }
}

/// Where the first and the last token of `tokens` stand, for generated code whose error should
/// underline the whole.
pub(crate) fn ends(tokens: impl ToTokens, default: Span) -> (Span, Span) {
    let mut trees = tokens.into_token_stream().into_iter();
    let Some(first) = trees.next() else {
        return (default, default);
    };
    let start = match &first {
        TokenTree::Group(group) if group.delimiter() != Delimiter::None => group.span_open(),
        tree => tree.span(),
    };
    let end = match trees.last().unwrap_or(first) {
        TokenTree::Group(group) if group.delimiter() != Delimiter::None => group.span_close(),
        tree => tree.span(),
    };
    (start, end)
}

/// The span of an expression's first token.
pub(crate) fn start(tokens: &impl ToTokens) -> Span {
    ends(tokens, tokens.span()).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn names() -> Vec<Ident> {
        vec![Ident::new("id", Span::call_site())]
    }

    #[test]
    fn a_field_is_no_mention() {
        assert!(!mentions(quote!(other.id), &names()));
        assert!(!mentions(quote!(other.id().x), &names()));
        assert!(mentions(quote!(other.get(id)), &names()));
        assert!(mentions(quote!(id.other), &names()));
        assert!(mentions(quote!(0..id), &names()));
        assert!(mentions(quote!(0..=id), &names()));
    }

    #[test]
    fn a_part_of_a_path_is_no_mention() {
        assert!(!mentions(quote!(id::of(other)), &names()));
        assert!(!mentions(quote!(other::id), &names()));
        assert!(!mentions(quote!(<T as Of>::id), &names()));
        assert!(!mentions(quote!(::id::of), &names()));
        assert!(mentions(quote!(id::of(id)), &names()));
        assert!(mentions(quote!(Of { of: id }), &names()));
        assert!(mentions(quote!(other::of(id)), &names()));
        assert!(mentions(quote!(|of: id| of), &names()));
    }

    #[test]
    fn a_captured_name_is_a_mention() {
        assert!(mentions(quote!(format!("{id}")), &names()));
        assert!(mentions(quote!(format!(r"{id}")), &names()));
        assert!(mentions(quote!(std::format!("a{id:>5}b")), &names()));
        assert!(mentions(quote!(format!("{id:?}")), &names()));
        assert!(mentions(quote!(format!("{:>id$}", 1)), &names()));
        assert!(mentions(quote!(format!("{0:>1$.id$}", 1, 2)), &names()));
        assert!(mentions(quote!(format!("{{{id}}}")), &names()));
        assert!(mentions(quote!(outer!(a, { inner!("{id}") })), &names()));
        assert!(!mentions(quote!(format!("id {idle}")), &names()));
        assert!(!mentions(quote!(format!("{:>an_id$}", 1)), &names()));
        assert!(!mentions(quote!(format!("{{id}}")), &names()));
        assert!(!mentions(quote!(format!(b"{id}")), &names()));
    }

    #[test]
    fn a_text_that_nothing_formats_is_no_mention() {
        assert!(!mentions(quote!("{id}"), &names()));
        assert!(!mentions(quote!(("plan of {id}", other)), &names()));
        assert!(!mentions(quote!(text("{id}")), &names()));
        assert!(!mentions(
            quote!(if !(x == "{id}") {
                1
            }),
            &names()
        ));
        assert!(!mentions(
            quote!(if !{ x == "{id}" } {
                1
            }),
            &names()
        ));
        assert!(!mentions(quote!(x != ("{id}")), &names()));
    }

    #[test]
    fn an_item_inside_mentions_nothing_of_what_is_outside() {
        assert!(!mentions(
            quote!(
                impl Q {
                    fn get(id: u8) {}
                }
            ),
            &names()
        ));
        assert!(!mentions(
            quote!(
                fn get(id: u8) -> u8 {
                    id
                },
                get(1)
            ),
            &names()
        ));
        assert!(!mentions(
            quote!(
                struct Q {
                    id: u8,
                },
                Q::new()
            ),
            &names()
        ));
        assert!(!mentions(quote!(use of::{id, other};, other()), &names()));
        assert!(!mentions(quote!(stringify!(id)), &names()));
        assert!(mentions(quote!(fn get(id: u8) {}, get(id)), &names()));
        assert!(mentions(quote!(struct Q(u8);, Q(id)), &names()));
        assert!(mentions(quote!(let of: fn(u8) = get; id), &names()));
        assert!(mentions(quote!(use of::other;, id), &names()));
        assert!(mentions(quote!((stringify!(other), id)), &names()));
        // what an item is called hides the argument
        assert!(mentions(
            quote!(
                fn id() {}
            ),
            &names()
        ));
    }

    #[test]
    fn a_raw_name_is_the_same() {
        assert!(mentions(quote!(r#id), &names()));
        let raw = [Ident::new_raw("id", Span::call_site())];
        assert!(mentions(quote!(id.other), &raw));
        assert!(among(&raw[0], &names()));
    }

    #[test]
    fn a_path_is_of_both_names_in_order() {
        let contains = |tokens| contains_path(tokens, ["__private", "Mode"]);
        assert!(contains(quote!({ ::cacheado::__private::Mode::Normal })));
        assert!(!contains(quote!(__private::Call::new(Mode::Fast))));
        assert!(!contains(quote!(Mode::__private(a: Mode))));
    }

    #[test]
    fn nearest_name() {
        assert_eq!(nearest("usr", ["organization", "user"]), Some("user"));
        assert_eq!(nearest("zebra", ["organization", "user"]), None);
        assert_eq!(list_names(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
