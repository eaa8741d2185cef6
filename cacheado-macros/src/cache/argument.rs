//! An argument: its name in generated code, and what its pattern binds.

use proc_macro2::{Ident, Span};
use quote::format_ident;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Pat, PatIdent, Token, Type};

use super::types::{bare, holds_mut_ref};
use crate::parse::start;
use crate::runtime::at;

/// An argument.
pub(crate) struct Arg {
    /// The parameter's name in generated code; the user's own, if it has one.
    pub(crate) name: Ident,
    pub(crate) mutability: Option<Token![mut]>,
    /// The pattern that the user wrote, if it is more than a name.
    pub(crate) pat: Option<Pat>,
    /// Whether generated code has to bind the pattern. Under `#[async_trait]`, the body does.
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

    /// The pattern that consists of its name alone.
    pub(crate) fn plain_pat(&self) -> Pat {
        Pat::Ident(PatIdent {
            attrs: Vec::new(),
            by_ref: None,
            mutability: None,
            ident: self.name.clone(),
            subpat: None,
        })
    }

    /// The names that the body sees. An upper-case one may be a constant instead.
    pub(crate) fn binds(&self) -> Vec<Ident> {
        self.names().bound
    }

    /// Whether the names that the body sees are bound to the whole argument.
    pub(crate) fn is_bound_whole(&self) -> bool {
        let names = self.names();
        !names.partial && !names.bound.is_empty()
    }

    /// Whether the body may see names that are not written in the pattern.
    pub(crate) fn hides_names(&self) -> bool {
        self.names().hidden
    }

    fn names(&self) -> Names {
        let mut names = Names::default();
        match &self.pat {
            Some(pat) => names.visit_pat_mut(&mut pat.clone()),
            None => names.bound.push(self.name.clone()),
        }
        names
    }

    /// The pattern for a reference to the argument: each name is bound to a reference.
    pub(crate) fn pat_by_ref(&self) -> Option<Pat> {
        let mut pat = self.pat.clone()?;
        ByRef.visit_pat_mut(&mut pat);
        Some(pat)
    }

    /// How messages describe an argument that is a `&mut`, or that contains one.
    pub(crate) fn holds_mut_ref(&self) -> Option<&'static str> {
        match bare(&self.ty) {
            Type::Reference(reference) if reference.mutability.is_some() => Some("taken as `&mut`"),
            ty => holds_mut_ref(ty).then_some("that holds a `&mut`"),
        }
    }

    /// The span of its name or pattern.
    pub(crate) fn span(&self) -> Span {
        self.pat.as_ref().map_or_else(|| self.name.span(), start)
    }
}

/// The names that `pat` certainly binds.
pub(crate) fn bound_by(pat: &Pat) -> Vec<Ident> {
    let mut names = Names::default();
    names.visit_pat_mut(&mut pat.clone());
    let may_be_constant = |name: &Ident| name.to_string().starts_with(char::is_uppercase);
    names.bound.retain(|name| !may_be_constant(name));
    names.bound
}

/// The names that a pattern binds, and whether parts of the argument may be bound to none of them.
#[derive(Default)]
struct Names {
    bound: Vec<Ident>,
    partial: bool,
    /// Whether there may be names that can't be seen, as in a macro.
    hidden: bool,
}

impl VisitMut for Names {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        match pat {
            Pat::Ident(name) => {
                // an upper-case name may be a unit struct or a constant, which binds nothing
                self.partial |= name.ident.to_string().starts_with(char::is_uppercase);
                self.bound.push(name.ident.clone());
            }
            Pat::Or(either) => {
                // all cases bind the same names
                for (nth, case) in either.cases.iter_mut().enumerate() {
                    let bound = self.bound.len();
                    self.visit_pat_mut(case);
                    if nth > 0 {
                        self.bound.truncate(bound);
                    }
                }
                return;
            }
            Pat::Wild(_) | Pat::Rest(_) => self.partial = true,
            Pat::Macro(_) => (self.partial, self.hidden) = (true, true),
            Pat::Struct(fields) if fields.rest.is_some() => self.partial = true,
            _ => {}
        }
        visit_mut::visit_pat_mut(self, pat);
    }
}

/// Makes a pattern match a reference, by removing its own `&`, `ref` and `mut`.
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
