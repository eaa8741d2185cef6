//! The options of `#[cache]` and `#[cache_put]` as written: which options exist, the form of each, and the checks of a value that need
//! no knowledge of the function.
//!
//! Checks that need the function or the hierarchy begin in `check`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, LitStr, Path, Result, Token};

use super::aging::Aging;
use super::scope_option::{ScopeOption, parse_scope};
use super::ttl::Ttl;
use super::values::{at_least_one, bool_of, cache_of, integer_of, literal_of, path_of, text_of};
use crate::mentions::mentions;
use crate::parse::{
    Errors, Form, Keyword, comma_or_end, did_you_mean, list_names, skip_option, start,
};

/// All options, with the form of each.
const OPTIONS: &[(&str, Form)] = &[
    ("ttl", Form::Value),
    ("scope", Form::ValueOrList),
    ("scopes", Form::Value),
    ("cache", Form::Value),
    ("skip", Form::List),
    ("key", Form::Value),
    ("name", Form::Value),
    ("version", Form::Value),
    ("max_items", Form::Value),
    ("when", Form::Value),
    ("bypass", Form::Value),
    ("cache_none", Form::Value),
    ("local", Form::Flag),
    ("batch", Form::List),
    ("single_flight", Form::Value),
    ("on_backend_error", Form::Value),
    ("stale", Form::Value),
    ("refresh_after", Form::Value),
    ("xfetch", Form::Value),
    ("timeout", Form::Value),
    ("hard_timeout", Form::Value),
    ("jitter", Form::Value),
    ("none_ttl", Form::Value),
    ("idle", Form::Value),
    ("err_ttl", Form::Value),
    ("detached", Form::Flag),
];

/// The names that other caches use for an option, and the option meant here. Some are spelled like another option: `time` is like
/// `timeout`.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (
        &[
            "time",
            "time_to_live",
            "expire",
            "expires",
            "expire_after",
            "expire_after_write",
            "expiration",
            "expiry",
            "lifetime",
            "max_age",
        ],
        "`ttl`",
    ),
    (&["time_to_idle", "tti", "expire_after_access"], "`idle`"),
    (
        &[
            "size",
            "max_size",
            "max_entries",
            "capacity",
            "max_capacity",
        ],
        "`max_items`",
    ),
    (
        &["refresh"],
        "`refresh_after`, or `idle`, which each hit begins anew",
    ),
    (
        &["option"],
        "`cache_none = false`, by which no `None` is stored",
    ),
    (&["cache_null", "cache_nulls"], "`cache_none`"),
    (
        &["cache_err", "cache_error", "cache_errors"],
        "`err_ttl`, which says how long an `Err` is kept",
    ),
    (&["convert"], "`key`, which is an expression"),
    (&["unless"], "`when`, which is true of what is stored"),
    (
        &["condition", "enabled", "disabled"],
        "`bypass`, which is true of calls that are not cached",
    ),
    (
        &["sync", "sync_writes"],
        "`single_flight`, which is on by default",
    ),
    (
        &[
            "fail_safe",
            "grace",
            "grace_period",
            "result_fallback",
            "stale_if_error",
            "stale_while_revalidate",
        ],
        "`stale`",
    ),
    (
        &["eager_refresh", "refresh_ahead", "refresh_after_write"],
        "`refresh_after`",
    ),
    (&["soft_timeout"], "`timeout`"),
    (&["cache_name", "cache_names", "prefix", "value"], "`name`"),
    (&["tags"], "`scope`, whose entries are evicted together"),
    (
        &[
            "backend", "storage", "redis", "policy", "eviction", "ty", "create",
        ],
        "`cache`, whose builder is told what it is made of",
    ),
    (&["ignore", "exclude"], "`skip(…)`"),
    (
        &["skip_all"],
        "`skip(…)`, which names what is left out, or `key = …`",
    ),
];

/// Options that other caches need and this one doesn't, with the reason.
const NEEDLESS: &[(&str, &str)] = &[
    (
        "result",
        "an `Err` is not stored anyway, unless `err_ttl` says so",
    ),
    (
        "typed",
        "arguments of different types are different keys anyway",
    ),
];

/// The markers that `#[cache_impl]` passes to the attributes inside it.
pub(crate) const INHERENT: &str = "__cacheado_inherent";
pub(crate) const TRAIT: &str = "__cacheado_trait";

/// The kind of block that contains the function, as far as the attribute was told.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Block {
    /// Not told: there is no `#[cache_impl]` around it.
    #[default]
    Unknown,
    Inherent,
    Trait,
}

/// The options of one attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) block: Block,
    pub(crate) ttl: Option<Ttl>,
    pub(crate) scope: Option<ScopeOption>,
    pub(crate) scopes: Option<Path>,
    pub(crate) cache: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) key: Option<Expr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<Expr>,
    pub(crate) max_items: Option<Expr>,
    pub(crate) when: Option<Expr>,
    pub(crate) bypass: Option<Expr>,
    /// The span of the value in `cache_none = false`, if given.
    pub(crate) no_none: Option<Span>,
    pub(crate) local: bool,
    /// The argument that holds the ids of a batch.
    pub(crate) batch: Option<Ident>,
    pub(crate) single_flight: SingleFlight,
    /// The text of `on_backend_error = "error"`, if given.
    pub(crate) fails: Option<LitStr>,
    pub(crate) aging: Aging,
    /// Whether options that could not be read may name `self`.
    pub(crate) may_name_self: bool,
}

