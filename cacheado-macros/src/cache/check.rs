//! What only shows once options, function and hierarchy are seen together: whether `self` is
//! accounted for, whether skipped names exist, where each scope id comes from, and whether the
//! function's shape can be cached at all.
//!
//! Gives a `Plan`, from which `expand` writes without a further question.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{Expr, Path, Safety, Type, TypeParamBound};

use super::boxed::{boxed_output, future_output};
use super::options::{Block, Options};
use super::signature::{Arg, Flavor, Function, find_impl_trait};
use crate::parse::{Errors, did_you_mean, list_names, mentions, peel, start};
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
    /// The path of the level's static; none: the global scope.
    pub(crate) level: Option<TokenStream>,
    /// Of each level from the root down, the expression of its id.
    pub(crate) ids: Vec<Expr>,
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

/// What can be said without the hierarchy.
pub(crate) fn check(function: &Function, options: &Options, errors: &mut Errors) {
    check_shape(function, errors);
    if place(function, options.block) == Place::Free && function.mentions_self_type() {
        errors.on(
            &function.sig.ident,
            "a function without a receiver that names `Self` needs `#[cache_impl]` on its impl block",
        );
    }
    check_skip(function, options, errors);
    check_self(function, options, errors);
    for arg in &function.args {
        if arg.is_mut_ref() && !is_skipped(arg, options) {
            let name = arg
                .binds()
                .first()
                .map_or_else(|| String::from("…"), Ident::to_string);
            errors.at(
                arg.span(),
                format!("an argument taken as `&mut` is no part of a key: add `skip({name})`"),
            );
        }
        if let Some(cfg) = arg.attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            errors.on(
                cfg,
                "an argument of a cached function can't be left out by `#[cfg]`",
            );
        }
    }
    // without a hierarchy, `global` is the one scope there is
    if let Some(scope) = options.scope.as_ref().filter(|scope| scope.is_global()) {
        for (id, _) in &scope.ids {
            errors.at(
                id.span(),
                format!("the scope `global` has no ids, so no `{id}`"),
            );
        }
    }
}

fn check_shape(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.constness {
        errors.on(
            token,
            "a `const fn` can't be cached: it may run when compiling",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, "an `extern` function can't be cached");
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, "a function of variadic arguments can't be cached");
    }
    if let Safety::Safe(token) = &sig.safety {
        errors.on(token, "a `safe fn` can't be cached");
    }
    check_output(function, errors);
}

fn check_output(function: &Function, errors: &mut Errors) {
    let output = &function.output;
    if let Type::Never(never) = output {
        errors.on(never, "a function that never returns can't be cached");
    }
    if let Some(found) = find_impl_trait(output) {
        let is_future = found.bounds.iter().any(|bound| {
            matches!(bound, TypeParamBound::Trait(bound) if future_output(&bound.path).is_some())
        });
        if is_future {
            errors.on(
                found,
                "write `async fn` instead: what is cached is what the future gives",
            );
        } else {
            errors.on(
                found,
                "an `impl Trait` can't be stored: name the type that is returned",
            );
        }
    } else if matches!(function.flavor, Flavor::Sync) && boxed_output(output).is_some() {
        errors.on(
            output,
            "write `async fn` instead, or let the body end in `Box::pin(async move { … })`: what is \
             cached is what the future gives",
        );
    }
}

fn is_skipped(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    !binds.is_empty() && binds.iter().all(|name| options.skip.contains(name))
}

