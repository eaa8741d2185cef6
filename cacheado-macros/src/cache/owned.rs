//! A body that may outlive its call: how it keeps arguments that are only lent to the call, and which arguments can't be kept.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{
    BoundLifetimes, GenericParam, Lifetime, ParenthesizedGenericArguments, ReceiverKind, Type,
    TypeFnPtr, TypeReference,
};

use super::argument::Arg;
use super::look;
use super::options::Options;
use super::plan::{Kind, Plan};
use super::renamed_self::{renamed, self_word, this};
use super::signature::Function;
use super::types::bare;
use crate::mentions::{mentions, same};
use crate::parse::{Errors, ends};
use crate::runtime::{at, local};

/// The code around something that may outlive its call.
#[derive(Default)]
pub(crate) struct Keeping {
    /// Before it, where the arguments are: keeps those that are lent.
    pub(crate) keep: TokenStream,
    /// Inside it: binds the arguments to their names.
    pub(crate) lend: TokenStream,
}

/// Whether the body may outlive the call.
pub(crate) fn is_owned(kind: Kind, options: &Options) -> bool {
    kind == Kind::Cache && options.aging.outlives().is_some()
}

/// Rejects arguments that can't be kept, as far as their types are spelled out.
pub(crate) fn check(kind: Kind, function: &Function, options: &Options, errors: &mut Errors) {
    let Some(option) = options.aging.outlives().filter(|_| is_owned(kind, options)) else {
        return;
    };
    if let Some(receiver) = function.receiver()
        && match &receiver.kind {
            ReceiverKind::Reference(_, _, mutability) => mutability.is_some(),
            ReceiverKind::Typed(_, ty) => lent(ty).is_some_and(|it| it.mutability.is_some()),
            _ => false,
        }
    {
        errors.on(
            receiver.self_token,
            format!("with `{option}` the body may outlive its call, which a `&mut self` does not: take `&self` of a `Clone` type, or `self: Arc<Self>`"),
        );
    }
    for arg in &function.args {
        if let Some(holds) = arg.holds_mut_ref() {
            errors.on(
                &arg.ty,
                format!("with `{option}` the body may outlive its call, which an argument {holds} does not: take an `Arc` of what can be shared"),
            );
        } else if borrows(&arg.ty) {
            errors.on(
                &arg.ty,
                format!("with `{option}` the body may outlive its call, so what it needs must be its own: take an owned value, a plain reference to one, or an `Arc`"),
            );
        }
    }
}

/// Whether a type contains a reference or a lifetime, apart from a reference that is the whole type.
fn borrows(ty: &Type) -> bool {
    #[derive(Default)]
    struct Borrows {
        found: bool,
        /// Lifetimes that don't concern the cached call.
        bound: Vec<Ident>,
        in_call: bool,
    }
    impl VisitMut for Borrows {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            self.found |= reference.lifetime.is_none() && !self.in_call;
            visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            self.found |= lifetime.ident != "static" && !self.bound.contains(&lifetime.ident);
        }
        // `for<'a>`: the lifetime of what is passed in a call of it
        fn visit_bound_lifetimes_mut(&mut self, bound: &mut BoundLifetimes) {
            let names = bound.lifetimes.iter().filter_map(|param| match param {
                GenericParam::Lifetime(param) => Some(param.lifetime.ident.clone()),
                _ => None,
            });
            self.bound.extend(names);
        }
        // `Fn(&str)` and `fn(&str)`: the same, elided
        fn visit_parenthesized_generic_arguments_mut(
            &mut self,
            of: &mut ParenthesizedGenericArguments,
        ) {
            let outside = std::mem::replace(&mut self.in_call, true);
            visit_mut::visit_parenthesized_generic_arguments_mut(self, of);
            self.in_call = outside;
        }
        fn visit_type_fn_ptr_mut(&mut self, of: &mut TypeFnPtr) {
            let outside = std::mem::replace(&mut self.in_call, true);
            visit_mut::visit_type_fn_ptr_mut(self, of);
            self.in_call = outside;
        }
    }
    let mut inner = match lent(ty) {
        Some(reference) => (*reference.elem).clone(),
        None => ty.clone(),
    };
    let mut borrows = Borrows::default();
    borrows.visit_type_mut(&mut inner);
    borrows.found
}

/// The reference, if the type is one.
fn lent(ty: &Type) -> Option<&TypeReference> {
    match bare(ty) {
        Type::Reference(reference) => Some(reference),
        _ => None,
    }
}

/// The code around `tokens`, the function's body.
pub(crate) fn around_body(plan: &Plan, tokens: &TokenStream) -> Keeping {
    let asks = |names: &[Ident]| mentions(tokens, names);
    around(plan, &asks, "body", false)
}

/// The code around a closure that uses arguments as `asks` says, while the body has them as well.
pub(crate) fn around_closure(plan: &Plan, asks: &dyn Fn(&[Ident]) -> bool) -> Keeping {
    around(plan, asks, "closure", true)
}

