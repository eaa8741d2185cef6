//! The function as it was written, in one shape: every argument has a name, every body is raw tokens, and `async fn` is distinguished
//! from what `#[async_trait]` makes of one.
//!
//! Parsing rejects only what is not a function with a body. `check` rejects the rest.

use std::cell::OnceCell;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::visit_mut::VisitMut;
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Receiver, Result, ReturnType, Signature,
    Token, Type, Visibility, parse_quote,
};

use super::argument::Arg;
use super::boxed::Boxed;
use super::types;
use crate::mentions::{contains_ident, contains_path};

/// A function item.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// In its own braces, whose edition decides when the temporaries of the last expression are dropped.
    pub(crate) body: TokenStream,
    /// All arguments but the receiver.
    pub(crate) args: Vec<Arg>,
    pub(crate) flavor: Flavor,
    /// What a call finally gives: the `T` of `async fn … -> T`.
    pub(crate) output: Type,
    named_types: OnceCell<Vec<(Type, Vec<GenericParam>)>>,
}

/// Whether the function is async, and in which form.
pub(crate) enum Flavor {
    Sync,
    Async,
    /// Returns a `Pin<Box<dyn Future>>`, as under `#[async_trait]`.
    Boxed(Box<Boxed>),
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        if !is_function_ahead(input) {
            let end = Span::call_site();
            let span = if input.is_empty() { end } else { input.span() };
            let message = if input.peek(Token![impl]) {
                "only a function can be annotated here: do so with those of the impl one by one, and mark the impl itself by `#[cache_impl]`"
            } else {
                "only a function can be annotated here"
            };
            return Err(Error::new(span, message));
        }
        let defaultness = if input.peek(Token![default]) {
            Some(input.parse()?)
        } else {
            None
        };
        let sig: Signature = input.parse()?;
        let Some(braces) = input.parse::<Option<TokenTree>>()?.and_then(in_braces) else {
            return Err(Error::new_spanned(
                &sig.ident,
                "there is no body here to cache: annotate the function that has one",
            ));
        };
        // `#![…]` at the head of the body becomes an outer attribute, because the body may move elsewhere; its meaning is the same
        let body = (|input: ParseStream<'_>| {
            let mut inner = input.call(Attribute::parse_inner)?;
            for attr in &mut inner {
                attr.style = syn::AttrStyle::Outer;
            }
            attrs.append(&mut inner);
            input.parse::<TokenStream>()
        })
        .parse2(braces.stream())?;
        let mut body = Group::new(Delimiter::Brace, body);
        body.set_span(braces.span());
        let body = without_outer_braces(body);

        let output = match &sig.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        let mut args: Vec<Arg> = Vec::new();
        for input in &sig.inputs {
            if let FnArg::Typed(typed) = input {
                let index = args.len();
                args.push(Arg::new(index, typed));
            }
        }
        let mut function = Function {
            attrs,
            vis,
            defaultness,
            sig,
            body: TokenTree::Group(body).into(),
            args,
            flavor: Flavor::Sync,
            output,
            named_types: OnceCell::new(),
        };
        if function.sig.asyncness.is_some() {
            function.flavor = Flavor::Async;
        } else if let Some(boxed) = Boxed::detect(&function) {
            boxed.name_patterns(&mut function.args);
            function.output = boxed.output.clone();
            function.flavor = Flavor::Boxed(Box::new(boxed));
        }
        Ok(function)
    }
}

/// Whether a function may begin here.
fn is_function_ahead(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || (input.peek(Token![const]) && !is_constant_ahead(input))
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || input.peek(Token![safe])
        || input.peek(Token![default])
}

/// Whether a constant comes next: it has a name where a `const fn` has another keyword.
fn is_constant_ahead(input: ParseStream<'_>) -> bool {
    input.peek2(syn::Ident) || input.peek2(Token![_])
}

/// The braces that `tree` is. A `$body:block` of a `macro_rules!` has an invisible group around them, which is removed.
fn in_braces(tree: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tree else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let only = inside.next()?;
            inside.next().is_none().then(|| in_braces(only))?
        }
        _ => None,
    }
}

/// Reduces `{ $body }` of a `macro_rules!` to the braces of its `$body:block`. The compiler takes both pairs for written where the
/// block was, and warns about the outer one.
fn without_outer_braces(braces: Group) -> Group {
    let mut inside = braces.stream().into_iter();
    match (inside.next(), inside.next()) {
        (Some(TokenTree::Group(only)), None) if only.delimiter() == Delimiter::None => {
            in_braces(only.into()).unwrap_or(braces)
        }
        _ => braces,
    }
}

