//! `batch(ids)`: the body of a function of many ids, each of which has an entry of its own.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{GenericArgument, PathArguments, Type};

use super::argument::Arg;
use super::check::names_no_argument;
use super::look;
use super::options::{Options, SingleFlight};
use super::plan::{Kind, Plan, is_skipped};
use super::signature::{Flavor, Function};
use super::site;
use super::types::bare;
use crate::mentions::same;
use crate::parse::Errors;
use crate::runtime::local;

/// The checks of the option that need no hierarchy.
pub(crate) fn check(kind: Kind, function: &Function, options: &Options, errors: &mut Errors) {
    let Some(batch) = &options.batch else {
        return;
    };
    let arg = function.args.iter().find(|arg| same(&arg.name, batch));
    match arg {
        None => {
            let names = function.args.iter().flat_map(Arg::binds);
            let known: Vec<String> = names.map(|name| name.to_string()).collect();
            let message = names_no_argument("batch", &batch.unraw().to_string(), &known);
            errors.at(batch.span(), message);
        }
        Some(arg) if is_skipped(arg, options) => errors.at(
            batch.span(),
            format!("`{batch}` is skipped, and `batch` makes an entry for each of it: leave out one of the two"),
        ),
        Some(arg) if Ids::of(&arg.ty).is_none() => errors.on(
            &arg.ty,
            "the ids of a `batch` are a slice or a `Vec`: `&[Id]` or `Vec<Id>`",
        ),
        Some(arg) if arg.holds_mut_ref().is_some() => errors.on(
            &arg.ty,
            "a `&mut` is no part of a key: the ids of a `batch` are what is only read",
        ),
        Some(_) => {}
    }
    if kind == Kind::Put {
        errors.at(
            batch.span(),
            "`batch` is for `#[cache]`: `#[cache_put]` stores what one call returns",
        );
    }
    let conflict = |what: &str, why: &str| format!("`{what}` doesn't go with `batch`: {why}");
    if let Some(key) = &options.key {
        errors.on(
            key,
            conflict("key", "each id has a key of its own, made of it and of the other arguments; leave some out with `skip(…)`"),
        );
    }
    if let SingleFlight::Cluster(cluster) = &options.single_flight {
        errors.on(
            cluster,
            conflict("single_flight", "a load of many ids waits for none of them"),
        );
    }
    if let Some(fails) = &options.fails {
        errors.on(
            fails,
            conflict(
                "on_backend_error",
                "what the shared tier can't tell is loaded",
            ),
        );
    }
}

/// The form of the ids.
#[derive(Clone, Copy)]
enum Ids {
    Slice,
    Vec,
}

impl Ids {
    fn of(ty: &Type) -> Option<Self> {
        match bare(ty) {
            Type::Reference(reference) if reference.mutability.is_none() => {
                matches!(*reference.elem, Type::Slice(_)).then_some(Self::Slice)
            }
            Type::Path(path) => {
                let last = path
                    .path
                    .segments
                    .last()
                    .filter(|last| last.ident == "Vec")?;
                let PathArguments::AngleBracketed(generics) = &last.arguments else {
                    return None;
                };
                matches!(generics.args.first(), Some(GenericArgument::Type(_))).then_some(Self::Vec)
            }
            _ => None,
        }
    }
}

/// The body of the function. It loads the missing ids by the body that the author wrote.
pub(crate) fn body(plan: &Plan, ids: &Ident, mode: &TokenStream) -> TokenStream {
    let function = &plan.function;
    let (output, body) = (&function.output, &function.body);
    let (missing, given) = (local("__cacheado_missing"), given(function, ids));
    let load_async = |body: &TokenStream| {
        let typed = look::typed_return(output, function.sig.ident.span());
        let body = look::apart(body);
        let body = quote!(|#missing: ::std::vec::Vec<_>| async move { #given #typed #body });
        let load = look::load(plan, "load_async", &body, &quote!(.await));
        named(plan, ids, mode, &load)
    };
    match &function.flavor {
        Flavor::Sync => {
            let body = look::apart(body);
            let body = quote!(|#missing: ::std::vec::Vec<_>| -> #output { #given #body });
            let load = look::load(plan, "load", &body, &TokenStream::new());
            named(plan, ids, mode, &load)
        }
        Flavor::Async => load_async(body),
        Flavor::Boxed(boxed) => boxed.with_body(&load_async(&boxed.body())),
    }
}

/// Binds the missing ids to the name of the ids, for the body.
fn given(function: &Function, ids: &Ident) -> TokenStream {
    let missing = local("__cacheado_missing");
    let arg = function.args.iter().find(|arg| same(&arg.name, ids));
    let mutability = arg.and_then(|arg| arg.mutability);
    let allow = look::allow_shadowing();
    match arg.and_then(|arg| Ids::of(&arg.ty)) {
        Some(Ids::Vec) => quote!(#allow let #mutability #ids = #missing;),
        _ => quote!(#allow let #mutability #ids = &#missing[..];),
    }
}

/// Makes the pending call, then loads.
fn named(plan: &Plan, ids: &Ident, mode: &TokenStream, load: &TokenStream) -> TokenStream {
    let pending = local("__cacheado_pending");
    let batch = plan.runtime.private("batch");
    let carry = look::carry(
        plan,
        &plan.function.output,
        ["batch_local", "batch_portable"],
        Some(quote!(&#ids[..])),
    );
    let (site, mode) = (site::site(plan), look::with_bypass(plan, mode));
    let cache = look::cache(&plan.runtime, plan.options.cache.as_ref());
    let (scope, parts) = (look::ids(plan), &plan.key.0);
    let bindings = plan.bindings().flatten();
    let (rebind, allow) = (look::rebind(plan), plan.function.allow_underscores());
    let shadows = look::allow_shadowing();
    quote! {
        // a statement of its own, so that nothing that is borrowed here lives on while the body runs
        #allow
        #shadows
        let #pending = {
            #(#bindings)*
            #batch(#site, #carry, #mode, #cache, #scope, &#ids[..], |#ids| (#(#parts,)*))
        };
        #(#rebind)*
        #load
    }
}
