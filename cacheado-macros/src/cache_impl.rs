//! `#[cache_impl]` tells the attributes inside an impl block or a trait that they are in one, and of which kind. An attribute sees
//! only its function, so one on a function without a receiver can't know.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, ImplItem, Item, Meta, Token, TraitItem};

use crate::cache::expand::is_cfg;
use crate::cache::options::{INHERENT, TRAIT};
use crate::mentions::same;
use crate::parse::{Errors, is_key_value, start};
use crate::runtime::local;
use crate::siblings;

const ATTRIBUTES: [&str; 2] = ["cache", "cache_put"];

pub(crate) fn expand(attr: &TokenStream, item: &TokenStream) -> TokenStream {
    let mut error = TokenStream::new();
    if !attr.is_empty() && !is_key_value(attr) {
        let refused = Error::new_spanned(attr, "`#[cache_impl]` takes no options");
        error.extend(refused.to_compile_error());
    }
    let block = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Impl(mut block)) => {
            let marker = if block.trait_.is_some() {
                TRAIT
            } else {
                INHERENT
            };
            let functions = block.items.iter_mut().filter_map(|item| match item {
                ImplItem::Fn(function) => Some((&function.sig.ident, &mut function.attrs)),
                _ => None,
            });
            error.extend(tell(functions.collect(), marker));
            block.into_token_stream()
        }
        Ok(Item::Trait(mut block)) => {
            let functions = block.items.iter_mut().filter_map(|item| match item {
                TraitItem::Fn(function) => Some((&function.sig.ident, &mut function.attrs)),
                _ => None,
            });
            error.extend(tell(functions.collect(), TRAIT));
            block.into_token_stream()
        }
        other => {
            if error.is_empty() {
                let message = "`#[cache_impl]` stands on an impl block, or on a trait";
                error = match other {
                    Ok(_) => Error::new(start(item), message),
                    Err(why) => Error::new(why.span(), format!("{message}: {why}")),
                }
                .to_compile_error();
            }
            item.clone()
        }
    };
    quote!(#block #error)
}

/// Marks the attributes of all functions. Returns the errors in them, including those between functions.
fn tell(mut functions: Vec<(&Ident, &mut Vec<Attribute>)>, marker: &str) -> TokenStream {
    let mut errors = Errors::default();
    let attrs = functions.iter().flat_map(|(_, attrs)| attrs.iter());
    siblings::check(attrs, &mut errors);
    forget_defined_twice(&mut functions);
    let marker = local(marker);
    for (_, attrs) in &mut functions {
        if let Some(error) = mark(attrs, &marker) {
            errors.push(error);
        }
    }
    errors
        .finish()
        .map_err(Error::into_compile_error)
        .err()
        .unwrap_or_default()
}

/// Removes cacheado's attributes from a function that is defined twice. The compiler rejects it, and would reject each companion too.
fn forget_defined_twice(functions: &mut [(&Ident, &mut Vec<Attribute>)]) {
    let mut seen: Vec<&Ident> = Vec::new();
    for (name, attrs) in functions {
        // with a `cfg`, one of the two may not exist
        if attrs.iter().any(is_cfg) {
            continue;
        }
        if seen.iter().any(|it| same(it, name)) {
            attrs.retain(|attr| !is_ours(&attr.meta));
        } else {
            seen.push(name);
        }
    }
}

/// Marks cacheado's attributes of one function. One inside an unevaluated `cfg_attr` is an error, and then treated as if it applied,
/// so that this is the only error.
fn mark(attrs: &mut [Attribute], marker: &Ident) -> Option<Error> {
    let mut error = None;
    for attr in attrs {
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

/// Whether it is `cache` or `cache_put`, also by a longer path: `#[cacheado::cache]`.
fn is_ours(meta: &Meta) -> bool {
    let last = meta.path().segments.last();
    last.is_some_and(|last| ATTRIBUTES.iter().any(|name| last.ident == name))
}

/// This crate's attribute in `#[cfg_attr(…)]`, after the condition.
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
        // `#[cache = …]` is not a valid form, and is reported as such
        Meta::NameValue(_) => meta.clone(),
        Meta::Path(_) => syn::parse_quote!(#path(#marker)),
    }
}
