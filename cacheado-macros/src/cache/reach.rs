//! Checks what the expressions of options may refer to. Constants may not refer to anything of a call. Expressions that determine
//! which entry a call has may use only what exists outside the function as well, since verbs and evictions evaluate them, too.
//!
//! This only rejects, as `check` does.

use proc_macro2::{Ident, Span};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{ExprAsync, ExprAwait, ExprClosure, ExprReturn, ExprTry, Item};

use super::argument::Arg;
use super::options::Options;
use super::plan::{Place, place};
use super::signature::{Function, param_name, type_and_const_params};
use super::ttl::Ttl;
use crate::mentions::{contains_ident, mention};
use crate::parse::Errors;

pub(crate) fn check(function: &Function, options: &Options, errors: &mut Errors) {
    check_constants(function, options, errors);
    if options.batch.is_none() && place(function, options.block) != Place::Bare {
        check_way_out(options, errors);
    }
}

/// Checks that what is the same for all calls doesn't depend on one of them.
fn check_constants(function: &Function, options: &Options, errors: &mut Errors) {
    let mut arguments: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    arguments.extend(function.self_word());
    let params: Vec<Ident> = type_and_const_params(&function.sig.generics)
        .map(|param| param_name(param).clone())
        .collect();
    let integers = [
        ("version", &options.version),
        ("max_items", &options.max_items),
    ];
    let integers = integers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?.to_token_stream())));
    for (option, value) in options.aging.constants().chain(integers) {
        if let Some(name) = mention(&value, &arguments) {
            errors.at(
                name.span(),
                format!("`{option}` is one constant for all calls, and `{name}` is what each of them has of its own"),
            );
        } else if let Some(name) = mention(&value, &params) {
            errors.at(
                name.span(),
                format!("`{option}` is one constant for all instances of the function, and `{name}` is what tells them apart"),
            );
        } else if contains_ident(value.clone(), "Self") {
            errors.on(
                value,
                format!("`{option}` is a constant of its own, which knows no `Self`: write the type's name"),
            );
        }
    }
}

/// Checks that nothing leaves the function, or waits in it, in expressions that are also evaluated outside of it.
fn check_way_out(options: &Options, errors: &mut Errors) {
    let ids = options.scope.iter().flat_map(|scope| &scope.ids);
    let ids = ids.map(|(_, expr)| ("scope", expr));
    let ttl = match &options.ttl {
        Some(Ttl::Expr(expr)) => Some(expr),
        _ => None,
    };
    let others = [
        ("key", options.key.as_ref()),
        ("cache", options.cache.as_ref()),
        ("ttl", ttl),
    ];
    let others = others
        .into_iter()
        .filter_map(|(option, expr)| Some((option, expr?)));
    for (option, expr) in ids.chain(others) {
        let mut ways = WaysOut::default();
        ways.visit_expr_mut(&mut expr.clone());
        if let Some((word, span)) = ways.first {
            errors.at(
                span,
                format!(
                    "`{word}` can't stand in `{option}`, which verbs and evictions ask for as well, outside of the function: \
                     take what it gives as an argument"
                ),
            );
        }
    }
}

/// Finds what leaves the function or waits in it. What is inside closures and items leaves only these.
#[derive(Default)]
struct WaysOut {
    first: Option<(&'static str, Span)>,
}

impl VisitMut for WaysOut {
    fn visit_expr_try_mut(&mut self, expr: &mut ExprTry) {
        visit_mut::visit_expr_try_mut(self, expr);
        self.first.get_or_insert(("?", expr.question_token.span));
    }

    fn visit_expr_await_mut(&mut self, expr: &mut ExprAwait) {
        visit_mut::visit_expr_await_mut(self, expr);
        self.first.get_or_insert((".await", expr.await_token.span));
    }

    fn visit_expr_return_mut(&mut self, expr: &mut ExprReturn) {
        self.first.get_or_insert(("return", expr.return_token.span));
    }

    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}

    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}

    fn visit_item_mut(&mut self, _: &mut Item) {}
}
