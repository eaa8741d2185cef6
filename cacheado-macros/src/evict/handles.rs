//! What to evict, as values that own all they need. They are made before the body runs, which may consume the arguments.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::spanned::Spanned as _;
use syn::{Expr, Type};

use super::options::Evictions;
use crate::cache::argument::Arg;
use crate::cache::signature::Function;
use crate::cache::{Scopes, level_path, look};
use crate::mentions::{mentions, same};
use crate::parse::Errors;
use crate::runtime::{Runtime, at, local};
use crate::scopes::resolve::resolve;
use crate::verbs::WrittenCall;

impl Evictions {
    /// The expression of each handle.
    pub(super) fn handles(
        &self,
        function: &Function,
        scopes: Scopes<'_>,
        errors: &mut Errors,
    ) -> Vec<TokenStream> {
        let runtime = Runtime::find();
        let arguments: Vec<Ident> = function.args.iter().flat_map(Arg::binds).collect();
        let calls = self.calls.iter().filter_map(WrittenCall::of);
        let mut handles: Vec<TokenStream> = calls
            .map(|call| call.keyed(|arg| kept_for_body(arg, function)))
            .collect();
        let mut seen: Vec<String> = Vec::new();
        for scope in &self.scopes {
            let name = &scope.name;
            scope.check_ids(&arguments, errors);
            let scope = if scope.is_global() {
                scope.check_global(errors);
                let global = runtime.private("global_scope");
                quote!(#global())
            } else {
                let Some((hierarchy, path)) = scopes else {
                    continue;
                };
                let Some(resolved) = resolve(scope, hierarchy, &arguments, None, errors) else {
                    continue;
                };
                let level = level_path(&resolved, path);
                let ids = resolved.ids.iter();
                let ids = ids.map(|id| look::id_text(&runtime, &id.expr));
                let make_scope = runtime.private("scope");
                quote!(#make_scope(&#level, [#(#ids),*]))
            };
            let text = scope.to_string();
            if seen.contains(&text) {
                let name_of = name.value();
                errors.on(
                    name,
                    format!("the scope `{name_of}` is evicted already: name it once"),
                );
            }
            seen.push(text);
            let (evict, cache) = (
                runtime.private("scope_eviction"),
                look::cache(&runtime, self.cache.as_ref()),
            );
            handles.push(quote!(#evict(#cache, #scope)));
        }
        handles
    }
}

/// An argument of the call to evict. If it is one of the annotated function's own arguments, is passed by value, and the body needs it
/// too, it is cloned.
fn kept_for_body(arg: &Expr, function: &Function) -> Expr {
    let Expr::Path(path) = arg else {
        return arg.clone();
    };
    let own = function
        .args
        .iter()
        .find(|own| path.path.get_ident().is_some_and(|it| same(it, &own.name)));
    match own {
        Some(own)
            if !matches!(own.ty, Type::Reference(_))
                && mentions(&function.body, std::slice::from_ref(&own.name)) =>
        {
            // in a statement of its own, so that its type is the argument's, and a mismatch is reported as one
            let span = at(own.name.span());
            let mut kept = local("kept");
            kept.set_span(kept.span().located_at(arg.span()));
            syn::parse_quote_spanned!(span=> { let #kept = ::core::clone::Clone::clone(&#arg); #kept })
        }
        _ => arg.clone(),
    }
}
