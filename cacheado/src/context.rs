//! What a body can learn of its own load, and how it can affect what becomes of its value.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::Key;

use crate::aging::aged::Aged;
use crate::cache::Cache;
use crate::load::active;
use crate::outcome::{Decision, Value};
use crate::sync::{Mutex, lock};

/// The load that a body runs for. With it, a function takes part in its own caching.
///
/// ```
/// use std::time::Duration;
///
/// use cacheado::{LoadContext, cache};
///
/// # struct Answer { status: u16, max_age: Option<u64>, body: String, tag: String }
/// # fn ask(_: &str, tag: Option<&str>) -> Answer {
/// #     let status = if tag == Some("v1") { 304 } else { 200 };
/// #     Answer { status, max_age: Some(60), body: "text".to_owned(), tag: "v1".to_owned() }
/// # }
/// #[cache(ttl = "5m", stale = "1h")]
/// fn page(url: &str) -> (String, String) {
///     let load = LoadContext::current();
///     let before = load.as_ref().and_then(LoadContext::previous::<(String, String)>);
///     let answer = ask(url, before.as_ref().map(|page| &*page.value.1));
///     if let (Some(load), Some(seconds)) = (load, answer.max_age) {
///         load.set_ttl(Duration::from_secs(seconds));
///     }
///     match before {
///         // not modified: the returned value is stored again, with a new lifetime
///         Some(page) if answer.status == 304 => page.value,
///         _ => (answer.body, answer.tag),
///     }
/// }
/// assert_eq!(page("/").0, "text");
/// ```
///
/// It costs nothing if it is not used.
#[derive(Clone)]
pub struct LoadContext {
    cache: Cache,
    key: Key,
    wishes: Arc<Wishes>,
}

/// A value that was stored before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previous<T> {
    /// The value.
    pub value: T,
    /// How long ago the process stored it.
    pub age: Duration,
}

/// What a body requested for its value, and what is known about that value.
#[derive(Default)]
pub(crate) struct Wishes(Mutex<Wished>);

#[derive(Clone, Copy, Default)]
struct Wished {
    ttl: Option<Duration>,
    unstored: bool,
    /// The body was given a value that may be outdated: see [`Cache::doubts`].
    doubted: bool,
}

impl LoadContext {
    pub(crate) fn new(cache: &Cache, key: &Key, wishes: &Arc<Wishes>) -> Self {
        Self {
            cache: cache.clone(),
            key: key.clone(),
            wishes: Arc::clone(wishes),
        }
    }

    /// The load that the calling body runs for; the innermost one of nested loads. `None` outside any load: in a body that runs
    /// uncached (by `bypass`, or with a disabled cache), in a body of many ids, and in tasks and threads that a body starts.
    #[must_use]
    pub fn current() -> Option<Self> {
        active::innermost()
    }

    /// The value that the process has, fresh or stale, if the function has `stale`, `refresh_after`, `xfetch` or `idle`, or the
    /// builder has a default for one of the first two. `T` is the stored type: for a `Result<T, E>` it is its `T`. `None` if there is
    /// no value, it is of another type, or the function has none of these options.
    ///
    /// Costs a lookup in the process, and a clone.
    #[must_use]
    pub fn previous<T: Value>(&self) -> Option<Previous<T>> {
        let now = self.cache.clock().now();
        let found = self.cache.store().peek_key(&self.key, |entry| {
            let Aged { value, age } = entry.value::<Aged<T>>()?;
            Some(Previous {
                value: value.clone(),
                age: Duration::from_nanos(now.saturating_sub(age.stored_at())),
            })
        });
        found.flatten()
    }

    /// Sets how long the value that the body returns lives, in place of `ttl`. Zero means that it is not stored. The last of several
    /// calls counts.
    pub fn set_ttl(&self, ttl: Duration) {
        lock(&self.wishes.0).ttl = Some(ttl);
    }

    /// Prevents the value that the body returns from being stored.
    pub fn skip_store(&self) {
        lock(&self.wishes.0).unstored = true;
    }
}

impl Wishes {
    /// Records that the body's value must not go to the shared tier.
    pub(crate) fn doubt(&self) {
        lock(&self.0).doubted = true;
    }

    pub(crate) fn is_doubted(&self) -> bool {
        lock(&self.0).doubted
    }

    /// What becomes of a value. `decision` is what the function's options say.
    pub(crate) fn over(&self, decision: Decision) -> Decision {
        match *lock(&self.0) {
            Wished { unstored: true, .. } => Decision::Skip,
            Wished { ttl: Some(ttl), .. } if matches!(decision, Decision::Store { .. }) => {
                Decision::Store { ttl: Some(ttl) }
            }
            _ => decision,
        }
    }
}

impl fmt::Debug for LoadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadContext")
            .field("key", &self.key.to_string())
            .finish_non_exhaustive()
    }
}
