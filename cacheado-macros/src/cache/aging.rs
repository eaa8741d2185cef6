//! How values age: `stale`, `refresh_after`, `xfetch`, `timeout`, `hard_timeout`, `detached`, `jitter`, `none_ttl`, `err_ttl` and
//! `idle`, and which uses of them are rejected.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Expr, Result};

use super::duration::{constant, factor, part};
use super::options::Options;
use super::plan::Kind;
use super::signature::{Flavor, Function};
use super::ttl::Ttl;
use crate::parse::{Errors, start};

/// The values of the options, as expressions.
#[derive(Default)]
pub(crate) struct Aging {
    pub(crate) stale: Option<Given>,
    pub(crate) refresh_after: Option<Given>,
    pub(crate) xfetch: Option<Given>,
    pub(crate) timeout: Option<Given>,
    pub(crate) hard_timeout: Option<Given>,
    pub(crate) jitter: Option<Given>,
    pub(crate) none_ttl: Option<Given>,
    pub(crate) err_ttl: Option<Given>,
    pub(crate) idle: Option<Given>,
    /// The span of `detached`, if given.
    pub(crate) detached: Option<Span>,
}

/// The value of an option, and the span for errors about it.
pub(crate) struct Given {
    pub(crate) value: TokenStream,
    pub(crate) span: Span,
    /// The duration, if the value is a literal one.
    known: Option<Duration>,
}

impl Aging {
    /// Reads the option `name`, if it is one of these.
    pub(crate) fn read(&mut self, name: &str, option: Span, value: &Expr) -> Option<Result<()>> {
        let unknown = |read: Result<TokenStream>| read.map(|value| (value, None));
        let (place, read) = match name {
            "stale" => (&mut self.stale, constant(name, value)),
            "refresh_after" => (&mut self.refresh_after, unknown(part(name, false, value))),
            "xfetch" => (&mut self.xfetch, unknown(factor(name, value))),
            "timeout" => (&mut self.timeout, constant(name, value)),
            "hard_timeout" => (&mut self.hard_timeout, constant(name, value)),
            "jitter" => (&mut self.jitter, unknown(part(name, true, value))),
            "none_ttl" => (&mut self.none_ttl, constant(name, value)),
            "idle" => (&mut self.idle, constant(name, value)),
            "err_ttl" => (&mut self.err_ttl, constant(name, value)),
            _ => return None,
        };
        let span = match name {
            "hard_timeout" | "none_ttl" | "err_ttl" => start(value),
            _ => option,
        };
        Some(read.map(|(value, known)| *place = Some(Given { value, span, known })))
    }

    /// The options, among those given, by which the body may run in the background and outlive its call.
    fn background(&self) -> impl Iterator<Item = (&'static str, Span)> + use<> {
        let at = |given: &Option<Given>| given.as_ref().map(|given| given.span);
        let options = [
            ("stale", at(&self.stale)),
            ("refresh_after", at(&self.refresh_after)),
            ("xfetch", at(&self.xfetch)),
            ("timeout", at(&self.timeout)),
            ("hard_timeout", at(&self.hard_timeout)),
            ("detached", self.detached),
        ];
        options
            .into_iter()
            .filter_map(|(name, span)| Some((name, span?)))
    }

    /// Whether the function's values are examined again while they live.
    pub(crate) fn ages(&self) -> bool {
        let options = [&self.stale, &self.refresh_after, &self.xfetch, &self.idle];
        options.into_iter().any(Option::is_some)
    }

