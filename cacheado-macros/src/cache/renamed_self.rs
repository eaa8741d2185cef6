//! Another name for `self` in a body or a closure, for what is kept of it: `self` can't be rebound.
//!
//! Functions and impls inside keep theirs. Format strings do, too: their macros are given `self` as a named argument.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::quote;

use crate::mentions::captures;
use crate::runtime::local;

/// The name that is written in place of `self`, which can't be rebound.
pub(super) fn this() -> Ident {
    local("__cacheado_this")
}

/// `self` itself.
pub(super) fn self_word() -> Ident {
    local("self")
}

/// `tokens` with that name in place of `self`.
pub(super) fn renamed(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    // what ends an inner item, which has a `self` of its own, or a `use`, whose `self` means its module
    let mut ends: Option<Delimiter> = None;
    let mut tokens = tokens.into_iter().peekable();
    let mut formats = None;
    while let Some(token) = tokens.next() {
        let in_format = is_format(&mut formats, &token);
        out.push(match token {
            TokenTree::Ident(word) if ends.is_none() => {
                let next = tokens.peek();
                let is_path = matches!(next, Some(TokenTree::Punct(colon)) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint);
                let is_item = word == "impl"
                    || word == "trait"
                    || (word == "fn" && matches!(next, Some(TokenTree::Ident(_))));
                if is_item {
                    ends = Some(Delimiter::Brace);
                } else if word == "use" {
                    ends = Some(Delimiter::None);
                }
                if word == "self" && !is_path {
                    let mut this = this();
                    this.set_span(this.span().located_at(word.span()));
                    TokenTree::Ident(this)
                } else {
                    TokenTree::Ident(word)
                }
            }
            TokenTree::Group(group) if ends.is_none() => {
                let inside = if is_of_pub(&out) {
                    group.stream()
                } else {
                    let given = in_format.then(|| given_to_format(group.stream()));
                    let inside = renamed(group.stream());
                    quote!(#inside #given)
                };
                let mut inside = Group::new(group.delimiter(), inside);
                inside.set_span(group.span());
                TokenTree::Group(inside)
            }
            token => {
                let is_end = match &token {
                    TokenTree::Group(group) => ends == Some(group.delimiter()),
                    TokenTree::Punct(punct) => ends == Some(Delimiter::None) && punct.as_char() == ';',
                    _ => false,
                };
                if is_end {
                    ends = None;
                }
                token
            }
        });
    }
    out.into_iter().collect()
}

/// `pub(self)` means the module.
fn is_of_pub(before: &[TokenTree]) -> bool {
    matches!(before.last(), Some(TokenTree::Ident(word)) if word == "pub")
}

/// The standard macros that format a text. What other macros take is not known.
const FORMATS: [&str; 18] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "write",
    "writeln",
];

/// Whether `token` is the argument list of one of those macros. `seen` is the state between one token and the next.
fn is_format(seen: &mut Option<Seen>, token: &TokenTree) -> bool {
    let (next, is_format) = match (seen.take(), token) {
        (_, TokenTree::Ident(name)) if FORMATS.iter().any(|format| name == format) => {
            (Some(Seen::Name), false)
        }
        (Some(Seen::Name), TokenTree::Punct(punct)) if punct.as_char() == '!' => {
            (Some(Seen::Bang), false)
        }
        (Some(Seen::Bang), TokenTree::Group(_)) => (None, true),
        _ => (None, false),
    };
    *seen = next;
    is_format
}

/// What was seen of a call of such a macro.
enum Seen {
    Name,
    Bang,
}

/// The argument for a macro that formats a text which names `self`: `format!("{self}", self = …)`.
fn given_to_format(tokens: TokenStream) -> Option<TokenStream> {
    let (mut names_it, mut ends_in_comma) = (false, false);
    for token in tokens {
        ends_in_comma = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
        if let TokenTree::Literal(literal) = token {
            names_it |= captures(&literal.to_string(), &self_word());
        }
    }
    let this = this();
    let comma = (!ends_in_comma).then(|| quote!(,));
    names_it.then(|| quote!(#comma self = #this))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_is_renamed_where_it_is_the_functions() {
        let body = quote!(
            use self::there::{self, Other};
            struct Own {
                pub(self) name: u8,
            }
            impl Own { fn get(&self) -> u8 { self.0 } }
            fn of(own: &Own) -> u8 { self::there::get(own) }
            let pointer: fn(&Own) -> u8 = of;
            println!("{}", self.name);
            println!("{self} {}", 1,);
            self.get(|| self) + pointer(&Own)
        );
        let renamed = renamed(body).to_string();
        assert_eq!(renamed.matches("__cacheado_this").count(), 4, "{renamed}");
        for kept in [
            "use self ::",
            "{ self , Other }",
            "(& self)",
            "pub (self) name",
            "1 , self = __cacheado_this)",
            "self . 0",
            "self :: there :: get",
        ] {
            assert!(renamed.contains(kept), "{kept}: {renamed}");
        }
    }
}