impl Function {
    /// `value` as the body, in the braces that the user wrote: the compiler warns about an unused function only if its end is the
    /// user's as well. It is a `return`, because that, too, makes lints take the body for the user's, and `clippy::implicit_return`
    /// demands one.
    pub(crate) fn in_its_braces(&self, value: &TokenStream) -> TokenStream {
        let mut braces = Group::new(Delimiter::Brace, quote!(return #value));
        if let Some(written) = self.body.clone().into_iter().next() {
            braces.set_span(written.span());
        }
        TokenTree::Group(braces).into()
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// `self`, if the function has one.
    pub(crate) fn self_word(&self) -> Option<Ident> {
        let receiver = self.receiver()?;
        Some(Ident::new("self", receiver.self_token.span))
    }

    /// Whether an attribute of this crate wrote the body: such a body names the `Mode` of the call.
    pub(crate) fn is_written_here(&self) -> bool {
        contains_path(self.body.clone(), ["__private", "Mode"])
    }

    /// The error about a name that two arguments share. The compiler distinguishes names of different origin, as in a `macro_rules!`,
    /// but an attribute sees only their text.
    pub(crate) fn names_twice(&self) -> Option<Error> {
        let mut seen: Vec<Ident> = Vec::new();
        for name in self.args.iter().flat_map(Arg::binds) {
            let text = name.unraw();
            if seen.contains(&text) {
                let message = format!(
                    "another argument is called `{text}` as well, and the attribute can't tell them apart: give one of \
                     them another name"
                );
                return Some(Error::new(name.span(), message));
            }
            seen.push(text);
        }
        None
    }

    /// Whether the signature has a `_` in place of a type. The compiler rejects it, and says which type it should be.
    pub(crate) fn leaves_types_out(&self) -> bool {
        let inputs = self.args.iter().map(|arg| &arg.ty);
        inputs.chain([&self.output]).any(types::has_blank)
    }

    /// Whether the function mentions `Self` anywhere outside nested items.
    pub(crate) fn mentions_self_type(&self) -> bool {
        if contains_ident(self.sig.to_token_stream(), "Self") {
            return true;
        }
        if !contains_ident(self.body.clone(), "Self") {
            return false;
        }
        match syn::parse2::<syn::Block>(self.body.clone()) {
            Ok(mut block) => {
                let mut outer = OuterSelf::default();
                outer.visit_block_mut(&mut block);
                outer.found
            }
            Err(_) => true,
        }
    }

    /// `#[allow]` for generated code that uses the arguments, if the name of one of them begins with an underscore.
    pub(crate) fn allow_underscores(&self) -> Option<TokenStream> {
        let mut names = self.args.iter().flat_map(Arg::binds);
        let is_needed = names.any(|name| name.to_string().starts_with('_'));
        is_needed.then(|| quote!(#[allow(clippy::used_underscore_binding)]))
    }

    /// For each argument: its type with every `impl Trait` replaced by a type parameter, and those parameters.
    pub(crate) fn named_types(&self) -> &[(Type, Vec<GenericParam>)] {
        let named = |arg: &Arg| types::named(&arg.ty, arg.binds());
        self.named_types
            .get_or_init(|| self.args.iter().map(named).collect())
    }
}

/// `generics` with `more` parameters appended.
pub(crate) fn extended(
    generics: &Generics,
    more: impl IntoIterator<Item = GenericParam>,
) -> Generics {
    let mut generics = generics.clone();
    generics.params.extend(more);
    generics
}

/// All parameters except lifetimes.
pub(crate) fn type_and_const_params(generics: &Generics) -> impl Iterator<Item = &GenericParam> {
    generics
        .params
        .iter()
        .filter(|param| !matches!(param, GenericParam::Lifetime(_)))
}

/// The name of a type or const parameter.
pub(crate) fn param_name(param: &GenericParam) -> &Ident {
    match param {
        GenericParam::Type(ty) => &ty.ident,
        GenericParam::Const(constant) => &constant.ident,
        GenericParam::Lifetime(lifetime) => &lifetime.lifetime.ident,
    }
}

/// `::<T, N>` for a call: the type and const parameters. Empty if there are none.
pub(crate) fn turbofish(generics: &Generics) -> TokenStream {
    let names: Vec<&Ident> = type_and_const_params(generics).map(param_name).collect();
    if names.is_empty() {
        TokenStream::new()
    } else {
        quote!(::<#(#names),*>)
    }
}

/// Looks for `Self`, but not inside nested items, whose `Self` is their own.
#[derive(Default)]
struct OuterSelf {
    found: bool,
}

impl VisitMut for OuterSelf {
    fn visit_item_mut(&mut self, _: &mut syn::Item) {}

    fn visit_ident_mut(&mut self, ident: &mut Ident) {
        self.found |= ident == "Self";
    }

    fn visit_macro_mut(&mut self, mac: &mut syn::Macro) {
        self.found |= contains_ident(mac.tokens.clone(), "Self");
    }
}
