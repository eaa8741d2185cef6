//! `#[cache]` and `#[cache_put]`: from the attribute's tokens to the generated function.
//!
//! This file only chains the stages. `options` and `signature` parse. `check`, `reach` and `check_scoped` reject mistakes. `plan`
//! combines the results. `expand` and `companions` generate code, and `fallback` does so after an error. An attribute that names a
//! scope takes a detour through the module that `scopes!` generated, which adds the hierarchy (see `detour`).

mod aging;
pub(crate) mod argument;
mod batch;
pub(crate) mod boxed;
mod check;
mod check_scoped;
pub(crate) mod companions;
mod decide;
pub(crate) mod detour;
mod duration;
pub(crate) mod expand;
pub(crate) mod fallback;
mod key;
pub(crate) mod look;
pub(crate) mod options;
mod owned;
mod plan;
mod reach;
mod renamed_self;
mod scope;
pub(crate) mod scope_option;
mod secret;
pub(crate) mod signature;
mod site;
mod ttl;
pub(crate) mod types;
pub(crate) mod values;

use proc_macro2::{Span, TokenStream};
use syn::Error;

use self::options::Options;
pub(crate) use self::plan::Kind;
use self::scope::scope_of_call;
pub(crate) use self::scope::{Scopes, level_path};
use self::signature::{Flavor, Function};
use crate::parse::{Errors, is_key_value};

/// What the attribute and its function expand to. `scopes`: the hierarchy, once `detour` has fetched it.
pub(crate) fn attribute(
    kind: Kind,
    attr: &TokenStream,
    item: &TokenStream,
    scopes: Scopes<'_>,
) -> TokenStream {
    let (options, mut errors) = Options::read(attr.clone());
    if scopes.is_none()
        && errors.is_empty()
        && let Some(scope) = options.scope.as_ref().filter(|scope| !scope.is_global())
    {
        return detour::fetch(kind.word(), options.scopes.as_ref(), scope, attr, item);
    }
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return fallback::with_item(&error, item),
    };
    if function.is_written_here() {
        let message =
            "this function is cached already: `#[cache]` or `#[cache_put]` stands on it once";
        return fallback::with_item(&Error::new(Span::call_site(), message), item);
    }
    check::check(&function, &options, &mut errors);
    reach::check(&function, &options, &mut errors);
    if let (Kind::Put, Flavor::Boxed(boxed)) = (kind, &function.flavor) {
        boxed.check_put(&mut errors);
    }
    batch::check(kind, &function, &options, &mut errors);
    aging::check(kind, &function, &options, &mut errors);
    owned::check(kind, &function, &options, &mut errors);
    if let Err(error) = errors.finish() {
        let error = Some(error).filter(|_| !is_key_value(attr));
        return fallback::with_stubs(error.as_ref(), item, function, &options);
    }
    if function.leaves_types_out() {
        return fallback::with_stubs(None, item, function, &options);
    }
    let scope = scope_of_call(&function, &options, scopes).and_then(|scope| {
        let mut errors = Errors::default();
        check_scoped::check(kind, &function, &options, &scope, &mut errors);
        errors.finish().map(|()| scope)
    });
    match scope {
        Ok(scope) => expand::expand(&plan::plan(kind, function, options, scope)),
        Err(error) => fallback::with_stubs(Some(&error), item, function, &options),
    }
}

/// The function as it was written, with stand-ins for its companions.
fn as_written(attr: &TokenStream, item: &TokenStream) -> TokenStream {
    match syn::parse2(item.clone()) {
        Ok(function) => {
            let (options, _) = Options::read(attr.clone());
            fallback::with_stubs(None, item, function, &options)
        }
        Err(_) => item.clone(),
    }
}
