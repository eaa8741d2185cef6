//! What makes up a call's key: `key`, or the arguments that are neither skipped nor scope ids.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::Expr;

use super::options::Options;
use super::plan::is_skipped;
use super::signature::Function;
use crate::parse::{peel, start};
use crate::runtime::{Runtime, at};

/// The parts of a key, and how they are put together.
pub(crate) struct KeyParts {
    /// A reference to each part.
    pub(crate) references: Vec<TokenStream>,
    tuple: Part,
}

enum Part {
    /// The part of that index.
    One(usize),
    Tuple(Vec<Part>),
}

impl KeyParts {
    /// Leaves out the arguments in `ids`, which are in the scope's path.
    pub(crate) fn of(
        function: &Function,
        options: &Options,
        ids: &[Ident],
        runtime: &Runtime,
    ) -> Self {
        let mut parts = Collected {
            runtime,
            references: Vec::new(),
        };
        let tuple = if let Some(key) = &options.key {
            vec![parts.expression(key)]
        } else {
            let args = function.args.iter().filter(|arg| {
                let binds = arg.binds();
                let in_path = arg.is_bound_whole() && binds.iter().all(|name| ids.contains(name));
                !in_path && !is_skipped(arg, options)
            });
            args.map(|arg| parts.one(&arg.name.to_token_stream()))
                .collect()
        };
        KeyParts {
            references: parts.references,
            tuple: Part::Tuple(tuple),
        }
    }

    /// A name for each part, for the parameters of a function.
    pub(crate) fn names(&self) -> Vec<Ident> {
        let name = |index| format_ident!("part{index}", span = Span::mixed_site());
        (0..self.references.len()).map(name).collect()
    }

    /// A name for each part's type.
    pub(crate) fn types(&self) -> Vec<Ident> {
        let name = |index| format_ident!("Part{index}", span = Span::mixed_site());
        (0..self.references.len()).map(name).collect()
    }

    /// The tuple of all parts by their names.
    pub(crate) fn tuple(&self) -> TokenStream {
        self.tuple.tokens(&self.names())
    }
}

impl Part {
    fn tokens(&self, names: &[Ident]) -> TokenStream {
        match self {
            Part::One(index) => names[*index].to_token_stream(),
            Part::Tuple(parts) => {
                let parts: Vec<TokenStream> = parts.iter().map(|part| part.tokens(names)).collect();
                nested_tuple(&parts)
            }
        }
    }
}

/// serde knows tuples of up to 16 elements: more of them become a tuple of tuples.
fn nested_tuple(parts: &[TokenStream]) -> TokenStream {
    if parts.len() <= 16 {
        return quote!((#(#parts,)*));
    }
    let chunks: Vec<TokenStream> = parts.chunks(16).map(nested_tuple).collect();
    nested_tuple(&chunks)
}

/// Parts on the way.
struct Collected<'a> {
    runtime: &'a Runtime,
    references: Vec<TokenStream>,
}

impl Collected<'_> {
    /// The part that an expression of a place gives.
    fn one(&mut self, place: &TokenStream) -> Part {
        let span = start(place);
        let key_part = self.runtime.private_at("key_part", span);
        let span = at(span);
        self.references
            .push(quote_spanned!(span=> #key_part(&#place)));
        Part::One(self.references.len() - 1)
    }

    /// What an expression gives. A tuple is taken apart, so that `key = (a, b)` moves neither `a` nor
    /// `b`.
    fn expression(&mut self, expr: &Expr) -> Part {
        match peel(expr) {
            Expr::Tuple(tuple) if !tuple.elems.is_empty() => Part::Tuple(
                tuple
                    .elems
                    .iter()
                    .map(|elem| self.expression(elem))
                    .collect(),
            ),
            _ if matches!(expr, Expr::Path(_) | Expr::Lit(_)) => self.one(&expr.to_token_stream()),
            _ => {
                let span = start(expr);
                self.one(&quote_spanned!(span=> (#expr)))
            }
        }
    }
}
