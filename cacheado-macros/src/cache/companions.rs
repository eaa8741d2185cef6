//! The companions: hidden functions beside a cached one, through which the verbs and `#[cache_evict]` reach it. One of them contains
//! its body:
//!
//! - `site`: its identity, one for each instantiation
//! - `run`: the function with a mode (`refresh!`, `bypass!`)
//! - `call`: a handle for one call, from all its arguments (`evict!`, `peek!`)
//! - `put`: the same, and it decides whether and for how long a value is stored (`put!`)
//! - `keyed`: the same as `call`, from the arguments that make up the key (`#[cache_evict]`)
//! - `a_blank_is_for_arguments_that_are_skipped` ([`BLANKS`]): the same, with a `_` for each of the other arguments, if there are any
//!
//! An `impl Trait` argument has no name with which `site` could be instantiated. So each companion with such an argument is generated
//! twice: as the user calls it, and with a type parameter in its place.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{
    FnArg, GenericParam, Generics, ReceiverKind, Safety, Type, Visibility, WherePredicate,
    parse_quote,
};

use super::argument::Arg;
use super::decide::{self, Owned};
use super::look;
use super::owned;
use super::plan::{Kind, Place, Plan};
use super::signature::{Function, extended, param_name, turbofish, type_and_const_params};
use super::site;
use super::types::{names_lifetime, with_static_lifetimes};
use crate::mentions::contains_ident;
use crate::parse::ends;
use crate::runtime::{Runtime, at, local};

/// The companion that doesn't exist where no argument is skipped. The compiler's error shows no more than this name, so the name is
/// the message.
pub(crate) const BLANKS: &str = "a_blank_is_for_arguments_that_are_skipped";

/// The name of a companion of a free function. It is in the struct that has the function's name.
pub(crate) fn free_name(what: &str, span: Span) -> Ident {
    format_ident!("__{what}", span = span)
}

/// The name of a companion in an impl, beside the function. Where companions that only verbs use are missing, the compiler's error
/// shows no more than their names. So these say what the impl lacks.
pub(crate) fn sibling_name(what: &str, function: &Ident) -> Ident {
    let prefix = match what {
        "site" | "run" => format!("__cacheado_{what}"),
        BLANKS => format!("__{BLANKS}_under_cache_impl"),
        _ => format!("__verbs_need_cache_impl_on_an_inherent_impl_and_no_batch_{what}"),
    };
    format_ident!("{prefix}_{}", function.unraw(), span = function.span())
}

pub(crate) fn name(place: Place, what: &str, function: &Ident) -> Ident {
    if place == Place::Free {
        free_name(what, function.span())
    } else {
        sibling_name(what, function)
    }
}

/// The visibility of a companion. That of a free function is in a struct that is as visible as the function, so a caller that can't
/// see it gets one error.
pub(crate) fn visibility(function: &Function, place: Place) -> Visibility {
    match place {
        Place::Free => parse_quote!(pub),
        Place::Inherent | Place::Bare => function.vis.clone(),
    }
}

/// All companions, for an impl.
pub(crate) fn companions(plan: &Plan) -> Vec<TokenStream> {
    let companions = [
        site::companion(plan),
        run(plan),
        call(plan),
        put(plan),
        keyed(plan),
        with_blanks(plan),
    ];
    companions.into_iter().flatten().collect()
}

/// The lints that the function's author allows. Its types and names occur in each companion.
pub(crate) fn allowed(function: &Function) -> Vec<TokenStream> {
    lints(function, &["allow"])
}

/// The lints that the function's author set in one of these `ways`.
fn lints(function: &Function, ways: &[&str]) -> Vec<TokenStream> {
    let attrs = function.attrs.iter().filter_map(|attr| {
        let path = attr.path();
        if path.is_ident("expect") {
            // the expected lint may be in the body or in the signature, which are now in two functions
            return Some(as_allow(attr));
        }
        let is_lint = ways.iter().any(|way| path.is_ident(way));
        is_lint.then(|| attr.to_token_stream())
    });
    attrs.collect()
}

/// `#[expect(…)]` as `#[allow(…)]`.
pub(crate) fn as_allow(attr: &syn::Attribute) -> TokenStream {
    match attr.meta.require_list() {
        Ok(list) => {
            let lints = &list.tokens;
            quote!(#[allow(#lints)])
        }
        Err(_) => attr.to_token_stream(),
    }
}

/// One companion, in terms of the function's own arguments.
struct Companion<'a> {
    plan: &'a Plan,
    name: Ident,
    attrs: Vec<TokenStream>,
    /// For each argument: whether the companion takes it.
    takes: Vec<bool>,
    /// Whether it takes a blank in place of each argument that it doesn't take.
    blanks: bool,
    /// Whether it contains the body of the function.
    has_body: bool,
    mode: Option<Ident>,
    output: TokenStream,
    /// What must hold for it to be called, in addition to the function's own bounds.
    bound: Option<WherePredicate>,
    body: TokenStream,
}

