//! `#[cache_evict]`: evicts calls of cached functions, or whole scopes, around a function's body.
//!
//! What is to be evicted is worked out before the body runs, while its arguments are still there; it
//! is evicted once the body has succeeded, or ahead of it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Expr, Path, Result, ReturnType, Token, Type};

use crate::cache::argument::Arg;
use crate::cache::boxed::{boxed_output, future_output};
use crate::cache::fallback::with_item;
use crate::cache::scope_option::{ScopeOption, parse_scope};
use crate::cache::signature::{Flavor, Function};
use crate::cache::types::find_impl_trait;
use crate::cache::values::{cache_of, path_of};
use crate::cache::{Scopes, detour, level_path, look};
use crate::mentions::{mentions, same};
use crate::parse::{Errors, Form, Keyword, comma_or_end, did_you_mean, ends, skip_option};
use crate::runtime::{Runtime, at, local};
use crate::scopes::resolve::resolve;
use crate::verbs::WrittenCall;

const OPTIONS: [&str; 4] = ["scope", "scopes", "cache", "before"];

/// What stands in `#[cache_evict(…)]`.
#[derive(Default)]
pub(crate) struct Evictions {
    /// Calls of cached functions.
    calls: Vec<Expr>,
    pub(crate) scopes: Vec<ScopeOption>,
    /// The module that `scopes!` made.
    module: Option<Path>,
    /// The cache whose scopes are evicted.
    pub(crate) cache: Option<Expr>,
    before: bool,
}

/// What the attribute and its function become. `scopes`: what `detour` has fetched, once it has.
pub(crate) fn attribute(attr: &TokenStream, item: &TokenStream, scopes: Scopes<'_>) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_item(&error, item),
    };
    let mut errors = Errors::default();
    let evictions = Evictions::read(attr.clone(), &mut errors);
    if let Err(error) = errors.finish() {
        return with_item(&error, item);
    }
    if scopes.is_none()
        && let Some(scope) = evictions.scopes.iter().find(|scope| !scope.is_global())
    {
        return detour::fetch("evict", evictions.module.as_ref(), scope, attr, item);
    }
    let mut errors = Errors::default();
    if let Some(error) = function.names_twice() {
        errors.push(error);
    }
    check_output(&function, &mut errors);
    let handles = evictions.handles(&function, scopes, &mut errors);
    match errors.finish() {
        Ok(()) => expand(&function, &handles, evictions.before),
        Err(error) => with_item(&error, item),
    }
}

impl Evictions {
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Evictions {
        let mut evictions = Evictions::default();
        let mut read = |input: ParseStream<'_>| {
            let mut seen: Vec<String> = Vec::new();
            while !input.is_empty() {
                evictions.read_one(&mut seen, input, errors)?;
                comma_or_end(input)?;
            }
            Ok(())
        };
        let parsed = (|input: ParseStream<'_>| read(input)).parse2(tokens);
        let is_read = errors.take(parsed).is_some();
        if is_read && evictions.calls.is_empty() && evictions.scopes.is_empty() && errors.is_empty()
        {
            errors.at(
                Span::call_site(),
                "`#[cache_evict]` says nothing to evict: name a call, `profile(org_id, user_id)`, or \
                 a scope, `scope = \"user\"`",
            );
        }
        if let Some(cache) = &evictions.cache
            && evictions.scopes.is_empty()
            && !evictions.calls.is_empty()
        {
            errors.on(
                cache,
                "`cache` says in which cache a `scope` is evicted, and there is none: a call is evicted \
                 from the cache of its function",
            );
        }
        evictions
    }

