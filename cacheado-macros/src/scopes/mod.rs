//! `scopes!`: the tenant hierarchy, what the macro emits, and how a function's scope is found in it.

mod expand;
mod fallback;
mod mistakes;
pub(crate) mod parse;
pub(crate) mod resolve;

use proc_macro2::TokenStream;

/// The macro as the compiler calls it.
pub(crate) fn declare(input: TokenStream) -> TokenStream {
    match syn::parse2(input.clone()) {
        Ok(scopes) => expand::expand(&scopes),
        Err(error) => fallback::with_module(&error, input),
    }
}
