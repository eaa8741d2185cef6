//! Generates the function that its callers see, and puts its companions in place.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::Attribute;

use super::batch;
use super::companions::{self, as_allow, companions, forward, own_mode, visible_signature};
use super::look;
use super::owned;
use super::plan::{Place, Plan};
use super::signature::{Function, turbofish};
use crate::mentions::{contains_ident, same};

pub(crate) fn expand(plan: &Plan) -> TokenStream {
    match plan.place {
        Place::Free => free(plan),
        Place::Inherent => inherent(plan),
        Place::Bare => bare(plan),
    }
}

/// Replaces the body. There are no companions.
fn bare(plan: &Plan) -> TokenStream {
    let Function {
        attrs,
        vis,
        defaultness,
        sig,
        args,
        ..
    } = &plan.function;
    let mode = own_mode(plan);
    let body = match &plan.options.batch {
        None => look::body(plan, &mode),
        Some(ids) => batch::body(plan, ids, &mode),
    };
    // the body sees the arguments as they were written, except those that it binds itself: patterns, what is kept, and the ids of a
    // batch
    let mut sig = sig.clone();
    let mut args = args.iter();
    for input in &mut sig.inputs {
        if let syn::FnArg::Typed(typed) = input
            && let Some(arg) = args.next()
            && (arg.pat.is_some()
                || owned::is_kept(plan, arg)
                || plan
                    .options
                    .batch
                    .as_ref()
                    .is_some_and(|ids| same(ids, &arg.name)))
        {
            *typed.pat = arg.plain_pat();
        }
    }
    let body = plan.function.in_its_braces(&quote!({ #body }));
    quote! {
        #(#attrs)*
        #vis #defaultness #sig #body
    }
}

fn inherent(plan: &Plan) -> TokenStream {
    let visible = visible(plan, &quote!(Self));
    let cfgs = cfgs(&plan.function);
    let companions = companions(plan);
    // `beside!` adds the same attributes to the companions of a free function
    quote! {
        #visible
        #(
            #cfgs
            #[doc(hidden)]
            #[allow(non_snake_case, clippy::too_many_arguments, clippy::type_complexity)]
            #companions
        )*
    }
}

fn free(plan: &Plan) -> TokenStream {
    let (vis, name) = (&plan.function.vis, &plan.function.sig.ident);
    // written as a type (`<name>`): the compiler takes an unknown name in a path for a crate, and would suggest adding it
    let visible = visible(plan, &quote!(<#name>));
    let companions = companions(plan);
    let cfgs = cfgs(&plan.function);
    // inside an impl this code is invalid, and the compiler tells no more than the macro that it comes from: so the macro's name is
    // the message
    let beside = plan
        .runtime
        .private("a_function_without_a_receiver_needs_cache_impl_on_its_impl_block");
    quote! {
        #visible

        #beside! {
            #cfgs
            #vis #name { #(#companions)* }
        }
    }
}

/// The function as its callers see it. It calls `run`, which is in `home`.
fn visible(plan: &Plan, home: &TokenStream) -> TokenStream {
    let function = &plan.function;
    let Function {
        vis,
        defaultness,
        sig,
        ..
    } = function;
    let attrs = function.attrs.iter().map(|attr| {
        if attr.path().is_ident("expect") {
            as_allow(attr)
        } else {
            attr.to_token_stream()
        }
    });
    let run = companions::name(plan.place, "run", &sig.ident);
    let args = function.args.iter().map(|arg| arg.name.to_token_stream());
    let args: Vec<TokenStream> = args.chain([own_mode(plan)]).collect();
    let turbofish = turbofish(&sig.generics);
    let forward = forward(&plan.function, home, &run, &turbofish, &args, true);
    let body = function.in_its_braces(&forward);
    // lifetimes that only the body names are not used any more
    let in_body = |name: &syn::LifetimeParam| {
        let name = name.lifetime.ident.to_string();
        contains_ident(function.body.clone(), &name)
    };
    let lifetimes = sig.generics.lifetimes().any(in_body);
    let lifetimes = lifetimes.then(|| quote!(#[allow(clippy::needless_lifetimes)]));
    let (sig, allow) = (visible_signature(function), function.allow_underscores());
    quote! {
        #(#attrs)*
        #allow
        #lifetimes
        #vis #defaultness #sig #body
    }
}

/// The `cfg`s for everything that is generated beside the function: it exists if the function does.
pub(crate) fn cfgs(function: &Function) -> TokenStream {
    let cfgs = function.attrs.iter().filter(|attr| is_cfg(attr));
    quote!(#(#cfgs)*)
}

/// Whether it is `#[cfg(…)]`, also within `#[cfg_attr(…)]`. Other attributes of a function don't fit elsewhere.
pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    if attr.path().is_ident("cfg") {
        return true;
    }
    attr.path().is_ident("cfg_attr")
        && attr
            .meta
            .require_list()
            .is_ok_and(|list| contains_ident(list.tokens.clone(), "cfg"))
}
