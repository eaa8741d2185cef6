//! Finds which names a token stream mentions: a body, an expression or the arguments of a macro. The tokens are searched as written;
//! nothing else is known about them.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;

/// Whether one of `names` occurs as a value anywhere in `tokens`. A field or method after a dot and a segment of a path don't count.
pub(crate) fn mentions(tokens: impl ToTokens, names: &[Ident]) -> bool {
    mention(tokens, names).is_some()
}

/// The first occurrence of one of `names` in `tokens`, with its span.
pub(crate) fn mention(tokens: impl ToTokens, names: &[Ident]) -> Option<Ident> {
    stream_mention(tokens.into_token_stream(), names, false)
}

/// Whether two identifiers are the same name. A name may be written raw: `r#id` is `id`.
pub(crate) fn same(one: &Ident, other: &Ident) -> bool {
    one.unraw() == other.unraw()
}

/// Whether one of `names` is `name`.
pub(crate) fn among(name: &Ident, names: &[Ident]) -> bool {
    names.iter().any(|one| same(one, name))
}

/// What the previous token says about the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// The next token is a field, a method, or another segment of a path.
    Access,
    /// A name. It is the name of a macro if `!` and a group follow.
    Name,
    /// The `!` after a name.
    MacroName,
}

/// `in_macro`: whether a string literal may be a format string.
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
                    // `stringify!` turns its tokens into text, so they mention nothing
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
                // one dot is a field or method access; two or three are a range
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

/// An item inside a body or an expression. It can't see the arguments, and its `self` is another one.
struct Item {
    is_named: bool,
    /// Whether braces end it. A semicolon always does.
    has_braces: bool,
}

impl Item {
    /// The item that `word` begins, if it begins one.
    fn of(word: &Ident, next: Option<&TokenTree>) -> Option<Item> {
        let is_named = matches!(next, Some(TokenTree::Ident(_)));
        let (is_named, has_braces) = match word.to_string().as_str() {
            "impl" => (false, true),
            "use" => (false, false),
            // without a name, `fn` begins a function pointer type
            "fn" | "struct" | "enum" | "trait" | "mod" if is_named => (true, true),
            _ => return None,
        };
        Some(Item {
            is_named,
            has_braces,
        })
    }

    /// Advances past the end of the item. Returns its name, which may shadow an argument.
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

/// Whether `::` comes next.
fn is_path_ahead(mut trees: impl Iterator<Item = TokenTree>) -> bool {
    let is_colon = |tree: Option<TokenTree>| match tree {
        Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => Some(punct.spacing()),
        _ => None,
    };
    is_colon(trees.next()) == Some(Spacing::Joint) && is_colon(trees.next()).is_some()
}

/// Whether an identifier is a keyword, which can't be the name of a macro.
fn is_keyword(ident: &Ident) -> bool {
    syn::parse2::<Ident>(ident.to_token_stream()).is_err()
}

/// Whether a literal is a string that would capture `name` if it were formatted: in braces, or as a width or precision.
pub(crate) fn captures(literal: &str, name: &Ident) -> bool {
    if !literal.starts_with(['"', 'r']) {
        return false;
    }
    let name = name.unraw().to_string();
    // `{{` stands for a literal brace
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

/// Whether `ident` occurs anywhere in `tokens`.
pub(crate) fn contains_ident(tokens: TokenStream, ident: &str) -> bool {
    tokens.into_iter().any(|tree| match tree {
        TokenTree::Ident(found) => found == ident,
        TokenTree::Group(group) => contains_ident(group.stream(), ident),
        _ => false,
    })
}

/// Whether the path `first::second` occurs anywhere in `tokens`, alone or as part of a longer path.
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

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;
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
        // the item's name shadows the argument
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
}
