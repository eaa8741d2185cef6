//! What a body can learn of its own load, and say of what becomes of its value.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::Key;

use crate::aging::aged::Aged;
use crate::cache::Cache;
use crate::load::active;
use crate::outcome::{Decision, Value};
use crate::sync::{Mutex, lock};

/// The load that a body runs for: by it a function takes part in its own caching.
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
///         // not modified: what is returned is stored anew, and has a lifetime of its own
///         Some(page) if answer.status == 304 => page.value,
///         _ => (answer.body, answer.tag),
///     }
/// }
/// assert_eq!(page("/").0, "text");
/// ```
///
/// It costs nothing to those who don't ask for it.
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

/// What a body wants of its value, and what is known of that.
#[derive(Default)]
pub(crate) struct Wishes(Mutex<Wished>);

#[derive(Clone, Copy, Default)]
struct Wished {
    ttl: Option<Duration>,
    unstored: bool,
    /// It was given what may be old: see [`Cache::doubts`].
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

    /// The load that the body which calls this runs for, of several that are inside of each other the innermost. `None` outside of any:
    /// in a body that runs uncached (by `bypass`, or with a disabled cache), one of many ids, and in tasks and threads that a body starts.
    #[must_use]
    pub fn current() -> Option<Self> {
        active::innermost()
    }

    /// The value that the process has, be it good or one that stands in: of functions with `stale`, `refresh_after`, `xfetch` or `idle`, or
    /// a default of the builder for one of the first two. `T` is what is stored: of a `Result<T, E>` the `T`. `None` if nothing is there,
    /// it is of another type, or the function has none of these.
    ///
    /// Costs a look-up in the process, and a clone.
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

    /// How long the value that the body returns lives, in the place of what `ttl` says; zero means that it is not stored. Of several
    /// calls the last counts.
    pub fn set_ttl(&self, ttl: Duration) {
        lock(&self.wishes.0).ttl = Some(ttl);
    }

    /// The value that the body returns is not stored.
    pub fn skip_store(&self) {
        lock(&self.wishes.0).unstored = true;
    }
}

impl Wishes {
    /// What the body makes is not to go to the shared tier.
    pub(crate) fn doubt(&self) {
        lock(&self.0).doubted = true;
    }

    pub(crate) fn is_doubted(&self) -> bool {
        lock(&self.0).doubted
    }

    /// What becomes of a value, of which `decision` is what the function's options say.
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
