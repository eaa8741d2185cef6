//! What makes up a call's key: `key`, or the arguments that are neither skipped nor scope ids.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Expr, UnOp};

use super::argument::Arg;
use super::options::Options;
use super::plan::is_skipped;
use super::scope::ScopeOfCall;
use super::signature::Function;
use crate::mentions::same;
use crate::parse::{peel, start};
use crate::runtime::{Runtime, at};

/// The parts of a key, each a reference to a value. In a `batch`, a part may be a tuple of such references.
pub(crate) struct KeyParts(pub(crate) Vec<TokenStream>);

/// The most parts that the runtime has functions for. More of them are grouped.
const MOST: usize = 12;

impl KeyParts {
    /// Leaves out the arguments that are in the path of `scope`.
    pub(crate) fn of(
        function: &Function,
        options: &Options,
        scope: &ScopeOfCall,
        runtime: &Runtime,
    ) -> Self {
        let parts = match written(options) {
            Some(exprs) => {
                let parts = exprs.into_iter().map(|expr| expression(runtime, expr));
                parts.collect()
            }
            None => in_key(function, options, scope)
                .map(|arg| match &options.batch {
                    // a reference to one of the ids
                    Some(ids) if same(&arg.name, ids) => {
                        let span = ids.span();
                        let key_part = runtime.private_at("key_part", span);
                        quote_spanned!(at(span)=> #key_part(#ids))
                    }
                    _ => part(runtime, &arg.name, &arg.name),
                })
                .collect(),
        };
        // a reference to a group would not outlive the closure that makes the key of one id
        let borrow = options.batch.is_none().then(|| quote!(&));
        KeyParts(at_most(parts, borrow.as_ref()))
    }
}

/// The parts of `key`. Each element of a tuple is one, so `key = (a, b)` moves neither `a` nor `b`.
fn written(options: &Options) -> Option<Vec<&Expr>> {
    let key = options.key.as_ref()?;
    Some(match peel(key) {
        Expr::Tuple(tuple) => tuple.elems.iter().collect(),
        _ => vec![key],
    })
}

/// Without a `key`: the arguments that are neither skipped nor in the path of `scope`.
pub(crate) fn in_key<'a>(
    function: &'a Function,
    options: &'a Options,
    scope: &'a ScopeOfCall,
) -> impl Iterator<Item = &'a Arg> {
    let args = function.args.iter();
    args.filter(|arg| !scope.has_all_of(arg) && !is_skipped(arg, options))
}

/// The names of the key's parts, by which functions of one `name` compare their order. The name is empty for a computed part, and for
/// a pattern that binds several names.
pub(crate) fn names(function: &Function, options: &Options, scope: &ScopeOfCall) -> Vec<String> {
    let text =
        |name: Option<&Ident>| name.map_or_else(String::new, |name| name.unraw().to_string());
    match written(options) {
        Some(exprs) => exprs.into_iter().map(|expr| text(name_of(expr))).collect(),
        None => in_key(function, options, scope)
            .map(|arg| match &arg.binds()[..] {
                [name] => text(Some(name)),
                _ => String::new(),
            })
            .collect(),
    }
}

/// The name, if an expression is one or a reference to one.
fn name_of(expr: &Expr) -> Option<&Ident> {
    match peel(expr) {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Reference(reference) => name_of(&reference.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Deref(_)) => name_of(&unary.expr),
        _ => None,
    }
}

fn at_most(parts: Vec<TokenStream>, borrow: Option<&TokenStream>) -> Vec<TokenStream> {
    if parts.len() <= MOST {
        return parts;
    }
    let together = parts.chunks(MOST).map(|some| quote!(#borrow (#(#some),*)));
    at_most(together.collect(), borrow)
}

/// A reference to what `value` evaluates to. An error about its type underlines the first token of `written`.
fn part(runtime: &Runtime, written: &impl ToTokens, value: &impl ToTokens) -> TokenStream {
    let span = start(written);
    let key_part = runtime.private_at("key_part", span);
    quote_spanned!(at(span)=> #key_part(&#value))
}

/// The part for an expression. A tuple is taken apart, since its elements must not be moved.
fn expression(runtime: &Runtime, expr: &Expr) -> TokenStream {
    match peel(expr) {
        Expr::Tuple(tuple) if !tuple.elems.is_empty() => {
            let parts = tuple.elems.iter().map(|elem| expression(runtime, elem));
            part(runtime, expr, &quote!((#(#parts,)*)))
        }
        _ if matches!(expr, Expr::Path(_) | Expr::Lit(_)) => part(runtime, expr, expr),
        _ => part(runtime, expr, &quote!((#expr))),
    }
}
