//! What `scopes!` emits: a module with a function for each level, its hidden statics, and the hidden `__made_by_scopes::hierarchy!`,
//! by which an attribute that names a scope learns the hierarchy.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::Visibility;

use super::parse::{Hierarchy, Level, Module, Scopes};
use crate::runtime::Runtime;

pub(crate) fn expand(scopes: &Scopes) -> TokenStream {
    let runtime = Runtime::find();
    let hierarchy = &scopes.hierarchy;
    let default = Module {
        attrs: Vec::new(),
        vis: syn::parse_quote!(pub(crate)),
        name: Ident::new("scope", Span::call_site()),
    };
    let Module { attrs, vis, name } = scopes.module.as_ref().unwrap_or(&default);
    let doc = attrs.is_empty().then(|| {
        let docs = format!(
            "The scopes of this crate's cached functions: {}.",
            (0..hierarchy.levels.len())
                .map(|level| format!("`{}`", hierarchy.path_text(level)))
                .collect::<Vec<_>>()
                .join(", ")
        );
        quote!(#[doc = #docs])
    });
    // the contents are as visible as the module
    let inner = if is_public(vis) {
        quote!(pub)
    } else {
        quote!(pub(crate))
    };

    let functions =
        (0..hierarchy.levels.len()).map(|level| function(hierarchy, level, &inner, &runtime));
    let statics = hierarchy
        .levels
        .iter()
        .map(|level| level_static(hierarchy, level, &inner, &runtime));
    let names = hierarchy.levels.iter().map(|level| &level.name);
    let resolve = resolve_macro(hierarchy, name, vis, &runtime);
    let (scope_type, hierarchy_type) = (runtime.public("Scope"), runtime.public("Hierarchy"));
    let (global, make_hierarchy) = (
        runtime.private("global_scope"),
        runtime.private("hierarchy"),
    );
    quote! {
        #doc
        #(#attrs)*
        #[allow(dead_code, unused_imports, unused_macros, clippy::too_many_arguments)]
        #vis mod #name {
            /// The root scope, which every other one is below.
            #[must_use]
            #inner fn global() -> #scope_type {
                #global()
            }

            #(#functions)*

            /// All levels, for scopes that are named at run time: `Cache::builder().scopes(…)`.
            #[must_use]
            #inner fn hierarchy() -> #hierarchy_type {
                #make_hierarchy(&[#(&__levels::#names),*])
            }

            #[doc(hidden)]
            #[allow(non_upper_case_globals)]
            #inner mod __levels {
                #(#statics)*
            }

            #resolve
        }
    }
}

/// `pub fn user(org_id: impl ScopeId, user_id: impl ScopeId) -> Scope`
fn function(
    hierarchy: &Hierarchy,
    level: usize,
    vis: &TokenStream,
    runtime: &Runtime,
) -> TokenStream {
    let Level { docs, name, .. } = &hierarchy.levels[level];
    let path = hierarchy.path(level);
    let params: Vec<&Ident> = path.iter().map(|level| &level.param).collect();
    let doc = format!(
        "The scope of one member of `{}`.",
        hierarchy.path_text(level)
    );
    let doc = if docs.is_empty() {
        quote!(#[doc = #doc])
    } else {
        quote!(#(#docs)*)
    };
    let (scope_type, scope_id) = (runtime.public("Scope"), runtime.public("ScopeId"));
    let (scope, id_text) = (runtime.private("scope"), runtime.private("id_text"));
    quote! {
        #doc
        #[must_use]
        #vis fn #name(#(#params: impl #scope_id),*) -> #scope_type {
            #scope(&__levels::#name, [#(#id_text(&#params)),*])
        }
    }
}

fn level_static(
    hierarchy: &Hierarchy,
    level: &Level,
    vis: &TokenStream,
    runtime: &Runtime,
) -> TokenStream {
    let (ident, name, param, secret) = (&level.name, level.name(), level.param(), level.secret);
    let level_type = runtime.private("Level");
    let parent = if let Some(parent) = level.parent {
        let parent = &hierarchy.levels[parent].name;
        quote!(::core::option::Option::Some(&#parent))
    } else {
        quote!(::core::option::Option::None)
    };
    quote! {
        #vis static #ident: #level_type = #level_type::new(#name, #param, #parent, #secret);
    }
}

/// The hidden macro that adds the hierarchy to what an attribute hands it. It contains no path itself (the attribute sends the path of
/// the macro to continue with), so it works from other crates too.
fn resolve_macro(
    hierarchy: &Hierarchy,
    module: &Ident,
    vis: &Visibility,
    runtime: &Runtime,
) -> TokenStream {
    let instead = runtime.private("__instead");
    let levels = hierarchy.tokens();
    let name = format_ident!("__cacheado_resolve_{module}");
    // only an exported macro can be re-exported as `pub`
    let (export, vis) = if is_public(vis) {
        (quote!(#[macro_export]), quote!(pub))
    } else {
        (TokenStream::new(), quote!(pub(crate)))
    };
    quote! {
        #[doc(hidden)]
        #vis mod __made_by_scopes {
            #[doc(hidden)]
            #export
            macro_rules! #name {
                ([$($expand:tt)*] $($rest:tt)*) => {
                    $($expand)* ! { [#levels] $($rest)* }
                };
            }
            #vis use #name as hierarchy;
            #vis use #instead as instead;
        }
    }
}

fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}
