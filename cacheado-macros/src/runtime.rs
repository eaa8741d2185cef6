//! The paths of the runtime items that generated code uses. They begin with the crate's actual name, if the user renamed the
//! dependency. No other module knows where these items are.

use proc_macro_crate::FoundCrate;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

/// A span that points to `span` in error messages, but resolves names as this crate's own code does.
pub(crate) fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// A local of the generated code. Hygiene keeps it distinct from all names of the user.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The name under which the expanded code reaches the crate `cacheado`.
pub(crate) struct Runtime {
    name: String,
}

impl Runtime {
    pub(crate) fn find() -> Self {
        let name = match proc_macro_crate::crate_name("cacheado") {
            Ok(FoundCrate::Name(name)) => name,
            // cacheado's own tests, examples and documentation, or a build without a manifest
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

    /// `::cacheado::__private::NAME`, with errors reported at `span`.
    pub(crate) fn private_at(&self, name: &str, span: Span) -> TokenStream {
        self.private_over(name, (span, span))
    }

    /// `::cacheado::__private::NAME`, with errors that underline everything from `first` to `last`.
    pub(crate) fn private_over(&self, name: &str, (first, last): (Span, Span)) -> TokenStream {
        self.private_in(name, (at(first), at(last)))
    }

    fn private_in(&self, name: &str, (first, last): (Span, Span)) -> TokenStream {
        // one `quote_spanned!`, because assembling the path from several streams takes a call into the compiler for each
        let (root, name) = (Ident::new(&self.name, first), Ident::new(name, last));
        quote_spanned!(first=> ::#root::__private::#name)
    }
}
