//! Ids of levels that are marked `#[secret]`: they are hidden in the scope, so the key, which is stored and shown as it is,
//! must not have them as well.
//!
//! Only refuses, and only what can be seen in the attribute: a secret that an argument brings along unseen is its author's.

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

/// The message for an argument in the key, of which `found` is the secret or has it.
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

/// A `key` may be made of what the secret is made of, but not have it: neither whole, nor looked at in another way. What a function of
/// the caller's makes of it, say a hash, is the caller's to answer for.
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

/// Whether `part` is the same as `secret` but for how it is looked at, or a text that has that.
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

/// The expressions that a macro is given, if that is what it is given.
fn arguments(tokens: &TokenStream) -> impl Iterator<Item = Expr> {
    let parser = Punctuated::<Expr, Token![,]>::parse_terminated;
    let parsed = parser.parse2(tokens.clone());
    parsed.unwrap_or_default().into_iter()
}

/// Methods by which a text or what holds one is looked at, copied or turned into the like.
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

/// What an expression is about, without what only says how that is looked at: `&token`, `token.as_str()` and `token[..]` are `token`.
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

/// What a key is made of.
fn parts(key: &Expr) -> Vec<&Expr> {
    match peel(key) {
        Expr::Tuple(tuple) => tuple.elems.iter().flat_map(parts).collect(),
        Expr::Reference(reference) => parts(&reference.expr),
        part => vec![part],
    }
}
