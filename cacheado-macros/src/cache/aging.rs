//! How values age: `stale`, `refresh_after`, `timeout`, `hard_timeout`, `jitter` and `none_ttl`, and what can't be said of them.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, Result};

use super::duration::{constant, part};
use super::options::Options;
use super::plan::Kind;
use crate::parse::{Errors, start};

/// What the options say, as expressions.
#[derive(Default)]
pub(crate) struct Aging {
    pub(crate) stale: Option<Given>,
    pub(crate) refresh_after: Option<Given>,
    pub(crate) timeout: Option<Given>,
    pub(crate) hard_timeout: Option<Given>,
    pub(crate) jitter: Option<Given>,
    pub(crate) none_ttl: Option<Given>,
}

/// The value of an option, and where it stands.
pub(crate) struct Given {
    pub(crate) value: TokenStream,
    pub(crate) span: Span,
}

impl Aging {
    /// Reads the option `name`, if it is one of these.
    pub(crate) fn read(&mut self, name: &str, option: Span, value: &Expr) -> Option<Result<()>> {
        let (place, read) = match name {
            "stale" => (&mut self.stale, constant(name, value)),
            "refresh_after" => (&mut self.refresh_after, part(name, false, value)),
            "timeout" => (&mut self.timeout, constant(name, value)),
            "hard_timeout" => (&mut self.hard_timeout, constant(name, value)),
            "jitter" => (&mut self.jitter, part(name, true, value)),
            "none_ttl" => (&mut self.none_ttl, constant(name, value)),
            _ => return None,
        };
        let span = match name {
            "hard_timeout" | "none_ttl" => start(value),
            _ => option,
        };
        Some(read.map(|value| *place = Some(Given { value, span })))
    }

    /// Those by which the body may run in the background, and outlive its call.
    fn background(&self) -> impl Iterator<Item = (&'static str, Span)> {
        let options = [
            ("stale", &self.stale),
            ("refresh_after", &self.refresh_after),
            ("timeout", &self.timeout),
            ("hard_timeout", &self.hard_timeout),
        ];
        let given =
            |(name, given): (&'static str, &Option<Given>)| Some((name, given.as_ref()?.span));
        options
            .into_iter()
            .filter_map(given)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The first of the options by which the body may outlive its call.
    pub(crate) fn outlives(&self) -> Option<&'static str> {
        self.background().next().map(|(name, _)| name)
    }

    /// What the site is told.
    pub(crate) fn site(&self, owned: bool) -> TokenStream {
        let options = [
            (quote!(stale), &self.stale),
            (quote!(refresh_after), &self.refresh_after),
            (quote!(timeout), &self.timeout),
            (quote!(hard_timeout), &self.hard_timeout),
            (quote!(jitter), &self.jitter),
        ];
        let options = options.into_iter().filter_map(|(method, given)| {
            let value = &given.as_ref()?.value;
            Some(quote!(.#method(#value)))
        });
        let owned = owned.then(|| quote!(.owned()));
        quote!(#(#options)* #owned)
    }
}

/// What can be said without the hierarchy.
pub(crate) fn check(kind: Kind, options: &Options, errors: &mut Errors) {
    let aging = &options.aging;
    if options.ttl.is_none() {
        let mut needs = |name: &str, given: &Option<Given>, why: &str| {
            if let Some(given) = given {
                errors.at(given.span, format!("`{name}` needs `ttl`: {why}"));
            }
        };
        needs(
            "stale",
            &aging.stale,
            "it says how long past its lifetime a value may stand in",
        );
        needs(
            "refresh_after",
            &aging.refresh_after,
            "it is the part of that past which a hit begins a refresh",
        );
        needs(
            "jitter",
            &aging.jitter,
            "it is the part of that by which a lifetime may be longer",
        );
    }
    if let (Some(none), Some(_)) = (&aging.none_ttl, &options.no_none) {
        errors.at(
            none.span,
            "with `cache_none = false` a `None` is not stored: leave out one of the two",
        );
    }
    let mut conflicts = |goes: &str, why: &str| {
        for (name, span) in aging.background() {
            errors.at(span, format!("`{name}` doesn't go with {goes}: {why}"));
        }
    };
    if options.batch.is_some() {
        conflicts(
            "`batch`",
            "of many ids some may be there, some past their lifetime, and some not",
        );
    }
    if kind == Kind::Put {
        let timeouts = [
            ("timeout", &aging.timeout),
            ("hard_timeout", &aging.hard_timeout),
        ];
        for (name, given) in timeouts {
            if let Some(given) = given {
                errors.at(
                    given.span,
                    format!("`{name}` is for `#[cache]`: the body of `#[cache_put]` runs in any case, and its caller waits for it"),
                );
            }
        }
    }
}
