//! The detour of an attribute that names a scope. The attribute sees only its function, and `scopes!` only the hierarchy. So the
//! attribute hands everything to the hidden `hierarchy!` of the module that `scopes!` generated. That adds the hierarchy and calls
//! `__expand!`, which then knows both.
//!
//! If there is no such module, the compiler reports that, and the call expands to nothing. So stand-ins for the function and its
//! companions are emitted as well, to keep its calls and verbs from being errors, too. Each has an attribute from the module that
//! removes it. If the module is missing, the compiler reports that attribute in the same words.

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

/// The call of `hierarchy!`, and the `stand_ins` with the attribute that they are given.
pub(crate) fn fetch(
    kind: &str,
    module: Option<&Path>,
    scope: &ScopeOption,
    attr: &TokenStream,
    item: &TokenStream,
    stand_ins: impl FnOnce(&TokenStream) -> TokenStream,
) -> TokenStream {
    // without `scopes!`, the error is reported at the scope's name
    let span = at(scope.name.span());
    let default = quote_spanned!(scope.name.span()=> crate::scope);
    let module = module.map_or(default, |path| quote!(#path));
    let expand = Runtime::find().private("__expand");
    let kind = Ident::new(kind, span);
    let made = quote_spanned!(span=> #module::__made_by_scopes);
    let stand_ins = stand_ins(&quote_spanned!(span=> #[#made::instead]));
    quote_spanned! {span=>
        #made::hierarchy! { [#expand] [#module] #kind [#attr] #item }
        #stand_ins
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
