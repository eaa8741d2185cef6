//! Questions about types, and rewrites of them: a name for each `impl Trait`, `'static` for elided lifetimes.

use proc_macro2::Ident;
use quote::format_ident;
use syn::ext::IdentExt as _;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericParam, Type, parse_quote};

use crate::parse::start;
use crate::runtime::at;

/// A type without what may be around it: parentheses, and the invisible group of a `$ty:ty`.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// The type of the argument that binds `of`, with every `impl Trait` replaced by a type parameter, and
/// those parameters.
pub(crate) fn named(ty: &Type, of: Vec<Ident>) -> (Type, Vec<GenericParam>) {
    let mut ty = ty.clone();
    let mut named = NameImplTraits {
        of,
        added: Vec::new(),
    };
    named.visit_type_mut(&mut ty);
    (ty, named.added)
}

/// Replaces each `impl Trait` by a type parameter, named after the argument.
struct NameImplTraits {
    of: Vec<Ident>,
    added: Vec<GenericParam>,
}

impl VisitMut for NameImplTraits {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        // a name needs no parentheses, and the compiler would warn about them
        while let Type::Paren(paren) = ty
            && matches!(*paren.elem, Type::ImplTrait(_))
        {
            *ty = (*paren.elem).clone();
        }
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

/// Whether a type contains a `&mut`, as `Option<&mut T>`, a tuple or a slice may. The parameters of a function pointer or a closure
/// don't count, because their values are passed in calls of it and not held.
pub(crate) fn holds_mut_ref(ty: &Type) -> bool {
    struct Find(bool);
    impl VisitMut for Find {
        fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
            self.0 |= reference.mutability.is_some();
            visit_mut::visit_type_reference_mut(self, reference);
        }
        fn visit_parenthesized_generic_arguments_mut(
            &mut self,
            _: &mut syn::ParenthesizedGenericArguments,
        ) {
        }
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    }
    let mut find = Find(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// Whether a type contains a `_`.
pub(crate) fn has_blank(ty: &Type) -> bool {
    struct Find(bool);
    impl VisitMut for Find {
        fn visit_type_infer_mut(&mut self, _: &mut syn::TypeInfer) {
            self.0 = true;
        }
    }
    let mut find = Find(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// Replaces each `_` in a type: by `()`, or in the type of an argument by something that accepts any type.
pub(crate) fn fill_blanks(ty: &mut Type, is_argument: bool) {
    struct Fill(bool);
    impl VisitMut for Fill {
        fn visit_type_mut(&mut self, ty: &mut Type) {
            match ty {
                Type::Infer(_) if self.0 => *ty = parse_quote!(impl ::core::marker::Sized),
                Type::Infer(_) => *ty = parse_quote!(()),
                // `impl Trait` is not allowed here
                Type::FnPtr(_) | Type::ImplTrait(_) | Type::TraitObject(_) => {
                    visit_mut::visit_type_mut(&mut Fill(false), ty);
                }
                ty => visit_mut::visit_type_mut(self, ty),
            }
        }
    }
    Fill(is_argument).visit_type_mut(ty);
}

/// Whether a type names a lifetime.
pub(crate) fn names_lifetime(ty: &Type) -> bool {
    struct Find(bool);
    impl VisitMut for Find {
        fn visit_lifetime_mut(&mut self, lifetime: &mut syn::Lifetime) {
            self.0 |= lifetime.ident != "_";
        }
    }
    let mut find = Find(false);
    find.visit_type_mut(&mut ty.clone());
    find.0
}

/// The type with `'static` for each elided lifetime.
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
