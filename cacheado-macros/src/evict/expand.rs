//! Generates the function with its evictions around its body, however that is run.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{ReturnType, Type};

use crate::cache::boxed::boxed_output;
use crate::cache::look;
use crate::cache::signature::{Flavor, Function};
use crate::mentions::mentions;
use crate::parse::ends;
use crate::runtime::{Runtime, local};

/// What runs the body.
enum Run {
    /// The call.
    Now,
    /// The future that the call returns.
    InFuture,
    /// Such a future, but made by the function itself. This is its output.
    InFutureOf(Box<Type>),
}

fn how(function: &Function) -> Run {
    let of_its_own = match &function.flavor {
        Flavor::Async => None,
        Flavor::Boxed(boxed) => boxed.may_return_early().then(|| function.output.clone()),
        Flavor::Sync => match boxed_output(&function.output) {
            Some(output) => Some(output),
            None => return Run::Now,
        },
    };
    of_its_own.map_or(Run::InFuture, |output| Run::InFutureOf(Box::new(output)))
}

pub(super) fn expand(function: &Function, handles: &[TokenStream], before: bool) -> TokenStream {
    let runtime = Runtime::find();
    let Function {
        attrs,
        vis,
        defaultness,
        sig,
        body,
        output,
        ..
    } = function;
    let names: Vec<Ident> = (0..handles.len())
        .map(|index| local(&format!("__cacheado_evict{index}")))
        .collect();
    let result = local("__cacheado_result");
    let future = local("__cacheado_future");
    let name = sig.ident.span();
    let once = runtime.private("once");
    let how = how(function);
    let run = match (&how, &function.flavor) {
        (Run::Now, _) => quote!(#once(|| -> #output #body)),
        (Run::InFutureOf(_), _) => quote!(#future.await),
        (Run::InFuture, flavor) => {
            let body = match flavor {
                Flavor::Boxed(boxed) => boxed.body(),
                _ => body.clone(),
            };
            let body = look::headed(&look::typed_return(output, name), &body);
            quote!(async move #body.await)
        }
    };
    let evict = match how {
        Run::Now => quote!(#(#names.run_evict();)*),
        _ => evict_in_future(&runtime, &names),
    };
    // a load of one call may use the value of another one that is still to be evicted
    let evict = if names.len() > 1 {
        let under_way = local("__cacheado_under_way");
        quote!({ let #under_way = (#(#names.under_way(),)*); #evict })
    } else {
        evict
    };
    let bindings = pattern_bindings(function, handles);
    let prepare = quote!(#[allow(clippy::used_underscore_binding)] let (#(#names,)*) = { #bindings (#(#handles,)*) };);
    // before any statements that precede the block of a boxed future
    let (ahead, prepare) = match (&how, &function.flavor) {
        (Run::InFutureOf(_), _) | (_, Flavor::Boxed(_)) => (Some(prepare), None),
        _ => (None, Some(prepare)),
    };
    let core = if before {
        quote!(#prepare #evict #run)
    } else {
        let (output, span) = match (&how, &sig.output) {
            (Run::InFutureOf(of), _) => (&**of, ends(&**of, name)),
            (_, ReturnType::Default) => (output, (name, name)),
            (_, ReturnType::Type(..)) => (output, ends(output, name)),
        };
        let kind = look::kind(&runtime, output, span);
        let is_over = look::is_over(&runtime, output, span.0);
        quote! {
            #prepare
            #is_over
            let #result: #output = #run;
            if #kind.succeeded(&#result) {
                #evict
            }
            #result
        }
    };
    let core = match (&how, &function.flavor) {
        (Run::InFutureOf(_), _) => {
            let boxed = runtime.private("boxed");
            let output = &sig.output;
            quote! {
                #ahead
                let #future = #once(|| #output #body);
                #boxed(async move { #core })
            }
        }
        (_, Flavor::Boxed(boxed)) => {
            let body = boxed.with_body(&core);
            quote!(#ahead #body)
        }
        _ => core,
    };
    let body = function.in_its_braces(&quote!({ #core }));
    quote! {
        #(#attrs)*
        #vis #defaultness #sig #body
    }
}

/// Evicts, all at once, and waits for that.
fn evict_in_future(runtime: &Runtime, names: &[Ident]) -> TokenStream {
    let (join, boxed) = (runtime.private("join"), runtime.private("boxed"));
    let evictions = names.iter().map(|name| {
        let evict = quote!(#name.run_evict_async());
        // several of them would make the function's future large
        if names.len() > 1 {
            quote!(#boxed(#evict))
        } else {
            evict
        }
    });
    let evictions = evictions.reduce(|all, one| quote!(#join(#all, #one)));
    evictions.map_or_else(TokenStream::new, |all| quote!(#all.await;))
}

/// Binds what the patterns of arguments bind, as far as `handles` name it. Under `#[async_trait]` the patterns are bound in the body,
/// so these are clones.
fn pattern_bindings(function: &Function, handles: &[TokenStream]) -> TokenStream {
    if !matches!(function.flavor, Flavor::Boxed(_)) {
        return TokenStream::new();
    }
    let handles = quote!(#(#handles)*);
    let args = function.args.iter().filter(|arg| !arg.rebind);
    let bindings = args.filter_map(|arg| {
        let (pat, name) = (arg.pat_by_ref()?, &arg.name);
        let clones = arg.binds().into_iter();
        let clones = clones
            .filter(|bound| mentions(&handles, std::slice::from_ref(bound)))
            .map(|bound| quote!(let #bound = ::core::clone::Clone::clone(#bound);));
        Some(quote!(#[allow(unused_variables)] let #pat = &#name; #(#clones)*))
    });
    bindings.collect()
}
