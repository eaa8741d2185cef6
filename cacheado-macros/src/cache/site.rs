//! A function's identity: the static of the item, and what distinguishes its instantiations.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, ExprLit, GenericParam, Generics, Lit};

use super::companions;
use super::key;
use super::options::SingleFlight;
use super::plan::{Place, Plan, place};
use super::signature::{Function, extended, turbofish, type_and_const_params};
use super::ttl::Ttl;
use crate::parse::ends;
use crate::runtime::at;

/// The call's `&'static Function`.
pub(crate) fn site(plan: &Plan) -> TokenStream {
    if plan.place == Place::Bare {
        let site = site_static(plan);
        return quote!({ #site });
    }
    site_call(plan)
}

/// The static of the item, and the call's instance of it.
fn site_static(plan: &Plan) -> TokenStream {
    let Plan {
        runtime,
        options,
        function,
        ..
    } = plan;
    let site = runtime.private("Site");
    let (line, column) = position(function.sig.ident.span());
    let method = (place(function, options.block) != Place::Free).then(|| quote!(.method()));
    let target = target().map(|target| quote!(.target(#target)));
    let args = key::names(function, options, &plan.scope);
    let explicit = options
        .name
        .as_ref()
        .map(|name| quote!(.name(#name, &[#(#args),*])));
    let version = options
        .version
        .as_ref()
        .map(|version| quote!(.version(#version)));
    let level = plan.scope.level.as_ref();
    let level = level.map(|level| quote!(.level(&#level)));
    let max_items = options.max_items.as_ref().map(|most| {
        let (first, _) = ends(most, Span::mixed_site());
        let first = at(first);
        let number = quote!(::core::primitive::i128);
        // the constant may be of any integer type: `| 0` accepts every integer, and rejects what has no `|`, such as a fraction. A
        // literal is of the type that it is cast to, but would be an `i32` beside another literal
        let most = match most {
            Expr::Lit(ExprLit { lit: Lit::Int(_), .. }) => quote_spanned!(first=> (#most) as #number),
            _ => quote_spanned!(first=> ((#most) | 0) as #number),
        };
        let check = quote_spanned!(first=> ::core::assert!(__CACHEADO_MOST > 0, "`max_items` is at least 1"));
        quote!(.max_items({ const __CACHEADO_MOST: #number = #most; #check; __CACHEADO_MOST }))
    });
    let flight = match &options.single_flight {
        SingleFlight::Process => None,
        SingleFlight::Off => Some(quote!(.without_single_flight())),
        SingleFlight::Cluster(_) => Some(quote!(.single_flight_in_cluster())),
    };
    let ttl = match &options.ttl {
        Some(Ttl::Fixed(ttl)) => {
            let (seconds, nanos) = (ttl.as_secs(), ttl.subsec_nanos());
            Some(quote!(.ttl(#seconds, #nanos)))
        }
        _ => None,
    };
    let aging = options.aging.site(plan.owned);
    // the item's own type, if there is one; else that of a closure, which has every generic parameter of the function and of the impl
    // around it
    let is_one = plan.place == Place::Free
        && type_and_const_params(&all_generics(function))
            .next()
            .is_none();
    let identity = if is_one {
        quote!(__CACHEADO_SITE.function::<Self>())
    } else {
        instance_of(plan)
    };
    quote! {
        // items declared in a body inherit no generic parameters, so this path shows those of the impl as they were written
        enum __Item {}
        static __CACHEADO_SITE: #site = #site::new(
            ::core::module_path!(), ::core::any::type_name::<__Item>, #line, #column
        )
            #method #target #explicit #version #level #max_items #flight #ttl #aging;
        #identity
    }
}

/// The instance, identified by a closure inside the item. With an explicit name, the types with which the item is instantiated matter
/// as well, if all of them can be named.
fn instance_of(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let has_names = plan.place != Place::Bare
        || function
            .named_types()
            .iter()
            .all(|(_, added)| added.is_empty());
    if plan.options.name.is_none() || !has_names {
        return quote!(__CACHEADO_SITE.instance_of(&|| ()));
    }
    let marker = quote!(::core::marker::PhantomData);
    let of = (place(function, plan.options.block) != Place::Free).then(|| quote!(#marker<Self>));
    let args = all_generics(function);
    let args = args.type_params().map(|param| &param.ident);
    quote!(__CACHEADO_SITE.named_instance_of::<(#of), (#(#marker<#args>,)*), _>(&|| ()))
}

/// What is being compiled, unless it is a library: going by the crate's name alone, its functions could be taken for the library's.
/// Only Cargo tells what it is.
fn target() -> Option<&'static str> {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    if is_set("CARGO_BIN_NAME") {
        return Some("bin");
    }
    // a test or benchmark usually has another name than the library, so its paths are its own
    let of_package = std::env::var("CARGO_PKG_NAME").map(|name| name.replace('-', "_"));
    let is_namesake = of_package.is_ok() && of_package == std::env::var("CARGO_CRATE_NAME");
    (is_set("CARGO_TARGET_TMPDIR") && is_namesake).then_some("test")
}

/// Line and column in the source; zero outside of the compiler.
fn position(span: Span) -> (u32, u32) {
    if !proc_macro::is_available() {
        return (0, 0);
    }
    let span = span.unwrap();
    let number = |number: usize| u32::try_from(number).unwrap_or(0);
    (number(span.line()), number(span.column()))
}

/// The companion `site`, which identifies the instantiation by its type and const parameters.
pub(crate) fn companion(plan: &Plan) -> Vec<TokenStream> {
    let (function, runtime) = (&plan.function, &plan.runtime);
    let name = companions::name(plan.place, "site", &function.sig.ident);
    let generics = all_generics(function);
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
    let vis = companions::visibility(function, plan.place);
    let function_type = runtime.private("Function");
    let (body, lints) = (site_static(plan), companions::allowed(function));
    vec![quote! {
        #[inline]
        #(#lints)*
        #vis fn #name<#(#params),*>() -> &'static #function_type {
            #body
        }
    }]
}

/// A call of `site`, from a companion in which all parameters have names.
fn site_call(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let name = companions::name(plan.place, "site", &function.sig.ident);
    let turbofish = turbofish(&all_generics(function));
    quote!(Self::#name #turbofish())
}

/// The function's own parameters, and one for each `impl Trait`.
fn all_generics(function: &Function) -> Generics {
    let types = function.named_types().iter();
    let added = types.flat_map(|(_, added)| added.iter().cloned());
    extended(&function.sig.generics, added)
}
