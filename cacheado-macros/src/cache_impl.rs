//! `#[cache_impl]`: tells the attributes inside an impl block that they stand in one, and of which
//! kind. An attribute sees only its function, so a function without a receiver can't know.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::{Attribute, Error, ImplItem, ItemImpl, Meta};

use crate::cache::options::{INHERENT, TRAIT};

const ATTRIBUTES: [&str; 2] = ["cache", "cache_put"];

pub(crate) fn expand(attr: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut error = (!attr.is_empty())
        .then(|| Error::new_spanned(attr, "`#[cache_impl]` takes no options").to_compile_error());
    let block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(mut block) => {
            let marker = if block.trait_.is_some() {
                TRAIT
            } else {
                INHERENT
            };
            let marker = Ident::new(marker, Span::mixed_site());
            for item in &mut block.items {
                mark(item, &marker);
            }
            block.into_token_stream()
        }
        Err(why) => {
            error.get_or_insert_with(|| {
                let what = format!("`#[cache_impl]` stands on an impl block: {why}");
                Error::new(why.span(), what).to_compile_error()
            });
            item.clone()
        }
    };
    quote!(#block #error)
}

fn mark(item: &mut ImplItem, marker: &Ident) {
    let ImplItem::Fn(function) = item else {
        return;
    };
    for attr in &mut function.attrs {
        if is_ours(attr) {
            attr.meta = marked(&attr.meta, marker);
        }
    }
}

/// Also by a longer path: `#[cacheado::cache]`.
fn is_ours(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|last| ATTRIBUTES.iter().any(|name| last.ident == name))
}

fn marked(meta: &Meta, marker: &Ident) -> Meta {
    let path = meta.path();
    match meta {
        Meta::List(list) => {
            let options = &list.tokens;
            syn::parse_quote!(#path(#marker, #options))
        }
        // a value is no form of ours, and says so itself
        Meta::NameValue(_) => meta.clone(),
        Meta::Path(_) => syn::parse_quote!(#path(#marker)),
    }
}
