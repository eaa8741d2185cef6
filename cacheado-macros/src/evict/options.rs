//! The options of `#[cache_evict]` as written: calls of cached functions, and keywords.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Expr, Path, Result, Token};

use crate::cache::scope_option::{SCOPES_WITHOUT_SCOPE, ScopeOption, parse_scope};
use crate::cache::values::{cache_of, literal_of, path_of};
use crate::parse::{Errors, Form, Keyword, comma_or_end, did_you_mean, peel, skip_option};
use crate::verbs::{WrittenCall, lacks_arguments, name_alone};

const OPTIONS: [&str; 4] = ["scope", "scopes", "cache", "before"];

/// The contents of `#[cache_evict(…)]`.
#[derive(Default)]
pub(crate) struct Evictions {
    /// Calls of cached functions.
    pub(super) calls: Vec<Expr>,
    pub(crate) scopes: Vec<ScopeOption>,
    /// The module that `scopes!` made.
    pub(super) module: Option<Path>,
    /// The cache from which scopes are evicted.
    pub(crate) cache: Option<Expr>,
    pub(super) before: bool,
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
        if evictions.scopes.is_empty() && !evictions.calls.is_empty() {
            if let Some(cache) = &evictions.cache {
                errors.on(
                    cache,
                    "`cache` says in which cache a `scope` is evicted, and there is none: a call is evicted \
                     from the cache of its function",
                );
            }
            if let Some(scopes) = &evictions.module {
                errors.on(scopes, SCOPES_WITHOUT_SCOPE);
            }
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
                errors.on(&call, no_call(&call));
            }
            return Ok(());
        };
        let name = keyword.text();
        // several scopes may be evicted, but every other option may be given only once
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
                errors.at(keyword.0.span(), unknown(&name));
                skip_option(input)?;
            }
        }
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    let near = did_you_mean(name, OPTIONS);
    if matches!(name, "all" | "all_entries" | "allEntries") {
        format!(
            "unknown option `{name}`, did you mean `scope = \"global\"`, in which all functions are?"
        )
    } else if near.is_empty() {
        format!(
            "unknown option `{name}`, the options are `scope`, `scopes`, `cache` and `before`; what is evicted \
             is a call, `profile(org_id, user_id)`, or a scope, `scope = \"user\"`"
        )
    } else {
        format!("unknown option `{name}`{near}")
    }
}

/// The message about an `expr` that is not a call of a cached function.
fn no_call(expr: &Expr) -> String {
    let behind = match peel(expr) {
        Expr::Await(_) => ".await",
        Expr::Try(_) => "?",
        _ => {
            return match literal_of(expr) {
                Some(scope) => format!("a scope is named as such: `scope = \"{}\"`", scope.value()),
                None => match name_alone(expr) {
                    Some(name) => lacks_arguments(&format!("{name}(…)")),
                    None => String::from(
                        "this is no call of a cached function: `profile(org_id, user_id)`",
                    ),
                },
            };
        }
    };
    format!("the call alone says what is evicted, and is not made: leave out `{behind}`")
}

/// The keyword, if an option comes next and not a call.
fn option_ahead(input: ParseStream<'_>) -> Result<Option<Keyword>> {
    let ahead = input.fork();
    let Ok(keyword) = ahead.parse::<Keyword>() else {
        return Ok(None);
    };
    let is_value = ahead.peek(Token![=]) && !ahead.peek(Token![==]);
    let is_alone = ahead.is_empty() || ahead.peek(Token![,]);
    let is_scope = keyword.0 == "scope" && ahead.peek(syn::token::Paren);
    // a lone name that is not a keyword is more likely a call without its arguments
    if is_value || is_scope || (is_alone && OPTIONS.iter().any(|name| keyword.0 == name)) {
        return Ok(Some(Keyword(input.call(Ident::parse_any)?)));
    }
    Ok(None)
}