fn check_skip(function: &Function, options: &Options, errors: &mut Errors) {
    let names: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    for (index, skipped) in options.skip.iter().enumerate() {
        let text = skipped.unraw().to_string();
        if options.skip[..index].contains(skipped) {
            errors.at(skipped.span(), format!("`{text}` is skipped twice"));
        } else if text == "self" {
            if function.receiver().is_none() {
                errors.at(skipped.span(), "there is no `self` to skip");
            }
        } else if !names.contains(skipped) {
            let mut known: Vec<String> = names.iter().map(Ident::to_string).collect();
            known.extend(function.receiver().map(|_| String::from("self")));
            let hint = did_you_mean(&text, known.iter().map(String::as_str));
            let hint = match (hint.is_empty(), known.is_empty()) {
                (false, _) => hint,
                (true, true) => String::from(", there are none"),
                (true, false) => format!(", the arguments are {}", list_names(&known)),
            };
            errors.at(
                skipped.span(),
                format!("`skip` names no argument `{text}`{hint}"),
            );
        }
    }
    for arg in &function.args {
        let binds = arg.binds();
        let skipped = binds
            .iter()
            .filter(|name| options.skip.contains(name))
            .count();
        if skipped > 0
            && skipped < binds.len()
            && let Some(name) = options.skip.iter().find(|name| binds.contains(name))
        {
            errors.at(
                name.span(),
                format!(
                    "`{name}` is part of an argument that is skipped as a whole: skip {}, or give a `key`",
                    list_names(&binds)
                ),
            );
        }
    }
}

fn check_self(function: &Function, options: &Options, errors: &mut Errors) {
    let Some(receiver) = function.receiver() else {
        return;
    };
    let this = Ident::new("self", receiver.self_token.span);
    let accounted = options.skip.iter().any(|name| name == "self")
        || key_expressions(options).any(|expr| mentions(expr, std::slice::from_ref(&this)));
    if !accounted {
        errors.on(
            receiver.self_token,
            "`self` is not accounted for: what it holds is no part of the key. Write `skip(self)` if \
             results don't depend on it, or name it in `key`, `scope(…)` or `cache`",
        );
    }
}

/// The expressions that decide where an entry is: of `key`, `scope(…)` and `cache`.
fn key_expressions(options: &Options) -> impl Iterator<Item = &Expr> {
    let ids = options
        .scope
        .iter()
        .flat_map(|scope| scope.ids.iter().map(|(_, expr)| expr));
    options.key.iter().chain(&options.cache).chain(ids)
}

/// The hierarchy, and the path by which the user reaches its module.
pub(crate) type Scopes<'a> = Option<(&'a Hierarchy, &'a Path)>;

/// Everything that `check` has not seen yet, and the plan.
pub(crate) fn plan(
    kind: Kind,
    function: Function,
    options: Options,
    scopes: Scopes<'_>,
    errors: &mut Errors,
) -> Result<Plan, (Function, Options)> {
    let names: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
    let (mut level, mut ids, mut id_names) = (None, Vec::new(), Vec::new());
    if let (Some(scope), Some((hierarchy, path))) = (&options.scope, scopes) {
        let Some(resolved) = resolve(scope, hierarchy, &names, errors) else {
            return Err((function, options));
        };
        level = Some(level_path(&resolved, path));
        for id in resolved.ids {
            ids.push(match id {
                IdSource::Given(expr) => expr,
                IdSource::Argument(name) => {
                    let expr = syn::parse_quote!(#name);
                    id_names.push(name);
                    expr
                }
            });
        }
    }
    let runtime = Runtime::find();
    let parts = parts(&function, &options, &id_names, &runtime);
    let mut key_bindings = Vec::new();
    let mut needed = Vec::new();
    for arg in &function.args {
        let (name, binds) = (&arg.name, arg.binds());
        let is_id = binds.iter().any(|name| id_names.contains(name));
        let mut expressions = key_expressions(&options).chain(&options.bypass);
        let in_key = is_id || expressions.any(|expr| mentions(expr, &binds));
        key_bindings.push(
            arg.pat_by_ref()
                .filter(|_| in_key)
                .map(|pat| quote!(#[allow(unused_variables)] let #pat = &#name;)),
        );
        needed.push(
            !is_skipped(arg, &options)
                || is_id
                || key_expressions(&options).any(|expr| mentions(expr, &binds)),
        );
    }
    let place = place(&function, options.block);
    Ok(Plan {
        runtime,
        kind,
        place,
        function,
        options,
        level,
        ids,
        parts,
        key_bindings,
        needed,
    })
}

/// The level's static, by the path that the user has to the module of `scopes!`.
pub(crate) fn level_path(resolved: &Resolved, module: &Path) -> TokenStream {
    let level = &resolved.level;
    quote!(#module::__levels::#level)
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
