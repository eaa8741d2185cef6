//! The heart of what is generated: look the call up; on a miss, run the body and store what it gives.
//!
//! Every local has a name of its own (`__cacheado_…`, and the macro's hygiene), so arguments may be
//! called whatever they like. The body stands in it once, as its author wrote it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, ReturnType, Type};

use super::decide::{self, Decide};
use super::plan::Plan;
use super::signature::Flavor;
use super::site;
use crate::parse::{ends, start};
use crate::runtime::{Runtime, at};

fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The body of the cached function. `mode` is an expression of the mode it was called with.
pub(crate) fn body(plan: &Plan, mode: &TokenStream) -> TokenStream {
    let function = &plan.function;
    let (output, body) = (&function.output, &function.body);
    let load_async = |body: &TokenStream| {
        let typed = typed_return(output, function.sig.ident.span());
        look(plan, mode, |pending, closure| {
            let body = quote!(async move { #typed #body });
            let wait = quote_spanned!(at(output_span(plan).1)=> .await);
            over_output(plan, "load_async", (pending, closure, &body), &wait)
        })
    };
    match &function.flavor {
        Flavor::Sync => look(plan, mode, |pending, closure| {
            let body = quote!(|| -> #output { #body });
            over_output(plan, "load", (pending, closure, &body), &TokenStream::new())
        }),
        Flavor::Async => load_async(body),
        Flavor::Boxed(boxed) => boxed.with_body(&load_async(&boxed.body())),
    }
}

/// A call of a method of `Pending`, spelled so that an error about the value's type underlines the
/// return type, as the one of [`carry`] does: the same error at the same place is shown once.
fn over_output(
    plan: &Plan,
    method: &str,
    (pending, closure, body): (&Ident, &TokenStream, &TokenStream),
    then: &TokenStream,
) -> TokenStream {
    let (first, last) = output_span(plan);
    let pending_type = plan.runtime.private_at("Pending", first);
    let (first, last) = (at(first), at(last));
    let method = Ident::new(method, last);
    let path = quote_spanned!(first=> <#pending_type<_, _>>);
    let identity = quote_spanned!(first=> ::core::convert::identity);
    let pending = quote_spanned!(last=> (#pending));
    let args = quote!(#identity #pending, #closure, #body);
    let call = quote_spanned!(last=> ::#method(#args) #then);
    quote!(#path #call)
}

fn look(
    plan: &Plan,
    mode: &TokenStream,
    load: impl FnOnce(&Ident, &TokenStream) -> TokenStream,
) -> TokenStream {
    let (any_kind, looked) = (plan.runtime.private("AnyKind"), local("__cacheado_looked"));
    let (hit, pending) = (local("__cacheado_hit"), local("__cacheado_pending"));
    let (function, asked) = (local("__cacheado_function"), local("__cacheado_asked"));
    let (look, site, carry) = (
        look_fn(plan),
        site::site(plan),
        carry(plan, &plan.function.output),
    );
    let bindings = plan.key_bindings.iter().flatten();
    let mode = with_bypass(plan, mode);
    let cache = cache(&plan.runtime, plan.options.cache.as_ref());
    let (ids, parts) = (ids(plan), &plan.key.references);
    let rebind = rebind(plan);
    let Decide { prelude, closure } = decide::borrowed(plan);
    let load = load(&pending, &closure);
    quote! {
        // a statement of its own: nothing that is borrowed here lives on while the body runs
        #[allow(clippy::used_underscore_binding)]
        let #looked = {
            use #any_kind as _;
            #look
            let #function = #site;
            #(#bindings)*
            let #asked = #mode;
            let #looked = __cacheado_look(
                #function, #carry, #asked, #cache, &[#(#ids),*], #(#parts),*
            );
            #looked
        };
        match #looked {
            ::core::result::Result::Ok(#hit) => #hit,
            ::core::result::Result::Err(#pending) => {
                #(#rebind)*
                #prelude
                #load
            }
        }
    }
}

/// `Function::look` behind a function that is generic over the key's parts: that a part can be
/// serialized is asked where it is handed over, and nowhere else, so that it is one error if it can't.
fn look_fn(plan: &Plan) -> TokenStream {
    let Plan { runtime, key, .. } = plan;
    let (names, types, tuple) = (key.names(), key.types(), key.tuple());
    let (function, carry) = (runtime.private("Function"), runtime.private("Carry"));
    let (mode, cache) = (runtime.private("Mode"), runtime.public("Cache"));
    let (id, pending) = (runtime.public("IdText"), runtime.private("Pending"));
    let (key_part, outcome) = (runtime.private("KeyPart"), runtime.private("Outcome"));
    let value = runtime.private("Value");
    quote! {
        #[inline]
        #[allow(clippy::too_many_arguments)]
        fn __cacheado_look<R, K, #(#types: #key_part + ?::core::marker::Sized),*>(
            function: &'static #function,
            carry: #carry<R, K>,
            mode: #mode,
            cache: &#cache,
            ids: &[#id<'_>],
            #(#names: &#types),*
        ) -> ::core::result::Result<R, #pending<R, K>>
        where
            K: #outcome<R>,
            K::Stored: #value,
        {
            function.look(carry, mode, cache, ids, &#tuple)
        }
    }
}

/// A handle on what is asked for by a verb or an eviction: it owns its key.
pub(crate) fn call(plan: &Plan, output: &Type, decide: &Decide) -> TokenStream {
    let any_kind = plan.runtime.private("AnyKind");
    let (call, site, carry) = (call_fn(plan), site::site(plan), carry(plan, output));
    let bindings = plan.key_bindings.iter().flatten();
    let cache = cache(&plan.runtime, plan.options.cache.as_ref());
    let (ids, parts) = (ids(plan), &plan.key.references);
    let Decide { prelude, closure } = decide;
    quote! {
        use #any_kind as _;
        #call
        #(#bindings)*
        #prelude
        __cacheado_call(#site, #carry, #cache, &[#(#ids),*], #closure, #(#parts),*)
    }
}

/// `Function::call` behind a function, as [`look_fn`] has it.
fn call_fn(plan: &Plan) -> TokenStream {
    let Plan { runtime, key, .. } = plan;
    let (names, types, tuple) = (key.names(), key.types(), key.tuple());
    let (function, carry) = (runtime.private("Function"), runtime.private("Carry"));
    let (cache, id) = (runtime.public("Cache"), runtime.public("IdText"));
    let (key_part, outcome) = (runtime.private("KeyPart"), runtime.private("Outcome"));
    let (value, decision) = (runtime.private("Value"), runtime.private("Decision"));
    let (call, driver) = (
        runtime.private("Call"),
        driver(runtime, &plan.function.flavor),
    );
    quote! {
        #[inline]
        #[allow(clippy::too_many_arguments)]
        fn __cacheado_call<R, K, #(#types: #key_part + ?::core::marker::Sized),*>(
            function: &'static #function,
            carry: #carry<R, K>,
            cache: &#cache,
            ids: &[#id<'_>],
            decide: impl ::core::ops::FnOnce(&K::Stored) -> #decision + ::core::marker::Send + 'static,
            #(#names: &#types),*
        ) -> #call<R, #driver>
        where
            K: #outcome<R>,
            K::Stored: #value,
        {
            function.call(#driver, carry, cache, ids, &#tuple, decide)
        }
    }
}

/// `Blocking` or `Async`.
pub(crate) fn driver(runtime: &Runtime, flavor: &Flavor) -> TokenStream {
    runtime.private(match flavor {
        Flavor::Sync => "Blocking",
        Flavor::Async | Flavor::Boxed(_) => "Async",
    })
}

/// Where errors about the return type show, its first and last token; without one, the function's
/// name.
fn output_span(plan: &Plan) -> (Span, Span) {
    let name = plan.function.sig.ident.span();
    let (first, last) = match &plan.function.sig.output {
        ReturnType::Default => (name, name),
        ReturnType::Type(..) => ends(&plan.function.output, name),
    };
    match plan.function.flavor {
        Flavor::Sync => (first, last),
        // an `.await` shows its error at one token, so all of them show there
        Flavor::Async | Flavor::Boxed(_) => (first, first),
    }
}

/// How the value travels, decided by the return type; `AnyKind` has to be in scope. Every error about
/// the value underlines the type: the same error at the same place is shown once.
fn carry(plan: &Plan, output: &Type) -> TokenStream {
    let (first, last) = output_span(plan);
    let kind = kind(&plan.runtime, output, (first, last));
    let carry = if plan.options.local {
        "local"
    } else {
        "portable"
    };
    let carry = plan.runtime.private_at(carry, first);
    let last = at(last);
    let argument = quote_spanned!(last=> (#kind));
    quote!(#carry #argument)
}

/// The expression of what is stored of a return type; `AnyKind` has to be in scope. Its first and
/// last token are spelled at the type's, so that an error underlines the type.
pub(crate) fn kind(runtime: &Runtime, output: &Type, (first, last): (Span, Span)) -> TokenStream {
    let probe = runtime.private_at("Probe", first);
    let last = at(last);
    let kind = quote_spanned!(last=> .kind());
    quote!(#probe::<#output>::new() #kind)
}

fn with_bypass(plan: &Plan, mode: &TokenStream) -> TokenStream {
    let Some(bypass) = &plan.options.bypass else {
        return mode.clone();
    };
    let (modes, flag) = (plan.runtime.private("Mode"), local("__cacheado_bypass"));
    quote! {{
        let #flag: ::core::primitive::bool = #bypass;
        if #flag { #modes::Bypass } else { #mode }
    }}
}

/// A reference to the cache.
pub(crate) fn cache(runtime: &Runtime, cache: Option<&Expr>) -> TokenStream {
    if let Some(cache) = cache {
        let span = at(start(cache));
        quote_spanned!(span=> (#cache).__handle())
    } else {
        let default = runtime.private("default_cache");
        quote!(#default())
    }
}

/// The text of each id of the scope.
fn ids(plan: &Plan) -> impl Iterator<Item = TokenStream> {
    plan.scope.ids.iter().map(|id| id_text(&plan.runtime, id))
}

pub(crate) fn id_text(runtime: &Runtime, id: &Expr) -> TokenStream {
    let first = start(id);
    let id_text = runtime.private_at("id_text", first);
    let span = at(first);
    if matches!(id, Expr::Path(_)) {
        quote_spanned!(span=> #id_text(&#id))
    } else {
        quote_spanned!(span=> #id_text(&(#id)))
    }
}

/// Binds the patterns that the body expects.
fn rebind(plan: &Plan) -> impl Iterator<Item = TokenStream> {
    let args = plan.function.args.iter().zip(&plan.key_bindings);
    args.filter(|(arg, _)| arg.rebind).map(|(arg, in_key)| {
        let (pat, name) = (&arg.pat, &arg.name);
        // what only the key needs is not unused
        let allow = in_key.as_ref().map(|_| quote!(#[allow(unused_variables)]));
        quote!(#allow let #pat = #name;)
    })
}

/// A statement that never runs, but tells an `async` block the type that `return` and `?` give.
pub(crate) fn typed_return(output: &Type, name: Span) -> TokenStream {
    let (first, _) = ends(output, name);
    let span = at(first);
    let never = Ident::new("__cacheado_return", span);
    quote_spanned! {span=>
        #[allow(
            unknown_lints, unreachable_code, clippy::diverging_sub_expression, clippy::empty_loop,
            clippy::let_unit_value, clippy::let_with_type_underscore, clippy::needless_return,
            clippy::unreachable
        )]
        if false {
            let #never: #output = loop {};
            return #never;
        }
    }
}
