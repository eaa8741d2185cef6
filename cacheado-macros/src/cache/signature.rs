//! The function as it was written, brought to one shape: every argument has a name, every body is
//! raw tokens, `async fn` and what `#[async_trait]` makes of it are told apart.
//!
//! Nothing is refused here but what is no function with a body; `check` refuses the rest.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, FnArg, GenericParam, Generics, Pat, Receiver, Result, ReturnType, Signature,
    Token, Type, Visibility, parse_quote,
};

use super::boxed::Boxed;
use crate::parse::{contains_ident, start};
use crate::runtime::at;

/// A function item.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
    /// All arguments but the receiver.
    pub(crate) args: Vec<Arg>,
    pub(crate) flavor: Flavor,
    /// What a call gives in the end: `T` of `async fn … -> T`.
    pub(crate) output: Type,
}

/// When the body runs.
pub(crate) enum Flavor {
    Sync,
    Async,
    /// A `Pin<Box<dyn Future>>` is returned, as `#[async_trait]` has it.
    Boxed(Box<Boxed>),
}

/// An argument.
pub(crate) struct Arg {
    /// The parameter's name in generated code; the user's own, if it has one.
    pub(crate) name: Ident,
    pub(crate) mutability: Option<Token![mut]>,
    /// The pattern that stands for it, if it is more than a name.
    pub(crate) pat: Option<Pat>,
    /// Whether generated code has to bind the pattern (under `#[async_trait]` the body does).
    pub(crate) rebind: bool,
    pub(crate) ty: Type,
    pub(crate) attrs: Vec<Attribute>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        if !is_function_ahead(input) {
            let end = Span::call_site();
            let span = if input.is_empty() { end } else { input.span() };
            return Err(Error::new(span, "only a function can be annotated here"));
        }
        let defaultness = if input.peek(Token![default]) {
            Some(input.parse()?)
        } else {
            None
        };
        let sig: Signature = input.parse()?;
        let body = match input.parse::<Option<TokenTree>>()? {
            Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body.stream(),
            _ => {
                return Err(Error::new_spanned(
                    &sig.ident,
                    "there is no body here to cache: annotate the function that has one",
                ));
            }
        };
        // `#![…]` at the head of the body: it may move elsewhere, so it says the same from outside
        let body = (|input: ParseStream<'_>| {
            let mut inner = input.call(Attribute::parse_inner)?;
            for attr in &mut inner {
                attr.style = syn::AttrStyle::Outer;
            }
            attrs.append(&mut inner);
            input.parse::<TokenStream>()
        })
        .parse2_into(body)?;

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
            body,
            args,
            flavor: Flavor::Sync,
            output,
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

/// Whether a function may begin here (or a constant, which says so itself).
fn is_function_ahead(input: ParseStream<'_>) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![const])
        || input.peek(Token![async])
        || input.peek(Token![unsafe])
        || input.peek(Token![extern])
        || input.peek(Token![safe])
        || input.peek(Token![default])
}

/// `Parser::parse2` for a closure that borrows.
trait Parse2Into<T> {
    fn parse2_into(self, tokens: TokenStream) -> Result<T>;
}

impl<T, F: FnOnce(ParseStream<'_>) -> Result<T>> Parse2Into<T> for F {
    fn parse2_into(self, tokens: TokenStream) -> Result<T> {
        syn::parse::Parser::parse2(self, tokens)
    }
}

impl Arg {
    fn new(index: usize, typed: &syn::PatType) -> Arg {
        let (ty, attrs) = ((*typed.ty).clone(), typed.attrs.clone());
        match &*typed.pat {
            Pat::Ident(plain) if plain.by_ref.is_none() && plain.subpat.is_none() => Arg {
                name: plain.ident.clone(),
                mutability: plain.mutability,
                pat: None,
                rebind: false,
                ty,
                attrs,
            },
            pat => Arg {
                name: format_ident!("__cacheado_arg{index}", span = at(start(pat))),
                mutability: None,
                rebind: !matches!(pat, Pat::Wild(_)),
                pat: Some(pat.clone()),
                ty,
                attrs,
            },
        }
    }

    /// The names the body sees.
    pub(crate) fn binds(&self) -> Vec<Ident> {
        let Some(pat) = &self.pat else {
            return vec![self.name.clone()];
        };
        let mut names = Names::default();
        names.visit_pat_mut(&mut pat.clone());
        names.bound
    }

    /// Whether the names the body sees are all there is of the argument.
    pub(crate) fn is_bound_whole(&self) -> bool {
        let Some(pat) = &self.pat else {
            return true;
        };
        let mut names = Names::default();
        names.visit_pat_mut(&mut pat.clone());
        !names.partial && !names.bound.is_empty()
    }

    /// The pattern for a reference to the argument: each name is bound to a reference.
    pub(crate) fn pat_by_ref(&self) -> Option<Pat> {
        let mut pat = self.pat.clone()?;
        ByRef.visit_pat_mut(&mut pat);
        Some(pat)
    }

