//! A body that may outlive its call: what it keeps of the arguments that are only lent to it, and what can't be kept.

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, ReceiverKind, Type, TypeReference};

use super::argument::Arg;
use super::options::Options;
use super::plan::{Kind, Plan};
use super::signature::Function;
use crate::parse::{Errors, mentions};

/// What stands around something that may outlive its call.
#[derive(Default)]
pub(crate) struct Keeping {
    /// Ahead of it, where the arguments are: keeps what is lent.
    pub(crate) keep: TokenStream,
    /// Inside of it: the arguments, by their names.
    pub(crate) lend: TokenStream,
}

/// What is written in the place of `self`, which can't be bound anew.
fn this() -> Ident {
    Ident::new("__cacheado_this", Span::mixed_site())
}

fn self_word() -> Ident {
    Ident::new("self", Span::mixed_site())
}

/// Whether the body may outlive the call.
pub(crate) fn is_owned(kind: Kind, options: &Options) -> bool {
    kind == Kind::Cache && options.aging.outlives().is_some()
}

/// What can't be kept, as far as the types are spelled out.
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
        if arg.is_mut_ref() {
            errors.on(
                &arg.ty,
                format!("with `{option}` the body may outlive its call, which an argument taken as `&mut` does not: take an `Arc` of what can be shared"),
            );
        } else if borrows(&arg.ty) {
            errors.on(
                &arg.ty,
                format!("with `{option}` the body may outlive its call, so what it needs must be its own: take an owned value, a plain reference to one, or an `Arc`"),
            );
        }
    }
}

/// Whether there is a reference or a lifetime in it, but for one that is all around it.
fn borrows(ty: &Type) -> bool {
    struct Borrows(bool);
    impl VisitMut for Borrows {
        fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
            let lifetime = reference.lifetime.as_ref();
            if lifetime.is_none_or(|lifetime| lifetime.ident != "static") {
                self.0 = true;
            }
            visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            self.0 |= lifetime.ident != "static";
        }
    }
    let mut inner = match lent(ty) {
        Some(reference) => (*reference.elem).clone(),
        None => ty.clone(),
    };
    let mut borrows = Borrows(false);
    borrows.visit_type_mut(&mut inner);
    borrows.0
}

/// The reference that a type is.
fn lent(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => Some(reference),
        Type::Group(group) => lent(&group.elem),
        Type::Paren(paren) => lent(&paren.elem),
        _ => None,
    }
}

/// What `tokens`, the function's body, need around them.
pub(crate) fn around_body(plan: &Plan, tokens: &TokenStream) -> Keeping {
    around(plan, tokens, "body", false)
}

/// What a closure over the arguments needs around it, while the body has them as well.
pub(crate) fn around_closure(plan: &Plan, tokens: &TokenStream) -> Keeping {
    around(plan, tokens, "closure", true)
}

/// `shared`: others need what is given by value too.
fn around(plan: &Plan, tokens: &TokenStream, what: &str, shared: bool) -> Keeping {
    let mut keeping = Keeping::default();
    let keep = plan.runtime.private("keep");
    // keeps `name`, if it is lent or others need it as well, and binds it inside as `inside`
    let mut add = |is_lent: bool, nth: &str, name: &TokenStream, inside: TokenStream| {
        let kept = format_ident!("__cacheado_{what}_{nth}", span = Span::mixed_site());
        if is_lent {
            keeping.keep.extend(quote!(let #kept = #keep(#name);));
            keeping.lend.extend(quote!(let #inside = #kept.lend();));
        } else if shared {
            let clone = quote!(::core::clone::Clone::clone(&#name));
            keeping.keep.extend(quote!(let #kept = #clone;));
            keeping.lend.extend(quote!(let #inside = #kept;));
        }
    };
    if let Some(receiver) = plan.function.receiver()
        && mentions(tokens, &[self_word()])
    {
        let word = receiver.self_token.to_token_stream();
        add(is_lent(plan), "self", &word, this().to_token_stream());
    }
    let mut patterns = TokenStream::new();
    for (nth, arg) in plan.function.args.iter().enumerate() {
        if !needs(arg, tokens) {
            continue;
        }
        let (name, mutability) = (arg.name.to_token_stream(), arg.mutability);
        let is_lent = lent(&arg.ty).is_some_and(|reference| !is_static(reference));
        add(is_lent, &nth.to_string(), &name, quote!(#mutability #name));
        if arg.rebind {
            let pat = &arg.pat;
            patterns.extend(quote!(#[allow(unused_variables)] let #pat = #name;));
        }
    }
    keeping.lend.extend(patterns);
    keeping
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

/// Whether `tokens` name the argument, or what its pattern binds.
fn needs(arg: &Arg, tokens: &TokenStream) -> bool {
    let mut names = arg.binds();
    names.push(arg.name.clone());
    arg.rebind || mentions(tokens, &names)
}

/// `tokens` with another word for `self`, if that is only lent. Functions and impls inside keep theirs.
pub(crate) fn without_self(plan: &Plan, tokens: &TokenStream) -> TokenStream {
    if is_lent(plan) {
        renamed(tokens.clone())
    } else {
        tokens.clone()
    }
}

/// The same for a closure, which has a `self` of its own in any case.
pub(crate) fn closure_without_self(plan: &Plan, tokens: &TokenStream) -> TokenStream {
    if plan.function.receiver().is_some() {
        renamed(tokens.clone())
    } else {
        tokens.clone()
    }
}

fn renamed(tokens: TokenStream) -> TokenStream {
    let mut out = Vec::new();
    // up to where an item inside has a `self` of its own, or a path one that means its module
    let mut ends: Option<Delimiter> = None;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        out.push(match token {
            TokenTree::Ident(word) if ends.is_none() => {
                let next = tokens.peek();
                let is_path = matches!(next, Some(TokenTree::Punct(colon)) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint);
                let is_item = word == "impl"
                    || word == "trait"
                    || (word == "fn" && matches!(next, Some(TokenTree::Ident(_))));
                if is_item {
                    ends = Some(Delimiter::Brace);
                } else if word == "use" {
                    ends = Some(Delimiter::None);
                }
                if word == "self" && !is_path {
                    let mut this = this();
                    this.set_span(this.span().located_at(word.span()));
                    TokenTree::Ident(this)
                } else {
                    TokenTree::Ident(word)
                }
            }
            TokenTree::Group(group) if ends.is_none() => {
                let mut inside = Group::new(group.delimiter(), renamed(group.stream()));
                inside.set_span(group.span());
                TokenTree::Group(inside)
            }
            token => {
                let is_end = match &token {
                    TokenTree::Group(group) => ends == Some(group.delimiter()),
                    TokenTree::Punct(punct) => ends == Some(Delimiter::None) && punct.as_char() == ';',
                    _ => false,
                };
                if is_end {
                    ends = None;
                }
                token
            }
        });
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_is_renamed_where_it_is_the_functions() {
        let body = quote!(
            use self::there::{self, Other};
            struct Own;
            impl Own { fn get(&self) -> u8 { self.0 } }
            fn of(own: &Own) -> u8 { self::there::get(own) }
            let pointer: fn(&Own) -> u8 = of;
            println!("{}", self.name);
            self.get(|| self) + pointer(&Own)
        );
        let renamed = renamed(body).to_string();
        assert_eq!(renamed.matches("__cacheado_this").count(), 3, "{renamed}");
        for kept in [
            "use self ::",
            "{ self , Other }",
            "(& self)",
            "self . 0",
            "self :: there :: get",
        ] {
            assert!(renamed.contains(kept), "{kept}: {renamed}");
        }
    }
}
