//! The plan: options, function and scope, brought to the terms that `expand` and `companions` write
//! in. By then everything has been found to be right, so nothing here fails.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Expr, Path, Result};

use super::options::{Block, Options};
use super::signature::{Arg, Function};
use crate::parse::{Errors, mentions, peel, start};
use crate::runtime::{Runtime, at};
use crate::scopes::parse::Hierarchy;
use crate::scopes::resolve::{IdSource, Resolved, resolve};

/// Which attribute it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Cache,
    Put,
}

/// Where the function stands, and so where its hidden companions go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A free function: companions in a struct of its name.
    Free,
    /// A function of an inherent impl under `#[cache_impl]`: companions beside it.
    Inherent,
    /// A method, in whatever impl: no companions.
    Method,
}

/// Everything `expand` needs, found to be right.
pub(crate) struct Plan {
    pub(crate) runtime: Runtime,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) scope: ScopeOfCall,
    /// References to what makes up the key.
    pub(crate) parts: Vec<TokenStream>,
    /// Of each argument, its pattern by reference, if the expressions of scope, key, cache or bypass
    /// need what it binds.
    pub(crate) key_bindings: Vec<Option<TokenStream>>,
    /// Of each argument, whether key, scope or cache need it.
    pub(crate) needed: Vec<bool>,
}

pub(crate) fn place(function: &Function, block: Block) -> Place {
    match block {
        Block::Inherent => Place::Inherent,
        Block::Trait => Place::Method,
        Block::Unknown if function.receiver().is_some() => Place::Method,
        Block::Unknown => Place::Free,
    }
}

/// Where a call stands in the hierarchy. By default, in the global scope.
#[derive(Default)]
pub(crate) struct ScopeOfCall {
    /// The path of the level's static; none: the global scope.
    pub(crate) level: Option<TokenStream>,
    /// Of each level from the root down, the expression of its id.
    pub(crate) ids: Vec<Expr>,
    /// The arguments among them, which are no part of the key a second time.
    arguments: Vec<Ident>,
}

/// The hierarchy, and the path by which the user reaches its module.
pub(crate) type Scopes<'a> = Option<(&'a Hierarchy, &'a Path)>;

/// Finds the scope that the options name.
pub(crate) fn scope_of_call(
    function: &Function,
    options: &Options,
    scopes: Scopes<'_>,
) -> Result<ScopeOfCall> {
    let mut found = ScopeOfCall::default();
    let (Some(scope), Some((hierarchy, path))) = (&options.scope, scopes) else {
        return Ok(found);
    };
    let names: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    let mut errors = Errors::default();
    let resolved = resolve(scope, hierarchy, &names, &mut errors);
    errors.finish()?;
    let Some(resolved) = resolved else {
        return Ok(found);
    };
    found.level = Some(level_path(&resolved, path));
    for id in resolved.ids {
        found.ids.push(match id {
            IdSource::Given(expr) => expr,
            IdSource::Argument(name) => {
                let expr = syn::parse_quote!(#name);
                found.arguments.push(name);
                expr
            }
        });
    }
    Ok(found)
}

/// Brings everything together.
pub(crate) fn plan(kind: Kind, function: Function, options: Options, scope: ScopeOfCall) -> Plan {
    let runtime = Runtime::find();
    let parts = parts(&function, &options, &scope.arguments, &runtime);
    let mut key_bindings = Vec::new();
    let mut needed = Vec::new();
    for arg in &function.args {
        let (name, binds) = (&arg.name, arg.binds());
        let is_id = binds.iter().any(|name| scope.arguments.contains(name));
        let in_key = is_id || key_expressions(&options).any(|expr| mentions(expr, &binds));
        let in_bypass = options
            .bypass
            .as_ref()
            .is_some_and(|expr| mentions(expr, &binds));
        let pat = arg.pat_by_ref().filter(|_| in_key || in_bypass);
        key_bindings.push(pat.map(|pat| quote!(#[allow(unused_variables)] let #pat = &#name;)));
        needed.push(in_key || !is_skipped(arg, &options));
    }
    let place = place(&function, options.block);
    Plan {
        runtime,
        kind,
        place,
        function,
        options,
        scope,
        parts,
        key_bindings,
        needed,
    }
}

/// The level's static, by the path that the user has to the module of `scopes!`.
pub(crate) fn level_path(resolved: &Resolved, module: &Path) -> TokenStream {
    let level = &resolved.level;
    quote!(#module::__levels::#level)
}

/// Whether `skip` leaves the argument out.
pub(crate) fn is_skipped(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    !binds.is_empty() && binds.iter().all(|name| options.skip.contains(name))
}

/// The expressions that decide where an entry is: of `key`, `scope(…)` and `cache`.
pub(crate) fn key_expressions(options: &Options) -> impl Iterator<Item = &Expr> {
    let ids = options
        .scope
        .iter()
        .flat_map(|scope| scope.ids.iter().map(|(_, expr)| expr));
    options.key.iter().chain(&options.cache).chain(ids)
}

/// What makes up the key: `key`, or every argument that is neither skipped nor a scope id.
fn parts(
    function: &Function,
    options: &Options,
    ids: &[Ident],
    runtime: &Runtime,
) -> Vec<TokenStream> {
    let part = |expr: TokenStream| {
        let span = start(&expr);
        let key_part = runtime.private_at("key_part", span);
        let span = at(span);
        quote_spanned!(span=> #key_part(&#expr))
    };
    if let Some(key) = &options.key {
        return vec![by_reference(key, &part)];
    }
    function
        .args
        .iter()
        .filter(|arg| {
            let binds = arg.binds();
            let in_path = arg.is_bound_whole() && binds.iter().all(|name| ids.contains(name));
            !in_path && !is_skipped(arg, options)
        })
        .map(|arg| part(arg.name.to_token_stream()))
        .collect()
}

/// A reference to what the expression gives. A tuple is taken apart, so that `key = (a, b)` moves
/// neither `a` nor `b`.
fn by_reference(expr: &Expr, part: &impl Fn(TokenStream) -> TokenStream) -> TokenStream {
    match peel(expr) {
        Expr::Tuple(tuple) if !tuple.elems.is_empty() => {
            let elems = tuple.elems.iter().map(|elem| by_reference(elem, part));
            quote!((#(#elems,)*))
        }
        _ if matches!(expr, Expr::Path(_) | Expr::Lit(_)) => part(expr.to_token_stream()),
        _ => {
            let span = start(expr);
            part(quote_spanned!(span=> (#expr)))
        }
    }
}