/// Which callers share one load of a key.
#[derive(Default)]
pub(crate) enum SingleFlight {
    /// The callers in the process.
    #[default]
    Process,
    /// None.
    Off,
    /// The callers in all processes that share a store. Holds the text that says so.
    Cluster(LitStr),
}

impl Options {
    /// Reads all options that can be read, and collects all mistakes in the rest.
    pub(crate) fn read(tokens: TokenStream) -> (Options, Errors) {
        let mut errors = Errors::default();
        let mut options = Options::default();
        let read = |input: ParseStream<'_>| options.read_all(input, &mut errors);
        let parsed = read.parse2(tokens.clone());
        errors.take(parsed);
        let this = Ident::new("self", Span::call_site());
        options.may_name_self = !errors.is_empty() && mentions(tokens, &[this]);
        (options, errors)
    }

    fn read_all(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let Ok(keyword) = input.parse::<Keyword>() else {
                errors.at(input.span(), "expected an option, as `ttl = 60`");
                skip_option(input)?;
                comma_or_end(input)?;
                continue;
            };
            let name = keyword.text();
            if seen.contains(&name) {
                errors.at(keyword.0.span(), format!("duplicate option `{name}`"));
                skip_option(input)?;
            } else {
                self.read_one(&name, &keyword, input, errors)?;
                seen.push(name);
            }
            comma_or_end(input)?;
        }
        Ok(())
    }

    fn read_one(
        &mut self,
        name: &str,
        keyword: &Keyword,
        input: ParseStream<'_>,
        errors: &mut Errors,
    ) -> Result<()> {
        let block = match name {
            INHERENT => Block::Inherent,
            TRAIT => Block::Trait,
            _ => Block::Unknown,
        };
        if block != Block::Unknown {
            self.block = block;
            return Ok(());
        }
        let Some((_, form)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            let scope = self.scope.as_ref().map(|scope| scope.name.value());
            errors.at(keyword.0.span(), unknown(name, scope.as_deref()));
            return skip_option(input);
        };
        if let Err(error) = keyword.expect(*form, input) {
            errors.push(error);
            return skip_option(input);
        }
        match name {
            "scope" => {
                let scope = parse_scope(keyword, input)?;
                self.scope = errors.take(scope);
            }
            "skip" => {
                self.skip = names("skip", input)?;
            }
            "batch" => match &names("batch", input)?[..] {
                [ids] => self.batch = Some(ids.clone()),
                _ => errors.at(keyword.0.span(), "`batch` names one argument: `batch(ids)`"),
            },
            "local" => self.local = true,
            "detached" => self.aging.detached = Some(keyword.0.span()),
            _ => {
                let value = keyword.value(input)?;
                let aging = self.aging.read(name, keyword.0.span(), &value);
                let read = aging.unwrap_or_else(|| self.read_value(name, value));
                errors.take(read);
            }
        }
        Ok(())
    }

    fn read_value(&mut self, name: &str, value: Expr) -> Result<()> {
        match name {
            "ttl" => self.ttl = Some(Ttl::read(value)?),
            "scopes" => self.scopes = Some(path_of(&value)?),
            "cache" => self.cache = Some(cache_of(value)?),
            "key" => self.key = Some(value),
            "name" => {
                let text = text_of(&value, "name = \"profile\"")?;
                if text.value().is_empty() {
                    return Err(Error::new_spanned(value, "`name` is empty"));
                }
                self.name = Some(text);
            }
            "version" => self.version = Some(integer_of(name, value)?),
            "max_items" => self.max_items = Some(at_least_one(integer_of(name, value)?)?),
            "when" => self.when = Some(value),
            "bypass" => self.bypass = Some(value),
            "cache_none" => {
                let span = start(&value);
                self.no_none = (!bool_of(name, &value)?).then_some(span);
            }
            "single_flight" => {
                self.single_flight = match literal_of(&value) {
                    Some(text) if text.value() == "cluster" => SingleFlight::Cluster(text.clone()),
                    Some(text) => {
                        return Err(Error::new_spanned(
                            text,
                            "`single_flight` is `true`, `false`, or `\"cluster\"` for one load among all processes",
                        ));
                    }
                    None if bool_of(name, &value)? => SingleFlight::Process,
                    None => SingleFlight::Off,
                }
            }
            "on_backend_error" => {
                let text = literal_of(&value).cloned();
                self.fails = match text.as_ref().map(LitStr::value).as_deref() {
                    Some("bypass") => None,
                    Some("error") => text,
                    _ => {
                        return Err(Error::new_spanned(
                            &value,
                            "`on_backend_error` is `\"bypass\"`, which runs the body, or `\"error\"`, which returns the error",
                        ));
                    }
                }
            }
            _ => unreachable!("`{name}` is not in the table of options"),
        }
        Ok(())
    }
}