    pub(crate) fn is_mut_ref(&self) -> bool {
        fn is_mut_ref(ty: &Type) -> bool {
            match ty {
                Type::Reference(reference) => reference.mutability.is_some(),
                Type::Group(group) => is_mut_ref(&group.elem),
                Type::Paren(paren) => is_mut_ref(&paren.elem),
                _ => false,
            }
        }
        is_mut_ref(&self.ty)
    }

    /// Where the argument is named.
    pub(crate) fn span(&self) -> Span {
        self.pat.as_ref().map_or_else(|| self.name.span(), start)
    }
}

impl Function {
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.sig.receiver()
    }

    /// The function's name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// Whether `Self` is meant anywhere in it (other than inside items of its own).
    pub(crate) fn mentions_self_type(&self) -> bool {
        if contains_ident(self.sig.to_token_stream(), "Self") {
            return true;
        }
        if !contains_ident(self.body.clone(), "Self") {
            return false;
        }
        let body = &self.body;
        match syn::parse2::<syn::Block>(quote!({ #body })) {
            Ok(mut block) => {
                let mut outer = OuterSelf::default();
                outer.visit_block_mut(&mut block);
                outer.found
            }
            Err(_) => true,
        }
    }

    /// Of each argument, its type with every `impl Trait` replaced by a type parameter, and those
    /// parameters.
    pub(crate) fn named_types(&self) -> Vec<(Type, Vec<GenericParam>)> {
        let named = |arg: &Arg| {
            let mut ty = arg.ty.clone();
            let mut named = NameImplTraits {
                of: arg.binds(),
                added: Vec::new(),
            };
            named.visit_type_mut(&mut ty);
            (ty, named.added)
        };
        self.args.iter().map(named).collect()
    }
}

/// `generics` with more parameters behind its own.
pub(crate) fn extended(
    generics: &Generics,
    more: impl IntoIterator<Item = GenericParam>,
) -> Generics {
    let mut generics = generics.clone();
    generics.params.extend(more);
    generics
}

/// All parameters but lifetimes.
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

/// `::<T, N>` of the type and const parameters, for a call; empty without any.
pub(crate) fn turbofish(generics: &Generics) -> TokenStream {
    let names: Vec<&Ident> = type_and_const_params(generics).map(param_name).collect();
    if names.is_empty() {
        TokenStream::new()
    } else {
        quote!(::<#(#names),*>)
    }
}

/// The names a pattern binds, and whether it leaves a part out.
#[derive(Default)]
struct Names {
    bound: Vec<Ident>,
    partial: bool,
}

impl VisitMut for Names {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        match pat {
            // an upper-case name may be a unit struct or a constant, which binds nothing
            Pat::Ident(name) if !name.ident.to_string().starts_with(char::is_uppercase) => {
                self.bound.push(name.ident.clone());
            }
            Pat::Wild(_) | Pat::Rest(_) | Pat::Macro(_) => self.partial = true,
            Pat::Struct(fields) if fields.rest.is_some() => self.partial = true,
            _ => {}
        }
        visit_mut::visit_pat_mut(self, pat);
    }
}

/// Makes a pattern fit a reference: no `&`, `ref` or `mut` of its own.
struct ByRef;

impl VisitMut for ByRef {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        while let Pat::Reference(reference) = pat {
            *pat = (*reference.pat).clone();
        }
        if let Pat::Ident(ident) = pat {
            ident.by_ref = None;
            ident.mutability = None;
        }
        visit_mut::visit_pat_mut(self, pat);
    }
}

/// Looks for `Self`, but not inside nested items, which have their own.
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

/// Replaces each `impl Trait` by a type parameter, named after the argument.
struct NameImplTraits {
    of: Vec<Ident>,
    added: Vec<GenericParam>,
}

impl VisitMut for NameImplTraits {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(bounds) = ty {
            let of = self
                .of
                .first()
                .map_or_else(|| String::from("_"), |of| of.unraw().to_string());
            let span = at(start(&*bounds));
            let name = match self.added.len() {
                0 => format_ident!("__TypeOf_{of}", span = span),
                n => format_ident!("__TypeOf_{of}_{n}", span = span),
            };
            let bounds = &bounds.bounds;
            self.added.push(parse_quote!(#name: #bounds));
            *ty = parse_quote!(#name);
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}

/// The first `impl Trait` in a type.
pub(crate) fn find_impl_trait(ty: &Type) -> Option<syn::TypeImplTrait> {
    struct Find(Option<syn::TypeImplTrait>);
    impl VisitMut for Find {
        fn visit_type_impl_trait_mut(&mut self, ty: &mut syn::TypeImplTrait) {
            self.0.get_or_insert_with(|| ty.clone());
        }
    }
    let mut find = Find(None);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// The type with `'static` for each lifetime that was left out.
pub(crate) fn with_static_lifetimes(ty: &Type) -> Type {
    struct Static;
    impl VisitMut for Static {
        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            reference
                .lifetime
                .get_or_insert_with(|| parse_quote!('static));
            visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_lifetime_mut(&mut self, lifetime: &mut syn::Lifetime) {
            if lifetime.ident == "_" {
                *lifetime = parse_quote!('static);
            }
        }
    }
    let mut ty = ty.clone();
    Static.visit_type_mut(&mut ty);
    ty
}
