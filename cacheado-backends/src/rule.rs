//! Rules: what a cache admits, how long it keeps it, and what goes when it is full.
//!
//! A rule decides, the store acts. Rules are asked in the order in which the builder was given them, under a lock that
//! orders all writes of a cache with rules, so what a rule knows and what the store holds can't drift apart.

use std::fmt;
use std::time::Duration;

use crate::error::Result;
use crate::key::Key;

/// What decides over entries. [`Lru`](crate::rules::Lru), [`Ttl`](crate::rules::Ttl) and
/// [`MaxItems`](crate::rules::MaxItems) ship with the crate; a type of one's own that implements this is as good.
///
/// Hooks run inside the cache's operations: they are to be quick, and must not call the cache, which would wait for itself.
///
/// A rule that takes no value larger than a quarter of an hour to live:
///
/// ```
/// use std::time::Duration;
/// use cacheado_backends::{Rule, rule::{Admission, Candidate}};
///
/// struct ShortLived;
///
/// impl Rule for ShortLived {
///     fn name(&self) -> &'static str {
///         "ShortLived"
///     }
///
///     fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
///         match candidate.lifetime() {
///             Some(lifetime) if lifetime <= Duration::from_secs(900) => Admission::Admit,
///             _ => Admission::Reject,
///         }
///     }
/// }
/// ```
pub trait Rule: Send + Sync + 'static {
    /// What the rule is called in messages and statistics.
    fn name(&self) -> &'static str;

    /// Asked once, by `build()`: whether the rule makes sense.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it; `build()` fails with that.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Whether [`on_get`](Self::on_get) is to be called. A rule that only wants to know when an entry was used last says
    /// [`Reads::Stamp`], which costs a store to the entry on each hit and no call.
    fn reads(&self) -> Reads {
        Reads::Ignore
    }

    /// An entry was found. Called while the store is locked for reading, on every hit, if [`reads`](Self::reads) says
    /// [`Reads::Call`]. [`Verdict::Drop`] makes it a miss and removes the entry.
    fn on_get(&self, key: &Key) -> Verdict {
        let _ = key;
        Verdict::Keep
    }

    /// Something is about to be stored. The rule may admit it, reject it, have other entries evicted for it, and change
    /// its lifetime. What it decides takes effect only if the rules after it admit it as well.
    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let _ = candidate;
        Admission::Admit
    }

    /// An entry has gone, for whatever cause. (An entry whose value is replaced has not.)
    fn on_evict(&self, key: &Key, cause: Cause) {
        let _ = (key, cause);
    }

    /// Everything has gone.
    fn on_clear(&self) {}

    /// The keys are being listed: the rule may hide some.
    fn on_keys(&self, keys: &mut Vec<Key>) {
        let _ = keys;
    }

    /// How often what has expired is to be looked for. The shortest of all rules' counts, at most a second without any.
    fn sweep_interval(&self) -> Option<Duration> {
        None
    }
}

/// What a rule wants to know of hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reads {
    /// Nothing.
    Ignore,
    /// When each entry was used last: [`Candidate::last_used`].
    Stamp,
    /// To be called.
    Call,
}

/// What becomes of an entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Keep,
    /// It is removed, and the look-up is a miss.
    Drop,
}

/// Whether something is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As far as this rule goes, yes.
    Admit,
    /// No. Nothing else changes, but that an older entry of the same key goes: what was to replace it is newer.
    Reject,
}

/// Why an entry has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// It was evicted by its key.
    Evicted,
    /// It was evicted with its scope.
    Scope,
    /// A rule had it evicted for another entry, or dropped it.
    Rule,
    /// Its lifetime was over.
    Expired,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Evicted => "evicted",
            Self::Scope => "evicted with its scope",
            Self::Rule => "evicted by a rule",
            Self::Expired => "expired",
        })
    }
}

/// What the store knows of other entries, for a rule that is deciding.
pub(crate) trait Holdings {
    /// When the entry was used last; `None` if there is no such entry.
    fn last_used(&self, key: &Key) -> Option<u64>;
}

/// Something that is about to be stored, and the room there is.
pub struct Candidate<'a> {
    pub(crate) key: &'a Key,
    pub(crate) stamp: u64,
    pub(crate) replaces: bool,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) len: usize,
    pub(crate) victims: Vec<Key>,
    pub(crate) holdings: &'a dyn Holdings,
}

impl Candidate<'_> {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.key
    }

    /// Whether there is an entry of this key already, whose value would be replaced.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// How long it is to live; `None`: until evicted.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// Has it live for `lifetime`; `None`: until evicted. Zero means that it is not stored.
    pub fn set_lifetime(&mut self, lifetime: Option<Duration>) {
        self.lifetime = lifetime;
    }

    /// How many entries there are, less those already chosen to go for this one. It counts itself only if it replaces one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries, less those already chosen to go.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Has the entry of `key` evicted for this one. Returns whether there is one that was not chosen before.
    pub fn evict(&mut self, key: Key) -> bool {
        let found = self.holdings.last_used(&key).is_some() && !self.victims.contains(&key);
        if found {
            self.len = self.len.saturating_sub(1);
            self.victims.push(key);
        }
        found
    }

    /// When the entry of `key` was used last, stored or hit: of two, the one used later has the larger number. `None` if
    /// there is no such entry. Hits count only if some rule's [`Rule::reads`] asks for it.
    #[must_use]
    pub fn last_used(&self, key: &Key) -> Option<u64> {
        self.holdings.last_used(key)
    }

    /// What [`last_used`](Self::last_used) will say of this one once it is stored.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}