/// The names in an option's list.
fn names(option: &str, input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let content;
    syn::parenthesized!(content in input);
    let mut trees = content.fork().parse::<TokenStream>()?.into_iter();
    if let Some(text) = trees.find_map(|tree| syn::parse2::<LitStr>(tree.into()).ok()) {
        let name = text.value();
        return Err(Error::new(
            text.span(),
            format!("`{option}` takes names of arguments, without quotes: `{option}({name})`"),
        ));
    }
    match Punctuated::<Ident, Token![,]>::parse_terminated_with(&content, Ident::parse_any) {
        Ok(names) => Ok(names.into_iter().collect()),
        Err(error) => Err(Error::new(
            error.span(),
            format!("`{option}` takes names of arguments, and nothing else"),
        )),
    }
}

/// The message about an unknown option. `scope` is the scope that is named before it.
fn unknown(name: &str, scope: Option<&str>) -> String {
    if let Some((_, why)) = NEEDLESS.iter().find(|(theirs, _)| *theirs == name) {
        return format!("unknown option `{name}`: {why}");
    }
    let names = || OPTIONS.iter().map(|(name, _)| *name);
    let elsewhere = ELSEWHERE.iter().find(|(theirs, _)| theirs.contains(&name));
    let hint = elsewhere.map_or_else(
        || did_you_mean(name, names()),
        |(_, right)| format!(", did you mean {right}?"),
    );
    if let Some(scope) = scope.filter(|_| hint.is_empty()) {
        format!(
            "unknown option `{name}`: if it is an id of the scope, write `scope(\"{scope}\", {name} = …)`"
        )
    } else if hint.is_empty() {
        format!(
            "unknown option `{name}`, the options are {}",
            list_names(names())
        )
    } else {
        format!("unknown option `{name}`{hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn message(tokens: TokenStream) -> String {
        let (_, errors) = Options::read(tokens);
        errors.finish().map_or_else(
            |error| {
                error
                    .into_iter()
                    .map(|e| e.to_string())
                    .collect::<Vec<_>>()
                    .join("; ")
            },
            |()| String::from("fine"),
        )
    }

    #[test]
    fn every_option_is_read() {
        assert_eq!(
            message(quote!(
                ttl = 5,
                scope("organization/user", org_id = ctx.org),
                scopes = crate::tenancy,
                cache = self.cache,
                skip(a, self),
                key = (a, b),
                name = "n",
                version = 2,
                max_items = 10,
                when = |v| v.len() > 3,
                bypass = a > 3,
                cache_none = false,
                local,
                batch(ids),
                single_flight = false,
                on_backend_error = "error",
                stale = "1h",
                refresh_after = 0.8,
                xfetch = 1.5,
                timeout = 0.2,
                hard_timeout = LIMIT,
                jitter = 0.1,
                none_ttl = 5,
                err_ttl = 5,
                idle = "1m",
                detached,
            )),
            "fine"
        );
    }

    #[test]
    fn one_message_per_mistake() {
        assert_eq!(
            message(quote!(tll = 5)),
            "unknown option `tll`, did you mean `ttl`?"
        );
        assert_eq!(message(quote!(ttl = 5, ttl = 6)), "duplicate option `ttl`");
        assert!(message(quote!(xfetch = 0)).contains("more than 0"));
        assert!(message(quote!(stale = 0)).contains("`stale` is zero"));
        assert!(message(quote!(timeout = |it| it)).contains("constant `Duration`"));
        assert!(message(quote!(refresh_after = 1.0)).contains("less than 1"));
        assert!(message(quote!(refresh_after = "80%")).contains("less than 1"));
        assert!(message(quote!(jitter = 1.5)).contains("1 at most"));
        assert_eq!(
            message(quote!(local = true)),
            "`local` is a flag and takes no value"
        );
        assert_eq!(message(quote!(skip = a)), "`skip` takes a list: `skip(…)`");
        assert_eq!(
            message(quote!(60, tll = 5, "1m")),
            "expected an option, as `ttl = 60`; unknown option `tll`, did you mean `ttl`?; \
             expected an option, as `ttl = 60`"
        );
        assert_eq!(message(quote!(ttl)), "`ttl` takes a value: `ttl = …`");
        assert!(message(quote!(scope = 5)).contains("text in quotes"));
        assert!(message(quote!(cache = 5)).contains("gives a `Cache`"));
        assert!(message(quote!(max_items = 0)).contains("at least 1"));
        assert!(message(quote!(version = -1)).contains("whole number"));
        assert_eq!(message(quote!(single_flight = "cluster")), "fine");
        assert!(message(quote!(single_flight = "always")).contains("among all processes"));
        assert_eq!(message(quote!(on_backend_error = "bypass")), "fine");
        assert!(message(quote!(on_backend_error = "panic")).contains("runs the body"));
        assert_eq!(
            message(quote!(zzz = 5, cache_none = 1)),
            format!(
                "{}; `cache_none` takes `true` or `false`",
                unknown("zzz", None)
            )
        );
    }
}
