//! Ids of levels that are marked `#[secret]`: they are hidden in the scope, so the key, which is stored and shown as it is,
//! must not have them as well.
//!
//! Only refuses, and only what can be seen in the attribute: a secret that an argument brings along unseen is its author's.

use proc_macro2::Ident;
use syn::Expr;

use super::argument::Arg;
use super::options::Options;
use super::plan::{ScopeOfCall, is_skipped};
use super::signature::Function;
use crate::parse::{Errors, among, mention, mentions, peel};
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
        let in_key = |arg: &&Arg| !scope.has_all_of(arg) && !is_skipped(arg, options);
        for arg in function.args.iter().filter(in_key) {
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

/// A `key` may be made of what the secret is made of, but not have it.
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
        }
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