    /// The first option by which the body may outlive its call.
    pub(crate) fn outlives(&self) -> Option<&'static str> {
        self.background().next().map(|(name, _)| name)
    }

    /// The options whose values are constants, with their names.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (&'static str, TokenStream)> + use<> {
        let options = [
            ("stale", &self.stale),
            ("refresh_after", &self.refresh_after),
            ("xfetch", &self.xfetch),
            ("timeout", &self.timeout),
            ("hard_timeout", &self.hard_timeout),
            ("jitter", &self.jitter),
            ("none_ttl", &self.none_ttl),
            ("idle", &self.idle),
            ("err_ttl", &self.err_ttl),
        ]
        .map(|(name, given)| Some((name, given.as_ref()?.value.clone())));
        options.into_iter().flatten()
    }

    /// The method calls that pass the options to the site.
    pub(crate) fn site(&self, owned: bool) -> TokenStream {
        let options = [
            (quote!(stale), &self.stale),
            (quote!(refresh_after), &self.refresh_after),
            (quote!(xfetch), &self.xfetch),
            (quote!(timeout), &self.timeout),
            (quote!(hard_timeout), &self.hard_timeout),
            (quote!(jitter), &self.jitter),
            (quote!(idle), &self.idle),
            (quote!(err_ttl), &self.err_ttl),
        ];
        let options = options.into_iter().filter_map(|(method, given)| {
            let value = &given.as_ref()?.value;
            Some(quote!(.#method(#value)))
        });
        let owned = owned.then(|| quote!(.owned()));
        let detached = self.detached.map(|_| quote!(.detached()));
        quote!(#(#options)* #owned #detached)
    }
}

/// The checks that need no hierarchy.
pub(crate) fn check(kind: Kind, function: &Function, options: &Options, errors: &mut Errors) {
    let aging = &options.aging;
    if let (Some(span), Flavor::Sync, Kind::Cache) = (aging.detached, &function.flavor, kind)
        && options.batch.is_none()
    {
        errors.at(
            span,
            "`detached` is for async functions: the caller of any other stays until its body is over",
        );
    }
    if options.ttl.is_none() {
        check_without_ttl(kind, options, errors);
    }
    check_together(options, errors);
    if options.batch.is_some() {
        check_batch(aging, errors);
    }
    if kind == Kind::Put {
        check_put(aging, errors);
    }
}

/// Rejects options about a lifetime where there is none.
fn check_without_ttl(kind: Kind, options: &Options, errors: &mut Errors) {
    let aging = &options.aging;
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
        "xfetch",
        &aging.xfetch,
        "it begins a refresh ahead of its end",
    );
    // in the other cases it is rejected anyway
    if kind == Kind::Cache && options.batch.is_none() {
        needs(
            "timeout",
            &aging.timeout,
            "what a call returns past it is a value whose lifetime is over; for an error write `hard_timeout`",
        );
    }
    needs(
        "idle",
        &aging.idle,
        "it is the longest that a value lives, however often it is asked for",
    );
    needs(
        "jitter",
        &aging.jitter,
        "it is the part of that by which a lifetime may be longer",
    );
}

/// Rejects options that exclude each other.
fn check_together(options: &Options, errors: &mut Errors) {
    let aging = &options.aging;
    if let Some(idle) = &aging.idle {
        let others = [&aging.stale, &aging.refresh_after, &aging.xfetch];
        if others.into_iter().any(Option::is_some) {
            errors.at(
                idle.span,
                "`idle` doesn't go with `stale`, `refresh_after` and `xfetch`: those keep a value that `idle` lets go",
            );
        }
    }
    if let (Some(idle), Some(Ttl::Fixed(ttl))) = (&aging.idle, &options.ttl)
        && idle.known.is_some_and(|idle| idle >= *ttl)
    {
        errors.at(
            idle.span,
            "`idle` is no shorter than `ttl`, which is the longest that a value lives: give less, or leave it out",
        );
    }
    if let (Some(timeout), Some(hard)) = (&aging.timeout, &aging.hard_timeout)
        && let (Some(soft), Some(hard)) = (timeout.known, hard.known)
        && soft > hard
    {
        errors.at(
            timeout.span,
            "`timeout` is longer than `hard_timeout`, past which there is an error in any case: give less, or leave it out",
        );
    }
    if let (Some(xfetch), Some(_)) = (&aging.xfetch, &aging.refresh_after) {
        errors.at(
            xfetch.span,
            "`xfetch` and `refresh_after` each say when a refresh begins: leave out one of the two",
        );
    }
    if let (Some(none), Some(_)) = (&aging.none_ttl, &options.no_none) {
        errors.at(
            none.span,
            "with `cache_none = false` a `None` is not stored: leave out one of the two",
        );
    }
}

/// Rejects what makes no sense for many ids.
fn check_batch(aging: &Aging, errors: &mut Errors) {
    for (name, span) in aging.background() {
        errors.at(
            span,
            format!("`{name}` doesn't go with `batch`: of many ids some may be there, some past their lifetime, and some not"),
        );
    }
    if let Some(given) = &aging.err_ttl {
        errors.at(
            given.span,
            "`err_ttl` doesn't go with `batch`: an error of many ids is no single one's",
        );
    }
}

/// Rejects what makes no sense where the body always runs.
fn check_put(aging: &Aging, errors: &mut Errors) {
    let timeouts = [
        ("timeout", &aging.timeout),
        ("hard_timeout", &aging.hard_timeout),
        ("err_ttl", &aging.err_ttl),
    ];
    for (name, given) in timeouts {
        if let Some(given) = given {
            errors.at(
                given.span,
                format!("`{name}` is for `#[cache]`: the body of `#[cache_put]` runs in any case, and its caller waits for it"),
            );
        }
    }
    if let Some(span) = aging.detached {
        errors.at(
            span,
            "`detached` is for `#[cache]`: what `#[cache_put]` stores is stored by its caller, who waits for the body",
        );
    }
}
