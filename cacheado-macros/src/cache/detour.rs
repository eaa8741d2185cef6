//! The detour of an attribute that names a scope. The attribute sees only its function, and `scopes!` only the hierarchy. So the
//! attribute hands everything to the hidden `hierarchy!` of the module that `scopes!` generated. That adds the hierarchy and calls
//! `__expand!`, which then knows both.
//!
//! If there is no such module, the compiler reports that, and the call expands to nothing. So the function is emitted a second time, to
//! keep its calls and verbs from being errors, too. Its first attribute, from the module, removes it. If the module is missing, the
//! compiler reports that attribute in the same words, and goes on with the second one, `as_written`.

use proc_macro2::{Delimiter, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, Path};

use super::Kind;
use super::scope_option::ScopeOption;
use crate::parse::group;
use crate::runtime::{Runtime, at};
use crate::scopes::parse::Hierarchy;

/// The call of `hierarchy!`, and the function for the case that there is none.
pub(crate) fn fetch(
    kind: &str,
    module: Option<&Path>,
    scope: &ScopeOption,
    attr: &TokenStream,
    item: &TokenStream,
) -> TokenStream {
    // without `scopes!`, the error is reported at the scope's name
    let span = at(scope.name.span());
    let default = quote_spanned!(scope.name.span()=> crate::scope);
    let module = module.map_or(default, |path| quote!(#path));
    let runtime = Runtime::find();
    let (expand, as_written) = (runtime.private("__expand"), runtime.private("__as_written"));
    let kind = Ident::new(kind, span);
    let made = quote_spanned!(span=> #module::__made_by_scopes);
    quote_spanned! {span=>
        #made::hierarchy! { [#expand] [#module] #kind [#attr] #item }
        #[#made::instead]
        #[#as_written(#kind [#attr])]
        #item
    }
}

/// `#[__as_written]`: the function where scopes are missing or wrong, which is reported elsewhere.
pub(crate) fn as_written(attr: TokenStream, item: &TokenStream) -> TokenStream {
    let parse = |input: ParseStream<'_>| {
        let kind = input.call(Ident::parse_any)?;
        Ok((kind, group(input, Delimiter::Bracket)?))
    };
    match parse.parse2(attr) {
        Ok((kind, attr)) if kind != "evict" => super::as_written(&attr, item),
        _ => item.clone(),
    }
}

/// `__expand!`, which continues with what `hierarchy!` hands over.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let parse = |input: ParseStream<'_>| {
        let hierarchy: Hierarchy = syn::parse2(group(input, Delimiter::Bracket)?)?;
        let path = group(input, Delimiter::Bracket)?;
        let path = Path::parse_mod_style.parse2(path)?;
        let kind = input.call(Ident::parse_any)?;
        let attr = group(input, Delimiter::Bracket)?;
        let item: TokenStream = input.parse()?;
        Ok((hierarchy, path, kind, attr, item))
    };
    match parse.parse2(tokens) {
        Ok((hierarchy, path, kind, attr, item)) => {
            let scopes = Some((&hierarchy, &path));
            match kind.to_string().as_str() {
                "evict" => crate::evict::attribute(&attr, &item, scopes),
                "put" => super::attribute(Kind::Put, &attr, &item, scopes),
                _ => super::attribute(Kind::Cache, &attr, &item, scopes),
            }
        }
        Err(error) => error.to_compile_error(),
    }
}
