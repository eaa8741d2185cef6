//! Common mistakes in `scopes!`, and what to write instead.
//!
//! These are checked only where the grammar does not match.

use proc_macro2::{Delimiter, Ident, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Error, LitStr, Token};

use super::parse::Level;

/// Something after a level that does not begin another one: `organization(org_id) > user(user_id)`.
pub(super) fn behind(upper: &Level, has_braces: bool, input: ParseStream<'_>) -> Option<Error> {
    if input.is_empty() {
        return None;
    }
    if input.peek(Token![,]) || input.peek(Token![;]) {
        return Some(input.error("levels stand side by side, with nothing between them"));
    }
    let ahead = input.fork();
    if ahead.peek(Token![#]) || !skip_marks(&ahead) {
        return None;
    }
    let upper = form(&upper.name, &upper.param);
    let lower = level_ahead(&ahead).unwrap_or_else(|| String::from("…"));
    Some(input.error(if has_braces {
        format!("nothing stands between levels: what is below `{upper}` stands in its braces")
    } else {
        format!("levels nest in braces: `{upper} {{ {lower} }}`")
    }))
}

/// Something in place of a level's name, if the compiler's words for it are not enough.
pub(super) fn no_name(input: ParseStream<'_>) -> Option<Error> {
    if let Some(name) = text_ahead(input) {
        return Some(input.error(format!("levels have no quotes: `{name}(…)`")));
    }
    if input.peek(Token![pub]) {
        return Some(input.error(
            "levels are as visible as their module, which is named ahead of them: `pub mod scope;`",
        ));
    }
    if input.peek(Token![mod]) {
        return Some(input.error("the module is named once, ahead of all levels: `mod scope;`"));
    }
    let is_mark = !input.peek(Ident::peek_any);
    is_mark.then(|| input.error("expected a level, as `organization(org_id)`"))
}

/// Something after a level's name in place of its argument, as in `organization[org_id]`.
pub(super) fn no_argument(name: &Ident, input: ParseStream<'_>) -> Error {
    if name == "global" {
        return Error::new(
            name.span(),
            "`global` is the root of all levels by itself: leave it out",
        );
    }
    let ahead = input.fork();
    if ahead.peek(Token![-])
        && !ahead.peek(Token![->])
        && ahead.parse::<Token![-]>().is_ok()
        && let Ok(rest) = ahead.call(Ident::parse_any)
    {
        return input.error(format!("a name has no `-`: `{name}_{rest}`"));
    }
    match argument_ahead(&input.fork()) {
        Some(param) => input.error(format!(
            "the argument of a level stands in parentheses: `{}`",
            form(name, &param)
        )),
        None => lacks_argument(name),
    }
}

pub(super) fn lacks_argument(name: &Ident) -> Error {
    Error::new(
        name.span(),
        format!(
            "the level `{name}` lacks the argument that tells one from another: `{name}({name}_id)`"
        ),
    )
}

/// Something in a level's parentheses in place of its argument's name.
pub(super) fn no_param(name: &Ident, content: ParseStream<'_>) -> Option<Error> {
    let param = text_ahead(content)?;
    Some(content.error(format!(
        "the argument of a level has no quotes: `{name}({param})`"
    )))
}

/// Something in a level's parentheses after its argument.
pub(super) fn behind_param(name: &Ident, param: &Ident, content: ParseStream<'_>) -> Error {
    let ahead = content.fork();
    if ahead.parse::<Token![,]>().is_ok()
        && let Some(lower) = level_ahead(&ahead)
    {
        return content.error(format!(
            "levels nest in braces: `{} {{ {lower} }}`",
            form(name, param)
        ));
    }
    let ahead = content.fork();
    if param == "secret"
        && let Ok(id) = ahead.call(Ident::parse_any)
        && ahead.is_empty()
    {
        return Error::new(
            param.span(),
            format!("`secret` is an attribute: `{name}(#[secret] {id})`"),
        );
    }
    content.error(format!(
        "a level has one argument, which tells one `{name}` from another, and no type"
    ))
}

/// An argument with the name of a type, which no argument has.
pub(super) fn is_type(name: &Ident, param: &Ident) -> Option<Error> {
    const TYPES: [&str; 14] = [
        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
        "String", "Uuid",
    ];
    TYPES.iter().any(|it| param == it).then(|| {
        let id = name.unraw();
        Error::new(
            param.span(),
            format!("`{param}` is a type, and a level names its argument: `{name}({id}_id)`"),
        )
    })
}

/// `organization(org_id)`.
fn form(name: &Ident, param: &Ident) -> String {
    format!("{name}({param})")
}

/// Skips punctuation. Returns whether there was any.
fn skip_marks(input: ParseStream<'_>) -> bool {
    let mut any = false;
    while let Ok(TokenTree::Punct(_)) = input.fork().parse() {
        any = input.parse::<TokenTree>().is_ok();
    }
    any
}

/// The next level, up to its argument.
fn level_ahead(input: ParseStream<'_>) -> Option<String> {
    let name = input.call(Ident::parse_any).ok()?;
    match input.parse().ok()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => {
            let param: Ident = syn::parse2(group.stream()).ok()?;
            Some(form(&name, &param))
        }
        _ => None,
    }
}

/// The name in `[org_id]`, `= org_id` and `: org_id`.
fn argument_ahead(input: ParseStream<'_>) -> Option<Ident> {
    match input.parse().ok()? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            syn::parse2(group.stream()).ok()
        }
        TokenTree::Punct(mark) if matches!(mark.as_char(), '=' | ':') => input.parse().ok(),
        _ => None,
    }
}

/// The next token, if it is a text literal that would do as a name.
fn text_ahead(input: ParseStream<'_>) -> Option<Ident> {
    let text: LitStr = input.fork().parse().ok()?;
    text.parse().ok()
}
