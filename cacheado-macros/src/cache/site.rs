//! A function's identity: the static of the item, and what tells one instantiation of it from another.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::GenericParam;

use super::companions;
use super::plan::{Place, Plan};
use super::signature::{extended, turbofish, type_and_const_params};
use crate::parse::ends;
use crate::runtime::at;

/// The call's `&'static Function`.
pub(crate) fn site(plan: &Plan) -> TokenStream {
    if plan.place == Place::Method {
        let site = site_static(plan);
        return quote!({ #site });
    }
    site_call(plan)
}

/// The static of the item, and its identity: the type of a closure that is written in the item, so
/// that it has every generic parameter of the function and of the impl around it.
fn site_static(plan: &Plan) -> TokenStream {
    let Plan {
        runtime,
        options,
        function,
        ..
    } = plan;
    let option = |value: Option<TokenStream>| {
        value.map_or_else(
            || quote!(::core::option::Option::None),
            |value| quote!(::core::option::Option::Some(#value)),
        )
    };
    let (site, spec) = (runtime.private("Site"), runtime.private("SiteSpec"));
    let name = function.name();
    let (line, column) = position(function.sig.ident.span());
    let method = plan.place != Place::Free;
    let explicit = option(options.name.as_ref().map(ToTokens::to_token_stream));
    let version = options
        .version
        .as_ref()
        .map_or_else(|| quote!(0), ToTokens::to_token_stream);
    let level = option(plan.scope.level.as_ref().map(|level| quote!(&#level)));
    let max_items = option(options.max_items.as_ref().map(|most| {
        let (first, _) = ends(most, Span::mixed_site());
        let first = at(first);
        let check = quote_spanned!(first=> ::core::assert!(MOST > 0, "`max_items` is at least 1"));
        quote!({ const MOST: ::core::primitive::usize = #most; #check; MOST })
    }));
    let single_flight = !options.no_single_flight;
    quote! {
        static SITE: #site = #site::new(#spec {
            module: ::core::module_path!(),
            function: #name,
            line: #line,
            column: #column,
            method: #method,
            name: #explicit,
            version: #version,
            level: #level,
            max_items: #max_items,
            single_flight: #single_flight,
        });
        SITE.function(&|| ())
    }
}

/// Line and column in the source; zero outside a compiler.
fn position(span: Span) -> (u32, u32) {
    if !proc_macro::is_available() {
        return (0, 0);
    }
    let span = span.unwrap();
    let number = |number: usize| u32::try_from(number).unwrap_or(0);
    (number(span.line()), number(span.column()))
}

/// The companion `site`, which knows the instantiation by its type and const parameters.
pub(crate) fn companion(plan: &Plan) -> Vec<TokenStream> {
    let (function, runtime) = (&plan.function, &plan.runtime);
    let name = companions::name(plan.place, "site", &function.sig.ident);
    let added = function
        .named_types()
        .into_iter()
        .flat_map(|(_, added)| added);
    let generics = extended(&function.sig.generics, added);
    let params = type_and_const_params(&generics).map(|param| match param {
        GenericParam::Type(ty) => {
            let name = &ty.ident;
            quote!(#name: ?::core::marker::Sized)
        }
        GenericParam::Const(constant) => {
            let (name, ty) = (&constant.ident, &constant.ty);
            quote!(const #name: #ty)
        }
        GenericParam::Lifetime(_) => TokenStream::new(),
    });
    let (vis, function_type) = (&function.vis, runtime.private("Function"));
    let body = site_static(plan);
    vec![quote! {
        #[inline]
        #[allow(clippy::all, clippy::pedantic, clippy::nursery)]
        #vis fn #name<#(#params),*>() -> &'static #function_type {
            #body
        }
    }]
}

/// A call of `site`, from a companion that knows the names of all parameters.
fn site_call(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let name = companions::name(plan.place, "site", &function.sig.ident);
    let added = function
        .named_types()
        .into_iter()
        .flat_map(|(_, added)| added);
    let turbofish = turbofish(&extended(&function.sig.generics, added));
    quote!(Self::#name #turbofish())
}
