//! `#[cache_impl]`: tells the attributes inside an impl block that they stand in one, and of which
//! kind. An attribute sees only its function, so a function without a receiver can't know.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, ImplItem, ItemImpl, Meta, Token};

use crate::cache::options::{INHERENT, TRAIT};
use crate::parse::Errors;
use crate::runtime::local;
use crate::siblings;

const ATTRIBUTES: [&str; 2] = ["cache", "cache_put"];

pub(crate) fn expand(attr: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut error = TokenStream::new();
    if !attr.is_empty() {
        let refused = Error::new_spanned(attr, "`#[cache_impl]` takes no options");
        error.extend(refused.to_compile_error());
    }
    let block = match syn::parse2::<ItemImpl>(item.clone()) {
        Ok(mut block) => {
            let marker = if block.trait_.is_some() {
                TRAIT
            } else {
                INHERENT
            };
            let marker = local(marker);
            let mut errors = Errors::default();
            siblings::check(&block, &mut errors);
            error.extend(errors.finish().map_err(Error::into_compile_error).err());
            for item in &mut block.items {
                let hidden = mark(item, &marker).map(Error::into_compile_error);
                error.extend(hidden);
            }
            block.into_token_stream()
        }
        Err(why) => {
            if error.is_empty() {
                let what = format!("`#[cache_impl]` stands on an impl block: {why}");
                error = Error::new(why.span(), what).to_compile_error();
            }
            item.clone()
        }
    };
    quote!(#block #error)
}

/// Marks those of an item. One that the compiler has not looked at yet is an error, and taken for one that it has, so that it is the only one.
fn mark(item: &mut ImplItem, marker: &Ident) -> Option<Error> {
    let ImplItem::Fn(function) = item else {
        return None;
    };
    let mut error = None;
    for attr in &mut function.attrs {
        if let Some(ours) = in_cfg_attr(attr) {
            error = Some(Error::new_spanned(
                &*attr,
                "`#[cache_impl]` does not see an attribute in `cfg_attr`: write `#[cache(…)]`, and switch it off by \
                 `bypass = cfg!(test)` or `Cache::disabled()`",
            ));
            attr.meta = ours;
        }
        if is_ours(&attr.meta) {
            attr.meta = marked(&attr.meta, marker);
        }
    }
    error
}

/// Also by a longer path: `#[cacheado::cache]`.
fn is_ours(meta: &Meta) -> bool {
    let last = meta.path().segments.last();
    last.is_some_and(|last| ATTRIBUTES.iter().any(|name| last.ident == name))
}

/// The attribute of ours in `#[cfg_attr(…)]`, behind its condition.
fn in_cfg_attr(attr: &Attribute) -> Option<Meta> {
    let list = attr.meta.require_list().ok();
    let list = list.filter(|list| list.path.is_ident("cfg_attr"))?;
    let inside = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    inside.ok()?.into_iter().skip(1).find(is_ours)
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