    fn read_one(
        &mut self,
        seen: &mut Vec<String>,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> Result<()> {
        let Some(keyword) = option_ahead(input)? else {
            let call: Expr = input.parse()?;
            if WrittenCall::of(&call).is_some() {
                self.calls.push(call);
            } else {
                errors.on(
                    &call,
                    "this is no call of a cached function: `profile(org_id, user_id)`",
                );
            }
            return Ok(());
        };
        let name = keyword.text();
        // several scopes may be evicted, but there is one of each other option
        if name != "scope" && seen.contains(&name) {
            errors.at(keyword.0.span(), format!("duplicate option `{name}`"));
            return skip_option(input);
        }
        seen.push(name.clone());
        match name.as_str() {
            "scope" => {
                keyword.expect(Form::ValueOrList, input)?;
                let scope = parse_scope(&keyword, input)?;
                self.scopes.extend(errors.take(scope));
            }
            "scopes" => {
                let value = keyword.value(input)?;
                self.module = errors.take(path_of(&value));
            }
            "cache" => {
                let value = keyword.value(input)?;
                self.cache = errors.take(cache_of(value));
            }
            "before" => {
                keyword.expect(Form::Flag, input)?;
                self.before = true;
            }
            _ => {
                let hint = did_you_mean(&name, OPTIONS);
                let hint = if hint.is_empty() {
                    String::from(", the options are `scope`, `scopes`, `cache` and `before`")
                } else {
                    hint
                };
                errors.at(keyword.0.span(), format!("unknown option `{name}`{hint}"));
                skip_option(input)?;
            }
        }
        Ok(())
    }

    /// The expression of each eviction: a value that owns all it needs.
    fn handles(
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

/// What is returned has to be named, as it is looked into.
fn check_output(function: &Function, errors: &mut Errors) {
    let Some(found) = find_impl_trait(&function.output) else {
        return;
    };
    let message = if future_output(&found.bounds).is_some() {
        "write `async fn` instead: what is evicted goes when the future is over"
    } else {
        "`#[cache_evict]` asks what is returned whether it is an `Err`, so name the type instead of `impl Trait`"
    };
    errors.on(found, message);
}

/// An argument of the call to evict. One of the function's own that is passed by value, and that the
/// body needs too, is cloned.
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
            // by itself, so that its type is the argument's own, and one that does not fit is told as such
            let span = at(own.name.span());
            let mut kept = local("kept");
            kept.set_span(kept.span().located_at(arg.span()));
            syn::parse_quote_spanned!(span=> { let #kept = ::core::clone::Clone::clone(&#arg); #kept })
        }
        _ => arg.clone(),
    }
}

/// The keyword, if an option comes next, and not a call.
fn option_ahead(input: ParseStream<'_>) -> Result<Option<Keyword>> {
    let ahead = input.fork();
    let Ok(keyword) = ahead.parse::<Keyword>() else {
        return Ok(None);
    };
    let is_value = ahead.peek(Token![=]) && !ahead.peek(Token![==]);
    let is_alone = ahead.is_empty() || ahead.peek(Token![,]);
    let is_scope = keyword.0 == "scope" && ahead.peek(syn::token::Paren);
    // a lone name that is no keyword of ours is more likely a call without its arguments
    if is_value || is_scope || (is_alone && OPTIONS.iter().any(|name| keyword.0 == name)) {
        return Ok(Some(Keyword(input.call(Ident::parse_any)?)));
    }
    Ok(None)
}

/// How the body is run.
enum Run {
    /// By the call.
    Now,
    /// By the future that the call gives.
    InFuture,
    /// By a future like it of the function's own making, which has this output.
    InFutureOf(Box<Type>),
}

fn how(function: &Function) -> Run {
    let of_its_own = match &function.flavor {
        Flavor::Async => None,
        Flavor::Boxed(boxed) => boxed.may_return_early().then(|| function.output.clone()),
        Flavor::Sync => match boxed_output(&function.output) {
            Some(output) => Some(output),
            None => return Run::Now,
        },
    };
    of_its_own.map_or(Run::InFuture, |output| Run::InFutureOf(Box::new(output)))
}

fn expand(function: &Function, handles: &[TokenStream], before: bool) -> TokenStream {
    let runtime = Runtime::find();
    let Function {
        attrs,
        vis,
        defaultness,
        sig,
        body,
        output,
        ..
    } = function;
    let names: Vec<Ident> = (0..handles.len())
        .map(|index| local(&format!("__cacheado_evict{index}")))
        .collect();
    let result = local("__cacheado_result");
    let future = local("__cacheado_future");
    let name = sig.ident.span();
    let once = runtime.private("once");
    let how = how(function);
    let run = match (&how, &function.flavor) {
        (Run::Now, _) => quote!(#once(|| -> #output #body)),
        (Run::InFutureOf(_), _) => quote!(#future.await),
        (Run::InFuture, flavor) => {
            let body = match flavor {
                Flavor::Boxed(boxed) => boxed.body(),
                _ => body.clone(),
            };
            let body = look::headed(&look::typed_return(output, name), &body);
            quote!(async move #body.await)
        }
    };
    let evict = match how {
        Run::Now => quote!(#(#names.run_evict();)*),
        _ => evict_in_future(&runtime, &names),
    };
    // one may be made of what another still has
    let evict = if names.len() > 1 {
        let under_way = local("__cacheado_under_way");
        quote!({ let #under_way = (#(#names.under_way(),)*); #evict })
    } else {
        evict
    };
    let bindings = pattern_bindings(function, handles);
    let prepare = quote!(#[allow(clippy::used_underscore_binding)] let (#(#names,)*) = { #bindings (#(#handles,)*) };);
    // ahead of whatever stands before the block of a boxed future
    let (ahead, prepare) = match (&how, &function.flavor) {
        (Run::InFutureOf(_), _) | (_, Flavor::Boxed(_)) => (Some(prepare), None),
        _ => (None, Some(prepare)),
    };
    let core = if before {
        quote!(#prepare #evict #run)
    } else {
        let (output, span) = match (&how, &sig.output) {
            (Run::InFutureOf(of), _) => (&**of, ends(&**of, name)),
            (_, ReturnType::Default) => (output, (name, name)),
            (_, ReturnType::Type(..)) => (output, ends(output, name)),
        };
        let kind = look::kind(&runtime, output, span);
        let is_over = look::is_over(&runtime, output, span.0);
        quote! {
            #prepare
            #is_over
            let #result: #output = #run;
            if #kind.succeeded(&#result) {
                #evict
            }
            #result
        }
    };
    let core = match (&how, &function.flavor) {
        (Run::InFutureOf(_), _) => {
            let boxed = runtime.private("boxed");
            let output = &sig.output;
            quote! {
                #ahead
                let #future = #once(|| #output #body);
                #boxed(async move { #core })
            }
        }
        (_, Flavor::Boxed(boxed)) => {
            let body = boxed.with_body(&core);
            quote!(#ahead #body)
        }
        _ => core,
    };
    let body = function.in_its_braces(&quote!({ #core }));
    quote! {
        #(#attrs)*
        #vis #defaultness #sig #body
    }
}

/// Evicts, all at once, and waits for it.
fn evict_in_future(runtime: &Runtime, names: &[Ident]) -> TokenStream {
    let (join, boxed) = (runtime.private("join"), runtime.private("boxed"));
    let evictions = names.iter().map(|name| {
        let evict = quote!(#name.run_evict_async());
        // several would make the function's future large
        if names.len() > 1 {
            quote!(#boxed(#evict))
        } else {
            evict
        }
    });
    let evictions = evictions.reduce(|all, one| quote!(#join(#all, #one)));
    evictions.map_or_else(TokenStream::new, |all| quote!(#all.await;))
}

/// What the patterns of arguments bind, as far as `handles` name it. Under `#[async_trait]` they are bound in the body, so here those
/// are clones.
fn pattern_bindings(function: &Function, handles: &[TokenStream]) -> TokenStream {
    if !matches!(function.flavor, Flavor::Boxed(_)) {
        return TokenStream::new();
    }
    let handles = quote!(#(#handles)*);
    let args = function.args.iter().filter(|arg| !arg.rebind);
    let bindings = args.filter_map(|arg| {
        let (pat, name) = (arg.pat_by_ref()?, &arg.name);
        let clones = arg.binds().into_iter();
        let clones = clones
            .filter(|bound| mentions(&handles, std::slice::from_ref(bound)))
            .map(|bound| quote!(let #bound = ::core::clone::Clone::clone(#bound);));
        Some(quote!(#[allow(unused_variables)] let #pat = &#name; #(#clones)*))
    });
    bindings.collect()
}
