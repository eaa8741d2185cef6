//! The attributes and macros of cacheado. Use them through the crate `cacheado`, which re-exports
//! them: what they generate calls its runtime.
//!
//! Each macro leads into a module of its own: `cache` (`#[cache]`, `#[cache_put]`), `evict`
//! (`#[cache_evict]`), `cache_impl`, `scopes` and `verbs` (`evict!` and its kin). `parse` and
//! `runtime` serve them all.

mod cache;
mod cache_impl;
mod evict;
mod parse;
mod runtime;
mod scopes;
mod verbs;

use proc_macro::TokenStream;

use self::cache::Kind;
use self::verbs::Verb;

/// Memoizes a function, sync or async, free or method.
#[proc_macro_attribute]
pub fn cache(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Cache, &attr.into(), &item.into()).into()
}

/// Always runs the function, and stores what it returns.
#[proc_macro_attribute]
pub fn cache_put(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache::attribute(Kind::Put, &attr.into(), &item.into()).into()
}

/// Evicts once the function has succeeded.
#[proc_macro_attribute]
pub fn cache_evict(attr: TokenStream, item: TokenStream) -> TokenStream {
    evict::attribute(&attr.into(), &item.into()).into()
}

/// Marks an impl block.
#[proc_macro_attribute]
pub fn cache_impl(attr: TokenStream, item: TokenStream) -> TokenStream {
    cache_impl::expand(&attr.into(), &item.into()).into()
}

/// Declares the tenant hierarchy.
#[proc_macro]
pub fn scopes(input: TokenStream) -> TokenStream {
    scopes::declare(input.into()).into()
}

/// Evicts one call.
#[proc_macro]
pub fn evict(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Evict, input.into()).into()
}

/// Looks at one call.
#[proc_macro]
pub fn peek(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Peek, input.into()).into()
}

/// Stores a value for one call.
#[proc_macro]
pub fn put(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Put, input.into()).into()
}

/// Runs the function, stores and returns.
#[proc_macro]
pub fn refresh(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Refresh, input.into()).into()
}

/// Runs the function only.
#[proc_macro]
pub fn bypass(input: TokenStream) -> TokenStream {
    verbs::expand(Verb::Bypass, input.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __expand(input: TokenStream) -> TokenStream {
    cache::detour::expand(input.into()).into()
}
