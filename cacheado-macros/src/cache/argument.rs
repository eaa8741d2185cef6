//! An argument: the name that generated code gives it, and what its pattern binds.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Pat, Token, Type};

use crate::parse::start;
use crate::runtime::at;

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

impl Arg {
    pub(crate) fn new(index: usize, typed: &syn::PatType) -> Arg {
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
