//! What is emitted after an error: the message, the function as it was written (so that editors go on working), and stand-ins for the
//! companions, so that verbs elsewhere don't add errors of their own.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Error, Safety, Type};

use super::check::{borrowed_value, hidden_path};
use super::companions::{BLANKS, call_type, forward, name, visibility, visible_signature};
use super::expand::{cfgs, is_cfg};
use super::options::Options;
use super::plan::{Place, in_key_expressions, is_skipped, place};
use super::signature::{Function, turbofish};
use super::types::{self, find_impl_trait};
use crate::mentions::same;
use crate::runtime::Runtime;

/// The error and the item.
pub(crate) fn with_item(error: &Error, item: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// The error, unless the compiler reports it itself, the function, and stand-ins for its companions.
pub(crate) fn with_stubs(
    error: Option<&Error>,
    item: &TokenStream,
    mut function: Function,
    options: &Options,
) -> TokenStream {
    let is_whole = !function.leaves_types_out();
    if !is_whole {
        fill_blanks(&mut function);
    }
    let stubs = stubs(&function, options, is_whole);
    let error = error.map(Error::to_compile_error);
    // an argument may exist only for the key
    quote!(#[allow(unused_variables)] #item #stubs #error)
}

/// Replaces types that are left out (`_`), so that they are reported only once, at the function.
fn fill_blanks(function: &mut Function) {
    for input in &mut function.sig.inputs {
        if let syn::FnArg::Typed(typed) = input {
            types::fill_blanks(&mut typed.ty, true);
        }
    }
    for arg in &mut function.args {
        types::fill_blanks(&mut arg.ty, true);
    }
    if let syn::ReturnType::Type(_, output) = &mut function.sig.output {
        types::fill_blanks(output, false);
    }
    types::fill_blanks(&mut function.output, false);
}

/// `is_whole`: no types were left out.
fn stubs(function: &Function, options: &Options, is_whole: bool) -> TokenStream {
    let place = place(function, options.block);
    let sig = &function.sig;
    // no stand-ins for a function that can't be in an impl of another type, has no type that can be named, lends what a stand-in
    // lacks, names what one would shadow, or is rejected by the compiler anyway
    let odd = sig.abi.is_some()
        || function.names_twice().is_some()
        || sig.variadic.is_some()
        || matches!(function.output, Type::Never(_))
        || find_impl_trait(&function.output).is_some()
        || (!options.skip.is_empty() && borrowed_value(&function.output).is_some())
        || function.args.iter().any(|arg| arg.attrs.iter().any(is_cfg))
        || hidden_path(function, options).is_some()
        || (place == Place::Free && function.mentions_self_type());
    if place == Place::Bare || odd {
        return TokenStream::new();
    }
    let cfgs = cfgs(function);
    let attrs = quote! {
        #cfgs
        #[doc(hidden)]
        #[allow(non_camel_case_types, non_snake_case, clippy::exhaustive_structs)]
    };
    let (vis, own_name) = (&function.vis, &sig.ident);
    let run = run(function, place, is_whole);
    let needed = function
        .args
        .iter()
        .map(|arg| !is_skipped(arg, options) || in_key_expressions(arg, options));
    let needed: Vec<bool> = needed.collect();
    let all = vec![true; needed.len()];
    let handles = [
        ("call", &all, false),
        ("put", &all, false),
        ("keyed", &needed, false),
        (BLANKS, &needed, true),
    ]
    .map(|(what, takes, blanks)| handle(function, place, what, takes, blanks));
    if place == Place::Inherent {
        return quote!(#attrs #run #(#attrs #handles)*);
    }
    quote! {
        #attrs
        #vis struct #own_name {}

        #attrs
        impl #own_name {
            #run
            #(#handles)*
        }
    }
}

/// `run`, which only calls the function, if possible.
fn run(function: &Function, place: Place, is_whole: bool) -> TokenStream {
    let vis = visibility(function, place);
    let mut sig = visible_signature(function);
    sig.ident = name(place, "run", &function.sig.ident);
    sig.constness = None;
    let mode_type = Runtime::find().private("Mode");
    sig.inputs.push(syn::parse_quote!(_: #mode_type));
    let names: Vec<TokenStream> = function
        .args
        .iter()
        .map(|arg| arg.name.to_token_stream())
        .collect();
    let (home, own_name) = (quote!(Self), &function.sig.ident);
    let turbofish = turbofish(&function.sig.generics);
    let is_hidden = function.args.iter().any(|arg| same(&arg.name, own_name));
    let body = if is_hidden || !is_whole {
        never()
    } else if place == Place::Free {
        // the free function itself, which is in no `home`
        let wait = function.sig.asyncness.map(|_| quote!(.await));
        let call = quote!(#own_name #turbofish(#(#names),*) #wait);
        if matches!(function.sig.safety, Safety::Unsafe(_)) {
            quote!(unsafe { #call })
        } else {
            call
        }
    } else {
        forward(function, &home, own_name, &turbofish, &names, true)
    };
    quote!(#[allow(unused_variables)] #vis #sig { #body })
}

/// `call`, `put` or `keyed`, which need only the right type. With `blanks`, there is a blank for each argument that is not taken.
fn handle(
    function: &Function,
    place: Place,
    what: &str,
    takes: &[bool],
    blanks: bool,
) -> TokenStream {
    let (runtime, vis) = (Runtime::find(), visibility(function, place));
    let mut sig = visible_signature(function);
    sig.ident = name(place, what, &sig.ident);
    (sig.constness, sig.asyncness, sig.safety) = (None, None, Safety::Default);
    let lacks = function.args.iter().zip(takes);
    let lacks = lacks
        .filter(|(arg, takes)| !**takes && find_impl_trait(&arg.ty).is_none())
        .map(|(arg, _)| &arg.ty);
    let call = call_type(&runtime, function, &function.output, lacks);
    let skipped = runtime.private("Skipped");
    let blank: syn::FnArg = syn::parse_quote!(_: #skipped);
    let behind_receiver = usize::from(function.receiver().is_some());
    sig.inputs = sig
        .inputs
        .into_iter()
        .enumerate()
        .map(|(index, input)| {
            (
                index < behind_receiver || takes[index - behind_receiver],
                input,
            )
        })
        .filter(|(takes, _)| *takes || blanks)
        .map(|(takes, input)| if takes { input } else { blank.clone() })
        .collect();
    sig.output = syn::parse_quote!(-> #call);
    let never = never();
    quote!(#[allow(unused_variables)] #vis #sig { #never })
}

/// The body of a stand-in. Nothing ever calls it, since its program doesn't compile.
fn never() -> TokenStream {
    quote!(::core::panic!("the attribute of this function is wrong"))
}
