//! A call's place in the hierarchy: the scope that the options name, as found there.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Path, Result};

use super::argument::Arg;
use super::options::Options;
use super::signature::Function;
use crate::mentions::same;
use crate::parse::Errors;
use crate::scopes::parse::Hierarchy;
use crate::scopes::resolve::{Id, Resolved, resolve};

/// The hierarchy, and the path by which the user's code reaches its module.
pub(crate) type Scopes<'a> = Option<(&'a Hierarchy, &'a Path)>;

/// A call's place in the hierarchy. By default, the global scope.
#[derive(Default)]
pub(crate) struct ScopeOfCall {
    /// The path of the level's static; `None` for the global scope.
    pub(crate) level: Option<TokenStream>,
    /// The id of each level, from the root down.
    pub(crate) ids: Vec<Id>,
}

impl ScopeOfCall {
    /// Whether an id is something that this argument binds.
    pub(crate) fn has(&self, arg: &Arg) -> bool {
        arg.binds().iter().any(|name| self.is_id(name))
    }

    /// Whether the scope's path has the whole argument, which is then not part of the key a second time.
    pub(crate) fn has_all_of(&self, arg: &Arg) -> bool {
        arg.is_bound_whole() && arg.binds().iter().all(|name| self.is_id(name))
    }

    fn is_id(&self, name: &Ident) -> bool {
        let mut arguments = self.ids.iter().filter_map(|id| id.argument.as_ref());
        arguments.any(|argument| same(argument, name))
    }
}

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
    let resolved = resolve(
        scope,
        hierarchy,
        &names,
        options.batch.as_ref(),
        &mut errors,
    );
    errors.finish()?;
    let Some(resolved) = resolved else {
        return Ok(found);
    };
    found.level = Some(level_path(&resolved, path));
    found.ids = resolved.ids;
    Ok(found)
}

/// The level's static, by the path through which the user reaches the module of `scopes!`.
pub(crate) fn level_path(resolved: &Resolved, module: &Path) -> TokenStream {
    let level = &resolved.level;
    quote!(#module::__levels::#level)
}
