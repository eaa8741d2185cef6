//! The names of the runtime that generated code calls, through the crate's real name if the user
//! renamed the dependency. The only place that knows where they live.

use proc_macro_crate::FoundCrate;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// A span that shows `span` to the user, but resolves names as this crate's own code does.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A local of the generated code, which no name of the user's is.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// Where the crate `cacheado` is found from the code that is being expanded.
pub(crate) struct Runtime {
    name: String,
}

impl Runtime {
    pub(crate) fn find() -> Self {
        let name = match proc_macro_crate::crate_name("cacheado") {
            Ok(FoundCrate::Name(name)) => name,
            // its own tests, examples and documentation, or a build without a manifest
            Ok(FoundCrate::Itself) | Err(_) => String::from("cacheado"),
        };
        Runtime { name }
    }

    /// `::cacheado::NAME`
    pub(crate) fn public(&self, name: &str) -> TokenStream {
        let span = Span::mixed_site();
        let (root, name) = (Ident::new(&self.name, span), Ident::new(name, span));
        quote!(::#root::#name)
    }

    /// `::cacheado::__private::NAME`
    pub(crate) fn private(&self, name: &str) -> TokenStream {
        let span = Span::mixed_site();
        self.private_in(name, (span, span))
    }

    /// `::cacheado::__private::NAME`, whose errors show at `span`.
    pub(crate) fn private_at(&self, name: &str, span: Span) -> TokenStream {
        self.private_over(name, (span, span))
    }

    /// `::cacheado::__private::NAME`, whose errors underline all from the one span to the other.
    pub(crate) fn private_over(&self, name: &str, (first, last): (Span, Span)) -> TokenStream {
        self.private_in(name, (at(first), at(last)))
    }

    fn private_in(&self, name: &str, (first, last): (Span, Span)) -> TokenStream {
        // in one piece: what is put together from streams takes a call of the compiler for each
        let (root, name) = (Ident::new(&self.name, first), Ident::new(name, last));
        quote_spanned!(first=> ::#root::__private::#name)
    }
}
