//! The error type of the whole framework.

use std::sync::Arc;

/// The result of an operation on a cache.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a cache failed. The message says what was asked and what to do.
///
/// ```
/// use cacheado::{Cache, Error};
///
/// let cache = Cache::builder().build()?;
/// cache.set("answer", &42_u32).run()?;
/// match cache.get::<String>("answer").run() {
///     Err(Error::TypeMismatch { stored, .. }) => assert_eq!(stored, "u32"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A scope was named by a level that the hierarchy does not have.
    #[error("unknown scope level `{level}`; {}", known_levels(.known))]
    UnknownLevel {
        /// The level that was asked for.
        level: String,
        /// The paths of the declared levels.
        known: Vec<String>,
    },
    /// A scope was named without one of its ids.
    #[error("scope `{level}` needs `{param}`, the id of its `{step}`")]
    MissingParam {
        /// The path of the level that was asked for.
        level: String,
        /// The level whose id is missing.
        step: String,
        /// The name of the missing id.
        param: String,
    },
    /// A scope was named with two ids for one of its levels.
    #[error(
        "scope `{level}` was given `{param}` twice: give it once, so that it is clear whose scope it is"
    )]
    RepeatedParam {
        /// The path of the level that was asked for.
        level: String,
        /// The name of the id that was given twice.
        param: String,
    },
    /// A hierarchy is invalid.
    #[error("no such hierarchy: {message}")]
    Hierarchy {
        /// What is wrong, and with which level.
        message: String,
    },
    /// A builder, a rule or a backend was given an invalid setting.
    #[error("{what}: {message}")]
    Config {
        /// The rule or the option.
        what: String,
        /// What is wrong with it, and what would be right.
        message: String,
    },
    /// A cache was installed as the default when there already was one.
    #[error(
        "the default cache is set already: call `install()` once, before the first call of a cached function and of `default_cache()`"
    )]
    AlreadyInstalled,
    /// A value was read as another type than it was stored as.
    #[error(
        "`{key}` was stored as `{stored}` and read as `{requested}`: read it as the type it was stored as, or use another key"
    )]
    TypeMismatch {
        /// The entry's key.
        key: String,
        /// The type it was stored as.
        stored: String,
        /// The type it was read as.
        requested: &'static str,
    },
    /// No key could be made, because a part of it failed to serialize.
    #[error("no key could be made for {function}: {message}")]
    Key {
        /// The function, or `a programmatic call`.
        function: String,
        /// What the `Serialize` implementation said.
        message: String,
    },
    /// Two functions have the same explicit name but differ: in their arguments or the order of these, in the types of their values,
    /// in their scopes, in `local`, or in `max_items` if both set it. The second function is not cached. If it is a put, what it
    /// returns is not stored, and the existing entry stays. No call returns this error: it is the text of a `tracing` error, reported
    /// once.
    #[error(
        "`{name}` names two functions that can't share entries, {first} and {second}, since {reason}: have them agree, or give one of them another `name`; until then the second is not cached"
    )]
    NameConflict {
        /// The explicit name.
        name: String,
        /// The function that has the name.
        first: String,
        /// The function that was refused.
        second: String,
        /// What they differ in.
        reason: &'static str,
    },
    /// A body took longer than its `hard_timeout`. The body goes on, and its result is stored when it arrives, unless the call was
    /// bypassed.
    #[error(
        "no value for `{key}` within {limit:?}: its load goes on, and another call may find what it brings"
    )]
    Timeout {
        /// The key that was to be loaded.
        key: String,
        /// The `hard_timeout`.
        limit: std::time::Duration,
    },
    /// A value could not be encoded for the shared tier. (A value that can't be decoded is a miss.)
    #[error("a `{type_name}` could not be {direction}: {message}")]
    Codec {
        /// The value's type.
        type_name: &'static str,
        /// `encoded`.
        direction: &'static str,
        /// What serde or the format said.
        message: String,
    },
    /// The shared tier failed.
    #[error("the {backend} backend failed to {operation}: {source}{}", when_kept(*.kept))]
    Backend {
        /// The kind of backend.
        backend: String,
        /// The operation: `get`, `set`, `evict`, …
        operation: &'static str,
        /// Whether an eviction is kept in the process, to be sent when the backend is back. That is so where the backend's entries
        /// would be outdated: after evictions, and after values that could not be stored. Until the eviction is sent, this process
        /// serves none of those entries.
        kept: bool,
        /// What the backend said.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

fn known_levels(known: &[String]) -> String {
    match known {
        [] => "the hierarchy has none: give the builder one with `.scopes(scope::hierarchy())`"
            .to_owned(),
        known => format!("the hierarchy has: {}", known.join(", ")),
    }
}

fn when_kept(kept: bool) -> &'static str {
    if kept {
        "; an eviction of what it has there is kept, and sent as soon as it can be"
    } else {
        ""
    }
}

impl Error {
    /// An error about an invalid rule or option: `what` names it, `message` says what would be right.
    pub fn config(what: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config {
            what: what.into(),
            message: message.into(),
        }
    }
}
