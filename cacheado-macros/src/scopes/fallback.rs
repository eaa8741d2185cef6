//! What `scopes!` emits after an error: the message, and a module for the functions that name a scope, so that they don't add an error
//! each. Their stand-ins stay, so their calls and the verbs compile, too.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Error;

use crate::runtime::Runtime;

pub(super) fn with_module(error: &Error, input: TokenStream) -> TokenStream {
    let runtime = Runtime::find();
    let name = module(input).unwrap_or_else(|| Ident::new("scope", Span::call_site()));
    let (scope_type, hierarchy_type) = (runtime.public("Scope"), runtime.public("Hierarchy"));
    let (global, hierarchy) = (
        runtime.private("global_scope"),
        runtime.private("hierarchy"),
    );
    let instead = runtime.private("__instead_of_wrong_scopes");
    let error = error.to_compile_error();
    quote! {
        #error
        #[allow(dead_code, unused_imports, unused_macros)]
        pub(crate) mod #name {
            pub(crate) fn global() -> #scope_type { #global() }
            pub(crate) fn hierarchy() -> #hierarchy_type { #hierarchy(&[]) }
            pub(crate) mod __made_by_scopes {
                macro_rules! __cacheado_resolve_nothing { ($($rest:tt)*) => {}; }
                pub(crate) use __cacheado_resolve_nothing as hierarchy;
                pub(crate) use #instead as instead;
            }
        }
    }
}

/// The name in `mod name;`.
fn module(input: TokenStream) -> Option<Ident> {
    let mut tokens = input.into_iter();
    let is_mod = |tree: &TokenTree| matches!(tree, TokenTree::Ident(word) if word == "mod");
    tokens.find(is_mod)?;
    match tokens.next()? {
        TokenTree::Ident(name) => Some(name),
        _ => None,
    }
}
