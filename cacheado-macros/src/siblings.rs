//! Checks that the functions of one impl block or trait agree with each other, which none of their attributes can see by itself. If a
//! value is stored in one place and looked up, or evicted, in another, the code compiles and does nothing.
//!
//! A mistake within one attribute is reported by that attribute.

use quote::ToTokens as _;
use syn::{Attribute, Expr, LitStr, Meta};

use crate::cache::options::Options;
use crate::evict::Evictions;
use crate::parse::Errors;

/// The attributes of the block's functions, except those that can't be read.
#[derive(Default)]
struct Siblings {
    cached: Vec<Options>,
    evicting: Vec<Evictions>,
}

/// `attrs`: the attributes of all functions in the block.
pub(crate) fn check<'a>(attrs: impl IntoIterator<Item = &'a Attribute>, errors: &mut Errors) {
    let siblings = Siblings::of(attrs);
    siblings.check_evicted_caches(errors);
    siblings.check_names(errors);
}

impl Siblings {
    fn of<'a>(attrs: impl IntoIterator<Item = &'a Attribute>) -> Self {
        let mut siblings = Self::default();
        for attr in attrs {
            let tokens = match &attr.meta {
                Meta::List(list) => list.tokens.clone(),
                _ => continue,
            };
            let Some(last) = attr.path().segments.last() else {
                continue;
            };
            if last.ident == "cache" || last.ident == "cache_put" {
                let (options, mistakes) = Options::read(tokens);
                siblings
                    .cached
                    .extend(mistakes.is_empty().then_some(options));
            } else if last.ident == "cache_evict" {
                let mut mistakes = Errors::default();
                let evictions = Evictions::read(tokens, &mut mistakes);
                siblings
                    .evicting
                    .extend(mistakes.is_empty().then_some(evictions));
            }
        }
        siblings
    }

    /// Without `cache`, a scope is evicted from the process-wide cache, which may have no entry of this block's functions.
    fn check_evicted_caches(&self, errors: &mut Errors) {
        let caches: Option<Vec<&Expr>> = self.cached.iter().map(|it| it.cache.as_ref()).collect();
        let Some(caches) = caches.filter(|caches| !caches.is_empty()) else {
            return;
        };
        for evictions in self.evicting.iter().filter(|it| it.cache.is_none()) {
            if let Some(scope) = evictions.scopes.first() {
                let theirs = written(caches[0]);
                errors.on(
                    &scope.name,
                    format!(
                        "this evicts from the process-wide cache, and the functions of this impl have theirs: add `cache = {theirs}`, or \
                         `cache = cacheado::default_cache()` if it is meant"
                    ),
                );
            }
        }
    }

    /// Functions of one name share entries only if their scope, `local` and cache are the same.
    fn check_names(&self, errors: &mut Errors) {
        let mut named: Vec<(&LitStr, &Options)> = Vec::new();
        for options in &self.cached {
            let Some(name) = &options.name else { continue };
            let version = |it: &Options| it.version.as_ref().map(written);
            let first = named.iter().find(|(first, other)| {
                first.value() == name.value() && version(other) == version(options)
            });
            let Some((_, first)) = first else {
                named.push((name, options));
                continue;
            };
            let shares = format!("functions of the name `{}` share entries", name.value());
            let (theirs, ours) = (level(first), level(options));
            if theirs != ours {
                let place = options.scope.as_ref().map_or(name, |scope| &scope.name);
                let first = first.scope.as_ref();
                let first = first.map_or_else(|| "global".to_owned(), |it| it.name.value());
                errors.on(
                    place,
                    format!("{shares} only in one scope, and another of this impl has `scope = \"{first}\"`"),
                );
            } else if first.local != options.local {
                errors.on(name, format!("{shares} only if all of them are `local`"));
            } else if let (Some(cache), None) = (&first.cache, &options.cache) {
                let cache = written(cache);
                errors.on(
                    name,
                    format!(
                        "{shares} only in one cache, and another of this impl has `cache = {cache}`: say it here, too, or \
                         `cache = cacheado::default_cache()` if that one is meant"
                    ),
                );
            } else if let (None, Some(cache)) = (&first.cache, &options.cache) {
                errors.on(
                    cache,
                    format!(
                        "{shares} only in one cache, and another of this impl has the process-wide one: say this there, too, or \
                         `cache = cacheado::default_cache()` if that one is meant"
                    ),
                );
            }
        }
    }
}

/// The level's own name: `user` of `organization/user`.
fn level(options: &Options) -> String {
    let scope = options.scope.as_ref().map(|scope| scope.name.value());
    let path = scope.unwrap_or_else(|| "global".to_owned());
    path.rsplit('/').next().map(str::to_owned).unwrap_or(path)
}

/// The expression as a user writes it, if it is a plain path of fields.
fn written(expr: &Expr) -> String {
    let text = expr.to_token_stream().to_string();
    text.replace(" . ", ".").replace(" :: ", "::")
}
