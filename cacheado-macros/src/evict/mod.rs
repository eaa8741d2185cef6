//! `#[cache_evict]`: evicts calls of cached functions, or whole scopes, around a function's body.
//!
//! What to evict is determined before the body runs, while its arguments still exist. The eviction follows once the body has
//! succeeded, or with `before` comes first.

mod expand;
mod handles;
mod options;

use proc_macro2::TokenStream;

use self::expand::expand;
pub(crate) use self::options::Evictions;
use crate::cache::boxed::future_output;
use crate::cache::fallback::with_item;
use crate::cache::signature::Function;
use crate::cache::types::find_impl_trait;
use crate::cache::{Scopes, detour};
use crate::parse::{Errors, is_key_value};

/// What the attribute and its function expand to. `scopes`: the hierarchy, once `detour` has fetched it.
pub(crate) fn attribute(attr: &TokenStream, item: &TokenStream, scopes: Scopes<'_>) -> TokenStream {
    let mut errors = Errors::default();
    let evictions = Evictions::read(attr.clone(), &mut errors);
    match errors.finish() {
        Err(_) if is_key_value(attr) => return item.clone(),
        Err(error) => return with_item(&error, item),
        Ok(()) => {}
    }
    if scopes.is_none()
        && let Some(scope) = evictions.scopes.iter().find(|scope| !scope.is_global())
    {
        return detour::fetch("evict", evictions.module.as_ref(), scope, attr, item);
    }
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_item(&error, item),
    };
    // the compiler rejects it, and says which type it should be
    if function.leaves_types_out() {
        return item.clone();
    }
    let mut errors = Errors::default();
    if let Some(error) = function.names_twice() {
        errors.push(error);
    }
    check_output(&function, &mut errors);
    let handles = evictions.handles(&function, scopes, &mut errors);
    match errors.finish() {
        Ok(()) => expand(&function, &handles, evictions.before),
        Err(error) => with_item(&error, item),
    }
}

/// Checks that the return type has a name, because the result is inspected.
fn check_output(function: &Function, errors: &mut Errors) {
    let Some(found) = find_impl_trait(&function.output) else {
        return;
    };
    let message = if future_output(&found.bounds).is_some() {
        "write `async fn` instead: what is evicted goes when the future is over"
    } else {
        "`#[cache_evict]` asks what is returned whether it is an `Err`, so name the type instead of `impl Trait`"
    };
    errors.on(found, message);
}
