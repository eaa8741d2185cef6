//! The plan: options, function and scope in the terms in which `expand` and `companions` generate code. All checks have passed by
//! then, so nothing here fails.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::Expr;

use super::argument::Arg;
use super::key::KeyParts;
use super::options::{Block, Options};
use super::owned::is_owned;
use super::scope::ScopeOfCall;
use super::signature::Function;
use crate::mentions::{among, mentions};
use crate::runtime::Runtime;

/// The attribute: `#[cache]` or `#[cache_put]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Cache,
    Put,
}

impl Kind {
    /// The attribute's name on the detour.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Cache => "cache",
            Kind::Put => "put",
        }
    }
}

/// Where the function is, which determines where its hidden companions go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A free function. Its companions are in a struct of its name.
    Free,
    /// A function of an inherent impl under `#[cache_impl]`. Its companions are beside it.
    Inherent,
    /// Any other method, a function of a trait, or one with `batch`. It has no companions.
    Bare,
}

/// Everything that `expand` needs, already checked.
pub(crate) struct Plan {
    pub(crate) runtime: Runtime,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) scope: ScopeOfCall,
    pub(crate) key: KeyParts,
    /// For each argument: its pattern by reference, if the expressions of scope, key or cache need what it binds.
    pub(crate) key_bindings: Vec<Option<TokenStream>>,
    /// The same for what only `bypass` needs. It is evaluated only where the function itself is called, with all arguments.
    pub(crate) bypass_bindings: Vec<Option<TokenStream>>,
    /// For each argument: whether scope, key or cache need it.
    pub(crate) needed: Vec<bool>,
    /// Whether the body may outlive its call.
    pub(crate) owned: bool,
}

pub(crate) fn place(function: &Function, block: Block) -> Place {
    match block {
        Block::Inherent => Place::Inherent,
        Block::Trait => Place::Bare,
        Block::Unknown if function.receiver().is_some() => Place::Bare,
        Block::Unknown => Place::Free,
    }
}

impl Plan {
    /// For each argument: its pattern by reference, if it is needed before the body.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = Option<&TokenStream>> {
        let both = self.key_bindings.iter().zip(&self.bypass_bindings);
        both.map(|(in_key, in_bypass)| in_key.as_ref().or(in_bypass.as_ref()))
    }
}

/// Builds the plan.
pub(crate) fn plan(kind: Kind, function: Function, options: Options, scope: ScopeOfCall) -> Plan {
    let runtime = Runtime::find();
    let key = KeyParts::of(&function, &options, &scope, &runtime);
    let (mut key_bindings, mut bypass_bindings) = (Vec::new(), Vec::new());
    let mut needed = Vec::new();
    for arg in &function.args {
        let name = &arg.name;
        let in_key = scope.has(arg) || in_key_expressions(arg, &options);
        let pat = arg.pat_by_ref();
        let binding = pat.map(|pat| quote!(#[allow(unused_variables)] let #pat = &#name;));
        let in_bypass = !in_key && in_bypass(&options, &arg.binds());
        bypass_bindings.push(binding.clone().filter(|_| in_bypass));
        key_bindings.push(binding.filter(|_| in_key));
        needed.push(in_key || !is_skipped(arg, &options));
    }
    let owned = is_owned(kind, &options);
    let place = match options.batch {
        Some(_) => Place::Bare,
        None => place(&function, options.block),
    };
    Plan {
        runtime,
        kind,
        place,
        function,
        options,
        scope,
        key,
        key_bindings,
        bypass_bindings,
        needed,
        owned,
    }
}

/// Whether `skip` leaves the argument out.
pub(crate) fn is_skipped(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    !binds.is_empty() && !arg.hides_names() && binds.iter().all(|name| among(name, &options.skip))
}

/// Whether `key`, `scope(…)` or `cache` name the argument.
pub(crate) fn in_key_expressions(arg: &Arg, options: &Options) -> bool {
    let binds = arg.binds();
    key_expressions(options).any(|expr| mentions(expr, &binds))
}

/// Whether `bypass` names one of `names`.
pub(crate) fn in_bypass(options: &Options, names: &[Ident]) -> bool {
    let bypass = options.bypass.as_ref();
    bypass.is_some_and(|expr| mentions(expr, names))
}

/// The expressions that determine which entry a call has: those of `key`, `cache` and `scope(…)`.
pub(crate) fn key_expressions(options: &Options) -> impl Iterator<Item = &Expr> {
    let ids = options
        .scope
        .iter()
        .flat_map(|scope| scope.ids.iter().map(|(_, expr)| expr));
    options.key.iter().chain(&options.cache).chain(ids)
}
