//! The core of the generated code: look the call up, and on a miss, run the body and store its result.
//!
//! Every local has a name of its own (`__cacheado_…`, plus the macro's hygiene), so arguments may have any names. The code contains
//! the body once, as its author wrote it.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Expr, ReturnType, Type};

use super::decide::{self, Decide};
use super::owned::{self, Keeping};
use super::plan::Plan;
use super::signature::Flavor;
use super::site;
use crate::parse::{ends, start};
use crate::runtime::{Runtime, at, local};

/// The body of the cached function. `mode` is the expression for the mode in which it was called.
pub(crate) fn body(plan: &Plan, mode: &TokenStream) -> TokenStream {
    let function = &plan.function;
    let (output, body) = (&function.output, &function.body);
    let load_async = |body: &TokenStream| {
        let typed = typed_return(output, function.sig.ident.span());
        let load = if plan.owned {
            let Keeping { keep, lend } = owned::around_body(plan, body);
            let body = owned::without_self(plan, body);
            let body = apart(&body);
            let body = quote!(move || async move { #typed #lend #body });
            // it makes the same demands on the return type as the call before it, with the same spans, so that the user sees one error
            let first = at(output_span(plan).0);
            let load = load(
                plan,
                "load_owned_async",
                &body,
                &quote_spanned!(first=> .await),
            );
            quote!({ #keep #load })
        } else {
            let body = headed(&typed, body);
            let body = quote!(move || async move #body);
            load(plan, "load_async", &body, &quote!(.await))
        };
        look(plan, mode, &load)
    };
    match &function.flavor {
        Flavor::Sync if plan.owned => {
            let Keeping { keep, lend } = owned::around_body(plan, body);
            let body = apart(&owned::without_self(plan, body));
            let body = quote!(move || -> #output { #lend #body });
            let load = load(plan, "load_owned", &body, &TokenStream::new());
            look(plan, mode, &quote!({ #keep #load }))
        }
        Flavor::Sync => {
            let body = quote!(|| -> #output #body);
            look(plan, mode, &load(plan, "load", &body, &TokenStream::new()))
        }
        Flavor::Async => load_async(body),
        Flavor::Boxed(boxed) => boxed.with_body(&load_async(&boxed.body())),
    }
}

/// A body in its own braces, with `head` at its beginning. The braces keep their edition, which decides when the temporaries of the
/// last expression are dropped.
pub(crate) fn headed(head: &TokenStream, body: &TokenStream) -> TokenStream {
    let braces = body.clone().into_iter().map(|tree| match tree {
        TokenTree::Group(braces) => {
            let inside = braces.stream();
            let mut headed = Group::new(braces.delimiter(), quote!(#head #inside));
            headed.set_span(braces.span());
            TokenTree::Group(headed)
        }
        tree => tree,
    });
    braces.collect()
}

/// A body in its own braces, to be put after the code that binds its arguments, so that these outlive everything in it. A lint would
/// call the braces alone unnecessary.
pub(crate) fn apart(body: &TokenStream) -> TokenStream {
    quote!(match () { () => #body })
}

/// The call that runs the body on a miss and handles its result.
pub(crate) fn load(
    plan: &Plan,
    method: &str,
    body: &TokenStream,
    then: &TokenStream,
) -> TokenStream {
    // demands on the return type are reported where it is written, a place that the compiler derives from the spans of all of these
    let span = at(output_span(plan).0);
    let pending = Ident::new("__cacheado_pending", span);
    let decide = if plan.owned {
        decide::kept(plan)
    } else {
        decide::borrowed(plan)
    };
    let Some(Decide { prelude, closure }) = decide else {
        let method = Ident::new(method, span);
        let args = quote_spanned!(span=> (#body));
        return quote!(#pending.#method #args #then);
    };
    let method = Ident::new(&format!("{method}_if"), span);
    let args = quote_spanned!(span=> (#closure, #body));
    quote!({ #prelude #pending.#method #args #then })
}

fn look(plan: &Plan, mode: &TokenStream, load: &TokenStream) -> TokenStream {
    let (looked, hit) = (local("__cacheado_looked"), local("__cacheado_hit"));
    let pending = local("__cacheado_pending");
    let carry = with_errors(plan, carry(plan, &plan.function.output, VALUE, None));
    let site = site::site(plan);
    let bindings: Vec<_> = plan.bindings().flatten().collect();
    let mode = with_bypass(plan, mode);
    let cache = cache(&plan.runtime, plan.options.cache.as_ref());
    let (ids, parts) = (ids(plan), &plan.key.0);
    let storage = if plan.options.aging.ages() {
        plan.runtime.private("WithAge")
    } else {
        plan.runtime.private("Bare")
    };
    let args = quote!(#ids, #storage, #site, #carry, #mode, #cache, #(#parts),*);
    let look = at_output(plan, &format!("look{}", parts.len()), &args);
    let look = quote!(let #looked = #look;);
    let look = if bindings.is_empty() {
        look
    } else {
        quote!(let #looked = { #(#bindings)* #look #looked };)
    };
    // a body that may outlive the call binds its own
    let rebind = rebind(plan).filter(|_| !plan.owned);
    let allow = plan.function.allow_underscores();
    let (fails, times_out, tells) = (or_fail(plan), or_time_out(plan), telling(plan));
    quote! {
        // a statement of its own, so that nothing that is borrowed here lives on while the body runs
        #allow
        #look
        match #looked {
            ::core::result::Result::Ok(#hit) => #hit,
            ::core::result::Result::Err(#pending) => {
                #fails
                #times_out
                #tells
                #(#rebind)*
                #load
            }
        }
    }
}

/// Makes the call return a failure of the shared tier, if the options say so.
fn or_fail(plan: &Plan) -> Option<TokenStream> {
    let fails = plan.options.fails.as_ref()?;
    Some(pending_by(plan, "or_fail", fails.span()))
}

/// Makes the call return an error if the body takes too long, if the options say so.
fn or_time_out(plan: &Plan) -> Option<TokenStream> {
    let given = plan.options.aging.hard_timeout.as_ref()?;
    Some(pending_by(plan, "or_time_out", given.span))
}

/// Passes the pending call through a runtime function. An error about the return type underlines the `option`.
fn pending_by(plan: &Plan, function: &str, option: Span) -> TokenStream {
    let function = plan.runtime.private_at(function, option);
    let span = at(option);
    let pending = Ident::new("__cacheado_pending", span);
    quote_spanned!(span=> let #pending = #function(#pending);)
}

/// Has errors traced that are not returned. There may be some where the body can run in the background.
fn telling(plan: &Plan) -> Option<TokenStream> {
    let (tell, pending) = (plan.runtime.private("Tell"), local("__cacheado_pending"));
    let output = &plan.function.output;
    plan.owned
        .then(|| quote!(let #pending = #pending.telling(#tell::<#output>::new().how());))
}

/// Has errors stored as well, if the options say so. An error about the return type underlines the option.
fn with_errors(plan: &Plan, carry: TokenStream) -> TokenStream {
    let Some(given) = &plan.options.aging.err_ttl else {
        return carry;
    };
    let span = at(given.span);
    let with_errors = plan.runtime.private_at("with_errors", given.span);
    let without = Ident::new("__cacheado_without", span);
    quote_spanned!(span=> { let #without = #carry; #with_errors(#without) })
}

/// A handle for a verb or an eviction. It owns its key. `decide` determines what becomes of a value that is put.
pub(crate) fn call(plan: &Plan, output: &Type, decide: Option<&Decide>) -> TokenStream {
    let (site, carry) = (site::site(plan), carry(plan, output, VALUE, None));
    let bindings = plan.key_bindings.iter().flatten();
    let cache = cache(&plan.runtime, plan.options.cache.as_ref());
    let (ids, parts) = (ids(plan), &plan.key.0);
    let args = quote!(#site, #carry, #cache, #ids, #(#parts),*);
    let call = at_output(plan, &format!("call{}", parts.len()), &args);
    match decide {
        None => quote!(#(#bindings)* #call),
        Some(Decide { prelude, closure }) => {
            quote!(#(#bindings)* #prelude #call.deciding(#carry, #closure))
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

/// The spans of the first and the last token of the return type, where errors about it are reported. Without a return type: the span
/// of the function's name.
fn output_span(plan: &Plan) -> (Span, Span) {
    let name = plan.function.sig.ident.span();
    let (first, last) = match &plan.function.sig.output {
        ReturnType::Default => (name, name),
        ReturnType::Type(..) => ends(&plan.function.output, name),
    };
    match plan.function.flavor {
        Flavor::Sync => (first, last),
        // an `.await` reports its error at one token, so all of them are reported there
        Flavor::Async | Flavor::Boxed(_) => (first, first),
    }
}

/// A call of a runtime function. What it demands of the value is reported with the same spans as in `carry`, so that the user sees one
/// error.
fn at_output(plan: &Plan, function: &str, args: &TokenStream) -> TokenStream {
    let (first, last) = output_span(plan);
    let function = plan.runtime.private_at(function, first);
    let args = quote_spanned!(at(last)=> (#args));
    quote!(#function #args)
}

/// How a value is carried: in the process only, or out of it as well.
const VALUE: [&str; 2] = ["local", "portable"];

/// The expression for how the value is carried: one of two `ways`. It depends on the return type, which an error about the value
/// underlines, and on what the value is `of`.
pub(crate) fn carry(
    plan: &Plan,
    output: &Type,
    ways: [&str; 2],
    of: Option<TokenStream>,
) -> TokenStream {
    let (first, last) = output_span(plan);
    let kind = kind(&plan.runtime, output, (first, last));
    let [local, portable] = ways;
    let carry = if plan.options.local { local } else { portable };
    let carry = plan.runtime.private_at(carry, first);
    let last = at(last);
    let of = of.map(|of| quote!(#of,));
    let argument = quote_spanned!(last=> (#of #kind));
    quote!(#carry #argument)
}

/// The expression for what is stored of a return type. Its first and last token have the spans of the type's, so that an error
/// underlines the type.
pub(crate) fn kind(runtime: &Runtime, output: &Type, (first, last): (Span, Span)) -> TokenStream {
    let probe = runtime.private_at("Probe", first);
    let last = at(last);
    let kind = quote_spanned!(last=> .__kind());
    quote!(#probe::<#output>::new() #kind)
}

/// A statement that does nothing, and that does not compile if what is returned is a future, whose outcome is not known yet.
pub(crate) fn is_over(runtime: &Runtime, output: &Type, first: Span) -> TokenStream {
    let returned = runtime.private_at("Returned", first);
    let span = at(first);
    let is_over = quote_spanned!(span=> .__when().__is_over());
    quote!(#returned::<#output>::new() #is_over;)
}

pub(crate) fn with_bypass(plan: &Plan, mode: &TokenStream) -> TokenStream {
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
        quote_spanned!(span=> (#cache).__cache_takes_an_expression_that_gives_a_cache())
    } else {
        let default = runtime.private("default_cache");
        quote!(#default())
    }
}

/// A tuple of the ids of the scope. It has the span of the call that takes it: that call requires the same of each id as `id` does,
/// and so the compiler reports a wrong one once, at the id.
pub(crate) fn ids(plan: &Plan) -> TokenStream {
    let ids = plan.scope.ids.iter();
    let ids = ids.map(|id| id_by(&plan.runtime, "id", &id.expr));
    let (first, _) = output_span(plan);
    quote_spanned!(at(first)=> (#(#ids,)*))
}

/// The text of an id.
pub(crate) fn id_text(runtime: &Runtime, id: &Expr) -> TokenStream {
    id_by(runtime, "id_text", id)
}

/// The runtime `function` of a reference to an id. It says what an id must be.
fn id_by(runtime: &Runtime, function: &str, id: &Expr) -> TokenStream {
    let first = start(id);
    let function = runtime.private_at(function, first);
    let span = at(first);
    if matches!(id, Expr::Path(_)) {
        quote_spanned!(span=> #function(&#id))
    } else {
        quote_spanned!(span=> #function(&(#id)))
    }
}

/// An attribute for a statement that rebinds the name of an argument.
pub(crate) fn allow_shadowing() -> TokenStream {
    quote!(#[allow(clippy::shadow_reuse, clippy::shadow_same, clippy::shadow_unrelated)])
}

/// Binds the patterns that the body expects.
pub(crate) fn rebind(plan: &Plan) -> impl Iterator<Item = TokenStream> {
    let args = plan.function.args.iter().zip(plan.bindings());
    args.filter(|(arg, _)| arg.rebind).map(|(arg, binding)| {
        let (pat, name) = (&arg.pat, &arg.name);
        // names that only the key needs don't count as unused
        let allow = binding.map(|_| quote!(#[allow(unused_variables)]));
        quote!(#allow let #pat = #name;)
    })
}

/// A statement that never runs. It tells an `async` block the type that `return` and `?` give.
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