impl Companion<'_> {
    fn write(self) -> Vec<TokenStream> {
        let function = &self.plan.function;
        let types = function.named_types();
        let generics = &function.sig.generics;
        if types.iter().all(|(_, added)| added.is_empty()) {
            let types: Vec<Type> = function.args.iter().map(|arg| arg.ty.clone()).collect();
            return vec![self.signature(&self.name, generics, &types, self.has_body, &self.body)];
        }
        let inner = format_ident!("{}_named", self.name);
        // a type parameter of an argument that is not taken can't be inferred, so it must be given
        let (mut outer_params, mut arguments): (Vec<GenericParam>, Vec<TokenStream>) =
            Default::default();
        arguments.extend(type_and_const_params(generics).map(|p| param_name(p).to_token_stream()));
        for ((_, added), takes) in types.iter().zip(&self.takes) {
            for param in added {
                if *takes {
                    arguments.push(quote!(_));
                } else {
                    arguments.push(param_name(param).to_token_stream());
                    outer_params.push(param.clone());
                }
            }
        }
        let names = self.argument_names();
        let forward = forward(
            function,
            &quote!(Self),
            &inner,
            &quote!(::<#(#arguments),*>),
            &names,
            self.has_body,
        );
        let written: Vec<Type> = function.args.iter().map(|arg| arg.ty.clone()).collect();
        let outer = self.signature(
            &self.name,
            &extended(generics, outer_params),
            &written,
            false,
            &forward,
        );
        let all = types.iter().flat_map(|(_, added)| added.iter().cloned());
        let by_name: Vec<Type> = types.iter().map(|(ty, _)| ty.clone()).collect();
        let inner = self.signature(
            &inner,
            &extended(generics, all),
            &by_name,
            self.has_body,
            &self.body,
        );
        vec![outer, inner]
    }

    /// What is passed on, after any receiver.
    fn argument_names(&self) -> Vec<TokenStream> {
        let args = self.plan.function.args.iter().zip(&self.takes);
        let args = args.filter(|(_, takes)| **takes || self.blanks);
        let args = args.map(|(arg, takes)| match takes {
            true => arg.name.to_token_stream(),
            false => self.plan.runtime.private("Skipped"),
        });
        args.chain(self.mode.iter().map(ToTokens::to_token_stream))
            .collect()
    }

    fn signature(
        &self,
        name: &Ident,
        generics: &Generics,
        types: &[Type],
        own_body: bool,
        body: &TokenStream,
    ) -> TokenStream {
        let function = &self.plan.function;
        let sig = &function.sig;
        let receiver = sig.receiver().map(|receiver| {
            let mut receiver = receiver.clone();
            receiver.mutability = receiver.mutability.filter(|_| own_body);
            receiver.attrs.clear();
            receiver.to_token_stream()
        });
        let mode = self.mode.as_ref().map(|mode| {
            let mode_type = self.plan.runtime.private("Mode");
            quote!(#mode: #mode_type)
        });
        let args = function.args.iter().zip(types).zip(&self.takes);
        let args = args.filter(|(_, takes)| **takes || self.blanks);
        let args = args.map(|((arg, ty), takes)| {
            if !takes {
                let blank = self.plan.runtime.private("Skipped");
                return quote!(_: #blank);
            }
            let attrs = arg.attrs.iter().filter(|_| own_body);
            let (mutability, name) = (
                arg.mutability
                    .filter(|_| own_body && !owned::is_kept(self.plan, arg)),
                &arg.name,
            );
            quote!(#(#attrs)* #mutability #name: #ty)
        });
        // the mode comes last, because a receiver, which may be written as an argument, must be first
        let inputs = receiver.into_iter().chain(args).chain(mode);
        let (asyncness, safety) = if self.has_body {
            (sig.asyncness, sig.safety.to_token_stream())
        } else {
            (None, TokenStream::new())
        };
        let vis = visibility(function, self.plan.place);
        let (attrs, output) = (&self.attrs, &self.output);
        let lints = if self.has_body {
            lints(function, &["allow", "warn", "deny", "forbid"])
        } else {
            allowed(function)
        };
        let mut generics = generics.clone();
        if let Some(bound) = &self.bound {
            generics.make_where_clause().predicates.push(bound.clone());
        }
        let where_clause = &generics.where_clause;
        quote! {
            #[inline]
            #(#lints)*
            #(#attrs)*
            #vis #asyncness #safety fn #name #generics(#(#inputs),*) #output #where_clause {
                #body
            }
        }
    }
}

/// A call of the companion `to` in `home` with these arguments.
pub(crate) fn forward(
    function: &Function,
    home: &TokenStream,
    to: &Ident,
    turbofish: &TokenStream,
    names: &[TokenStream],
    runs_body: bool,
) -> TokenStream {
    let sig = &function.sig;
    let receiver = sig
        .receiver()
        .map(|receiver| receiver.self_token.to_token_stream());
    let args = receiver.into_iter().chain(names.iter().cloned());
    let call = quote!(#home::#to #turbofish(#(#args),*));
    if !runs_body {
        return call;
    }
    let wait = sig.asyncness.map(|_| quote!(.await));
    if matches!(sig.safety, Safety::Unsafe(_)) {
        quote!(unsafe { #call #wait })
    } else {
        quote!(#call #wait)
    }
}

/// The mode in which the visible function runs.
pub(crate) fn own_mode(plan: &Plan) -> TokenStream {
    let mode = plan.runtime.private("Mode");
    match plan.kind {
        Kind::Cache => quote!(#mode::Normal),
        Kind::Put => quote!(#mode::Refresh),
    }
}

fn run(plan: &Plan) -> Vec<TokenStream> {
    let function = &plan.function;
    let mode = local("__cacheado_mode");
    let companion = Companion {
        plan,
        name: name(plan.place, "run", &function.sig.ident),
        attrs: Vec::new(),
        takes: vec![true; function.args.len()],
        blanks: false,
        has_body: true,
        body: named(plan, &look::body(plan, &mode.to_token_stream())),
        mode: Some(mode),
        bound: None,
        output: function.sig.output.to_token_stream(),
    };
    companion.write()
}

fn call(plan: &Plan) -> Vec<TokenStream> {
    let (all, output) = (vec![true; plan.function.args.len()], &plan.function.output);
    let body = named(plan, &look::call(plan, output, None));
    handle(plan, "call", all, output, body).write()
}

/// It can't be called if the handle can't own what `ttl` and `when` use.
fn put(plan: &Plan) -> Vec<TokenStream> {
    let (all, output) = (vec![true; plan.function.args.len()], &plan.function.output);
    match decide::owned(plan) {
        Owned::Always => handle(plan, "put", all, output, to_call(plan)).write(),
        Owned::Asks(decide) => {
            let body = named(plan, &look::call(plan, output, Some(&decide)));
            handle(plan, "put", all, output, body).write()
        }
        Owned::Borrows => {
            let (by_value, needs) = (
                plan.runtime.private("PutByValueAlone"),
                plan.runtime.private("NeedsArguments"),
            );
            // because of the `for`, the compiler checks the bound only where the companion is called
            let bound = parse_quote!(for<'__cacheado> #needs<'__cacheado>: #by_value);
            let never = quote!(::core::unreachable!("its bound never holds"));
            let companion = Companion {
                attrs: vec![quiet()],
                bound: Some(bound),
                ..handle(plan, "put", all, output, never)
            };
            companion.write()
        }
    }
}

fn keyed(plan: &Plan) -> Vec<TokenStream> {
    let takes = plan.needed.clone();
    if takes.iter().all(|takes| *takes) {
        return handle(plan, "keyed", takes, &plan.function.output, to_call(plan)).write();
    }
    // `keyed` may lack an argument from which the output borrows
    let output = with_static_lifetimes(&plan.function.output);
    let body = named(plan, &look::call(plan, &output, None));
    handle(plan, "keyed", takes, &output, body).write()
}

fn with_blanks(plan: &Plan) -> Vec<TokenStream> {
    let takes = plan.needed.clone();
    if takes.iter().all(|takes| *takes) {
        return Vec::new();
    }
    let output = with_static_lifetimes(&plan.function.output);
    let body = named(plan, &look::call(plan, &output, None));
    let companion = Companion {
        blanks: true,
        ..handle(plan, BLANKS, takes, &output, body)
    };
    companion.write()
}

/// Forwards to `call`.
fn to_call(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let to = name(plan.place, "call", &function.sig.ident);
    let args = function.args.iter().map(|arg| arg.name.to_token_stream());
    let args: Vec<TokenStream> = args.collect();
    let turbofish = turbofish(&function.sig.generics);
    forward(function, &quote!(Self), &to, &turbofish, &args, false)
}

/// `body` after a use of the function, so that a use of the companion counts as one of the function. Otherwise the compiler would call
/// a function unused that only verbs use.
fn named(plan: &Plan, body: &TokenStream) -> TokenStream {
    let function = &plan.function;
    let use_of_it = use_of(plan);
    let is_deprecated = function
        .attrs
        .iter()
        .any(|attr| contains_ident(attr.meta.to_token_stream(), "deprecated"));
    let allow = is_deprecated.then(|| quote!(#[allow(deprecated)]));
    quote!(#allow let _ = #use_of_it; #body)
}

/// The function as a value. Where no path gives that, it is a call that is never made: only a call determines the type of an `impl
/// Trait`, and a path to a method may mean an enum variant of that name, which has no type parameters.
fn use_of(plan: &Plan) -> TokenStream {
    let function = &plan.function;
    let mut name = function.sig.ident.clone();
    // the item, not a local or an argument of that name
    name.set_span(at(name.span()));
    let turbofish = turbofish(&function.sig.generics);
    let home = (plan.place != Place::Free).then(|| quote!(Self::));
    let types = function.named_types();
    let is_known = types.iter().all(|(_, added)| added.is_empty());
    if is_known && (function.receiver().is_none() || turbofish.is_empty()) {
        return quote!(#home #name #turbofish);
    }
    let never = plan.runtime.private("never");
    let args = types.iter().map(|(ty, _)| quote!(#never::<#ty>()));
    let call = match function.receiver().map(|receiver| &receiver.kind) {
        None => quote!(#home #name #turbofish(#(#args),*)),
        Some(kind) => {
            let this = match kind {
                ReceiverKind::Reference(_, _, mutability) => quote!(&#mutability Self),
                ReceiverKind::Typed(_, ty) => ty.to_token_stream(),
                _ => quote!(Self),
            };
            quote!(#never::<#this>().#name #turbofish(#(#args),*))
        }
    };
    match function.sig.safety {
        Safety::Unsafe(_) => quote!(|| { let _ = unsafe { #call }; }),
        _ => quote!(|| { let _ = #call; }),
    }
}

/// For a handle with arguments that only make it look like the function (those that a `key` doesn't name), or that have names for
/// unused ones. Nobody could fix what lints say about that.
fn quiet() -> TokenStream {
    quote!(#[allow(unused_variables, clippy::all, clippy::pedantic, clippy::nursery)])
}

/// Whether a handle needs [`quiet`]. One for a function that uses all it takes does not, and each lint costs compile time.
fn is_odd(plan: &Plan) -> bool {
    let (function, needed) = (&plan.function, &plan.needed);
    let odd = |(arg, needed): (&Arg, &bool)| !needed || arg.name.to_string().starts_with('_');
    function.receiver().is_some()
        || plan.options.key.is_some()
        || function.args.iter().zip(needed).any(odd)
}

/// A companion that returns a handle for a call.
fn handle<'a>(
    plan: &'a Plan,
    what: &str,
    takes: Vec<bool>,
    output: &Type,
    body: TokenStream,
) -> Companion<'a> {
    let types = plan.function.named_types().iter().map(|(ty, _)| ty);
    let lacks = types
        .zip(&takes)
        .filter_map(|(ty, takes)| (!takes).then_some(ty));
    let call = call_type(&plan.runtime, &plan.function, output, lacks);
    Companion {
        plan,
        name: name(plan.place, what, &plan.function.sig.ident),
        attrs: is_odd(plan).then(quiet).into_iter().collect(),
        takes,
        blanks: false,
        has_body: false,
        mode: None,
        output: quote!(-> #call),
        bound: None,
        body,
    }
}

/// The type of a handle made from all arguments except those of the types it `lacks`.
pub(crate) fn call_type<'a>(
    runtime: &Runtime,
    function: &Function,
    output: &Type,
    lacks: impl Iterator<Item = &'a Type>,
) -> TokenStream {
    let call = runtime.private("Call");
    let mut driver = look::driver(runtime, &function.flavor);
    // only an argument `&'a T` may tell the compiler that `T` outlives `'a`, and a `where` clause relies on that. So the driver's type
    // names the missing types. Such a handle is only for evictions, which need no driver
    let implied: Vec<&Type> = lacks.filter(|ty| names_lifetime(ty)).collect();
    if !implied.is_empty() {
        driver = quote!((#driver, #(fn(#implied)),*));
    }
    // the compiler recommends a `where` clause at this span, so it is where that of the function itself would be
    let (_, last) = ends(&function.sig.output, function.sig.paren_token.span.close());
    let end = quote_spanned!(last=> >);
    quote!(#call<#output, #driver #end)
}

/// The visible signature: as the user wrote it, with a name for each argument.
pub(crate) fn visible_signature(function: &Function) -> syn::Signature {
    let mut sig = function.sig.clone();
    let mut args = function.args.iter();
    for input in &mut sig.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.mutability = None,
            FnArg::Typed(typed) => {
                let Some(arg) = args.next() else { break };
                typed.attrs.clear();
                *typed.pat = arg.plain_pat();
            }
        }
    }
    sig
}