/// `asks`: whether the code uses one of these names. `shared`: other code needs arguments that are passed by value, too.
fn around(plan: &Plan, asks: &dyn Fn(&[Ident]) -> bool, what: &str, shared: bool) -> Keeping {
    let mut keeping = Keeping::default();
    let pending = local("__cacheado_pending");
    let allow = look::allow_shadowing();
    // whether it has to be `mut` depends on the body
    let unused_mut = shared.then(|| quote!(#[allow(unused_mut)]));
    // keeps `name` if it is lent or other code needs it as well, and binds it inside as `inside`
    let mut add =
        |is_lent: bool, ty: Option<&Type>, nth: &str, name: &TokenStream, inside: TokenStream| {
            let kept = format_ident!("__cacheado_{what}_{nth}", span = Span::mixed_site());
            if is_lent {
                let keep = asking(plan, "keep", ty, name, None);
                keeping.keep.extend(quote!(let #kept = #keep;));
                keeping
                    .lend
                    .extend(quote!(#allow #unused_mut let #inside = #kept.lend();));
                return;
            }
            let handing = asking(plan, "handing", ty, &quote!(&#name), Some(&pending));
            keeping.keep.extend(quote!(let #pending = #handing;));
            if shared {
                let clone = quote!(::core::clone::Clone::clone(&#name));
                keeping.keep.extend(quote!(let #kept = #clone;));
                keeping
                    .lend
                    .extend(quote!(#allow #unused_mut let #inside = #kept;));
            }
        };
    if let Some(receiver) = plan.function.receiver()
        && asks(&[self_word()])
    {
        let word = receiver.self_token.to_token_stream();
        let ty = match &receiver.kind {
            ReceiverKind::Typed(_, ty) => Some(&**ty),
            _ => None,
        };
        add(is_lent(plan), ty, "self", &word, this().to_token_stream());
    }
    let mut patterns = TokenStream::new();
    for (nth, arg) in plan.function.args.iter().enumerate() {
        if !needs(arg, asks) {
            continue;
        }
        let (name, mutability) = (arg.name.to_token_stream(), arg.mutability);
        let inside = quote!(#mutability #name);
        add(
            is_lent_arg(arg),
            Some(&arg.ty),
            &nth.to_string(),
            &name,
            inside,
        );
        if arg.rebind {
            let pat = &arg.pat;
            patterns.extend(quote!(#[allow(unused_variables)] #unused_mut let #pat = #name;));
        }
    }
    keeping.lend.extend(patterns);
    keeping
}

/// A call of `function` with a `reference` to an argument. All it demands of the argument is one error, which underlines the
/// argument's type if that is spelled out: both the function and what it takes have that span.
fn asking(
    plan: &Plan,
    function: &str,
    ty: Option<&Type>,
    reference: &TokenStream,
    pending: Option<&Ident>,
) -> TokenStream {
    let runtime = &plan.runtime;
    let (_, word) = ends(reference, Span::call_site());
    let (first, last) = ends(ty, word);
    let function = runtime.private_over(function, (first, last));
    let argument = if ty.is_some_and(|ty| is_parameter(plan, ty)) {
        "argument_of_any"
    } else {
        "argument"
    };
    let argument = runtime.private_at(argument, first);
    let reference = quote_spanned!(at(last)=> (#reference));
    quote!(#function(#argument #reference, #pending))
}

/// Whether a type, or what it refers to, is a type parameter of the function.
fn is_parameter(plan: &Plan, ty: &Type) -> bool {
    match lent(ty).map_or(ty, |reference| &reference.elem) {
        Type::ImplTrait(_) => true,
        Type::Path(path) => path.path.get_ident().is_some_and(|name| {
            let mut params = plan.function.sig.generics.type_params();
            params.any(|param| same(&param.ident, name))
        }),
        _ => false,
    }
}

/// Whether the argument is only lent to the call.
fn is_lent_arg(arg: &Arg) -> bool {
    lent(&arg.ty).is_some_and(|reference| !is_static(reference))
}

fn is_static(reference: &TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Whether `self` is only lent to the call.
fn is_lent(plan: &Plan) -> bool {
    let receiver = plan.function.receiver();
    receiver.is_some_and(|receiver| match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => lent(ty).is_some(),
        _ => false,
    })
}

/// Whether the argument, or what its pattern binds, is used.
fn needs(arg: &Arg, asks: &dyn Fn(&[Ident]) -> bool) -> bool {
    let mut names = arg.binds();
    names.push(arg.name.clone());
    arg.rebind || asks(&names)
}

/// Whether the body sees what was kept of the argument, under the same name. If either is mutable, it is what was kept.
pub(crate) fn is_kept(plan: &Plan, arg: &Arg) -> bool {
    plan.owned && is_lent_arg(arg)
}

/// `tokens` with another name for `self`, if that is only lent. Functions and impls inside keep theirs.
pub(crate) fn without_self(plan: &Plan, tokens: &TokenStream) -> TokenStream {
    if is_lent(plan) {
        renamed(tokens.clone())
    } else {
        tokens.clone()
    }
}

/// The same for a closure, which always has a `self` of its own.
pub(crate) fn closure_without_self(plan: &Plan, tokens: &TokenStream) -> TokenStream {
    if plan.function.receiver().is_some() {
        renamed(tokens.clone())
    } else {
        tokens.clone()
    }
}
