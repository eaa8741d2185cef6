//! Ids of `#[secret]` levels. They are hidden in the scope, so they must not be in the key as well, which is stored and shown as it
//! is.
//!
//! This only rejects, and only what the attribute shows. A secret that is hidden in an argument is its author's responsibility.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Expr, Token, UnOp};

use super::argument::Arg;
use super::key::in_key;
use super::options::Options;
use super::scope::ScopeOfCall;
use super::signature::Function;
use crate::mentions::{among, mention, mentions};
use crate::parse::{Errors, peel};
use crate::scopes::resolve::{Id, bare_name};

pub(crate) fn check(
    function: &Function,
    options: &Options,
    scope: &ScopeOfCall,
    errors: &mut Errors,
) {
    for id in scope.ids.iter().filter(|id| id.secret) {
        if let Some(key) = &options.key {
            check_key(key, function, id, errors);
            continue;
        }
        for arg in in_key(function, options, scope) {
            if let Some(found) = mention(&id.expr, &arg.binds()) {
                errors.at(found.span(), in_key_as_a_whole(arg, id, &found));
            }
        }
    }
}

/// The message about an argument in the key. `found` is the name in it that is the secret, or that contains it.
fn in_key_as_a_whole(arg: &Arg, id: &Id, found: &Ident) -> String {
    let param = &id.param;
    if arg.pat.is_some() {
        format!(
            "the secret `{param}` would show in the key, which has the argument that `{found}` is part of: take it as an \
             argument of its own, or give a `key` without it"
        )
    } else {
        format!(
            "the secret `{param}` would show in the key, which has `{found}` as well: add `skip({found})` if `{param}` says \
             all of it that results depend on, or else give a `key` without it"
        )
    }
}

/// A `key` may be made from what the secret is made from, but must not contain the secret: neither whole nor in another form. What a
/// function of the user makes of it, such as a hash, is the user's responsibility.
fn check_key(key: &Expr, function: &Function, id: &Id, errors: &mut Errors) {
    let names: Vec<Ident> = function
        .args
        .iter()
        .flat_map(Arg::binds)
        .chain(function.self_word())
        .filter(|name| mentions(&id.expr, std::slice::from_ref(name)))
        .collect();
    let param = &id.param;
    if id.argument.is_some() {
        if let Some(found) = mention(key, &names) {
            errors.at(
                found.span(),
                format!(
                    "the secret `{param}` would show in the key: leave it out, the scope has it already"
                ),
            );
        }
        return;
    }
    for part in parts(key) {
        if let Some(found) = bare_name(part).filter(|name| among(name, &names)) {
            errors.at(
                found.span(),
                format!(
                    "the secret `{param}` would show in the key, as part of `{found}`: name what else results depend on, as \
                     `{found}.…`"
                ),
            );
        } else if shows(part, &id.expr) {
            errors.on(
                part,
                format!(
                    "the secret `{param}` would show in the key, which has what it is made of: leave that out, the scope has \
                     it already"
                ),
            );
        }
    }
}

/// Whether `part` is `secret`, apart from views and copies, or a text that contains it.
fn shows(part: &Expr, secret: &Expr) -> bool {
    let secret = as_text(seen(secret));
    match seen(part) {
        Expr::Macro(text) => {
            let inline = syn::parse_str(&secret).is_ok_and(|name: Ident| mentions(text, &[name]));
            inline || arguments(&text.mac.tokens).any(|it| as_text(seen(&it)) == secret)
        }
        part => as_text(part) == secret,
    }
}

fn as_text(expr: &Expr) -> String {
    expr.to_token_stream().to_string()
}

/// The expressions that a macro is given, if it is given expressions.
fn arguments(tokens: &TokenStream) -> impl Iterator<Item = Expr> {
    let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
    let parsed = parser.parse2(tokens.clone());
    parsed.unwrap_or_default().into_iter()
}

/// Methods that view, copy or convert a text or what holds one.
const VIEWS: &[&str] = &[
    "as_bytes",
    "as_deref",
    "as_ref",
    "as_str",
    "borrow",
    "bytes",
    "chars",
    "clone",
    "deref",
    "into",
    "into_bytes",
    "into_string",
    "to_bytes",
    "to_owned",
    "to_string",
    "to_vec",
    "trim",
];

/// What an expression is about, without views and copies of it: `&token`, `token.as_str()` and `token[..]` are `token`.
fn seen(expr: &Expr) -> &Expr {
    match peel(expr) {
        Expr::Reference(reference) => seen(&reference.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => seen(&unary.expr),
        Expr::Cast(cast) => seen(&cast.expr),
        Expr::Index(index) if matches!(*index.index, Expr::Range(_)) => seen(&index.expr),
        Expr::MethodCall(call)
            if call.args.is_empty() && VIEWS.iter().any(|view| call.method == view) =>
        {
            seen(&call.receiver)
        }
        other => other,
    }
}

/// The parts of a key.
fn parts(key: &Expr) -> Vec<&Expr> {
    match peel(key) {
        Expr::Tuple(tuple) => tuple.elems.iter().flat_map(parts).collect(),
        Expr::Reference(reference) => parts(&reference.expr),
        part => vec![part],
    }
}
