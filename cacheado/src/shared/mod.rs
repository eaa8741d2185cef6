//! The shared tier: a backend, and what lies between it and a load: the circuit breaker, the outbox of unsent evictions, and the
//! format of values outside the process.
//!
//! Each operation takes the [way](Way) in which the backend is [asked](SharedTier::ask).

mod ask;
mod breaker;
mod coherence;
mod guarded;
mod many;
mod outbox;
mod portions;
mod release;
mod replay;
mod seal;
mod secret;
mod via;

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cacheado_backends::backend::{Lease, Lookup, Mark, Payload};
use cacheado_backends::envelope::Compression;
use cacheado_backends::{Backend, Clock, Key, Level, Result, Scope};

use crate::counters::{Counters, Event};
use crate::repeats::{Repeats, warn_seldom};
use crate::value::Codec;
use crate::way::Way;

pub(crate) use breaker::BreakerOptions;
pub(crate) use coherence::Coherence;
pub(crate) use outbox::Eviction;
pub(crate) use portions::Answers;
pub(crate) use seal::Found;
pub(crate) use secret::SecretKey;

use ask::About;
use breaker::Ways;
use outbox::Outbox;
use release::Releases;

/// What the shared tier is told about a key.
pub(crate) enum Write {
    /// To store this value, which a load has found.
    Fill(Payload),
    /// To store this value, which is newer than that of any load.
    Put(Payload),
    /// To store nothing: there is a newer value that must not or can't be stored.
    Evict,
}

/// The result of a lookup in the shared tier.
pub(crate) enum Seen {
    /// A value of the requested type.
    Hit(Found),
    /// No value. The mark identifies a load that begins now; without one, its value must not be stored there.
    Miss(Option<Mark>),
}

/// What a lookup asks for, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// The value alone: its remaining lifetime decides nothing.
    Value,
    /// The value and its remaining lifetime.
    Lifetime,
}

impl Wanted {
    /// Whether `found` must be looked up again with its lifetime: it may be in its stale part.
    fn is_missed_by(self, found: &Found) -> bool {
        self == Self::Value && found.may_be_stale()
    }
}

/// The builder's options for the shared tier.
pub(crate) struct SharedOptions {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) breaker: BreakerOptions,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) compression: Compression,
    /// Unsent evictions are sent by [`SharedTier::send_next`], not by a thread.
    pub(crate) sends_by_hand: bool,
    /// Recently traced messages.
    pub(crate) repeats: Arc<Repeats>,
}

pub(crate) struct SharedTier {
    backend: Box<dyn Backend>,
    /// The cache's name.
    name: String,
    counters: Arc<Counters>,
    repeats: Arc<Repeats>,
    breakers: Ways,
    outbox: Outbox,
    releases: Releases,
    secret: Option<SecretKey>,
    /// Whether it was traced that ids stay in the process because there is no secret key.
    unhidden: AtomicBool,
    compression: Compression,
    sends_by_hand: bool,
    /// The target of the backend's reports. Kept here so that it lives as long as the tier.
    _coherence: Arc<Coherence>,
    this: Weak<Self>,
}

impl SharedTier {
    /// A tier over `backend`. The copies of its values in the process are kept by `coherence`.
    pub(crate) fn new(
        mut backend: Box<dyn Backend>,
        options: SharedOptions,
        counters: Arc<Counters>,
        coherence: Arc<Coherence>,
    ) -> Arc<Self> {
        backend.bind(&options.name);
        if !backend.watch(coherence.changes()) {
            tracing::debug!(
                backend = backend.name(),
                "reports no changes of other processes: copies are kept for a while only"
            );
        }
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            backend,
            breakers: Ways::new(options.breaker, &options.clock),
            name: options.name,
            counters,
            repeats: options.repeats,
            outbox: Outbox::default(),
            releases: Releases::default(),
            secret: options.secret,
            unhidden: AtomicBool::new(false),
            compression: options.compression,
            sends_by_hand: options.sends_by_hand,
            _coherence: coherence,
        })
    }

    /// How many evictions wait until they can be sent.
    pub(crate) fn unsent(&self) -> u64 {
        self.outbox.len() as u64
    }

    pub(crate) fn backend_name(&self) -> &str {
        self.backend.name()
    }

    /// Whether ids of `level` can be hidden, if they are secret.
    pub(crate) fn can_hide(&self, level: Level) -> bool {
        let hides = self.secret.is_some() || !level.has_secret();
        if !hides && !self.unhidden.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                level = level.path(),
                "nothing hides its secret ids, so its entries don't go to the shared tier: give the builder a `secret_key`"
            );
        }
        hides
    }

    /// `key` as the store sees it.
    fn outside<'k>(&self, key: &'k Key) -> Cow<'k, Key> {
        if key.space().level().has_secret()
            && let Some(secret) = &self.secret
        {
            return Cow::Owned(secret.hide(key));
        }
        Cow::Borrowed(key)
    }

    /// `scope` as the store sees it.
    fn outside_scope<'s>(&self, scope: &'s Scope) -> Cow<'s, Scope> {
        if scope.level().has_secret()
            && let Some(secret) = &self.secret
        {
            return Cow::Owned(secret.hide_in_scope(scope));
        }
        Cow::Borrowed(scope)
    }

    /// The part number for the whole store.
    fn whole(&self) -> u32 {
        self.backend.part_of_scope(&Scope::global())
    }

    /// The value that the tier has under `key`.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`](crate::Error::TypeMismatch) for a value of another type; otherwise the backend's failure.
    pub(crate) async fn get(
        &self,
        way: Way,
        key: &Key,
        codec: Codec,
        wanted: Wanted,
    ) -> Result<Option<Found>> {
        let outside = self.outside(key);
        let found = self.found(way, key, &outside, wanted).await?;
        match self.opened(&outside, codec, found)? {
            Some(found) if wanted.is_missed_by(&found) => {
                let found = self.found(way, key, &outside, Wanted::Lifetime).await?;
                self.opened(&outside, codec, found)
            }
            opened => Ok(opened),
        }
    }

    /// The value that the tier has under `key`, or the mark for a load that begins without one. An entry that can't be used is a miss.
    ///
    /// # Errors
    ///
    /// The backend's failure.
    pub(crate) async fn look(
        &self,
        way: Way,
        key: &Key,
        codec: Codec,
        wanted: Wanted,
    ) -> Result<Seen> {
        let outside = self.outside(key);
        let found = self.found(way, key, &outside, wanted).await?;
        let seen = match self.seen(&outside, codec, found) {
            Some(Seen::Hit(found)) if wanted.is_missed_by(&found) => {
                let found = self.found(way, key, &outside, Wanted::Lifetime).await?;
                self.seen(&outside, codec, found)
            }
            seen => seen,
        };
        match seen {
            Some(seen) => Ok(seen),
            None => {
                // boxed, because it is rare, and would take space in the future of each lookup
                let mark = Box::pin(self.mark(way, key)).await?;
                Ok(Seen::Miss(Some(mark)))
            }
        }
    }

    /// The store's answer for `key`, which it sees as `outside`.
    async fn found(&self, way: Way, key: &Key, outside: &Key, wanted: Wanted) -> Result<Lookup> {
        let (part, via) = (|| self.backend.part(outside), self.via(way));
        let answer = async {
            match wanted {
                Wanted::Value => via.get_value(outside).await,
                Wanted::Lifetime => via.get(outside).await,
            }
        };
        self.ask(way, "get", About::Current(key), part, answer)
            .await
    }

    fn opened(&self, outside: &Key, codec: Codec, found: Lookup) -> Result<Option<Found>> {
        match found {
            Lookup::Miss(_) => Ok(None),
            Lookup::Hit(payload) => self.open(outside, codec, &payload),
        }
    }

    /// The usable answer; `None` if there is an entry that can't be used.
    fn seen(&self, outside: &Key, codec: Codec, found: Lookup) -> Option<Seen> {
        if let Lookup::Miss(mark) = found {
            return Some(Seen::Miss(Some(mark)));
        }
        match self.opened(outside, codec, found) {
            Ok(found) => found.map(Seen::Hit),
            // stored by another build, under another type name
            Err(mismatch) => {
                self.counters.count(outside.space(), Event::BackendError);
                let due = self
                    .repeats
                    .due((outside.space().id(), (codec.type_name)()));
                warn_seldom!(due, key = %outside, %mismatch, "what the shared tier holds is taken as a miss");
                None
            }
        }
    }

    /// Keeps `eviction`, which could not be sent, until it is.
    fn keep(&self, eviction: Eviction) {
        if self.outbox.keep(eviction) && !self.sends_by_hand {
            replay::begin(&self.this);
        }
    }

    /// Stores a value that is newer than any other; with a mark, only if nothing came since. Returns whether it was stored.
    pub(crate) async fn put(
        &self,
        way: Way,
        key: &Key,
        payload: &Payload,
        since: Option<&Mark>,
    ) -> Result<bool> {
        let outside = self.outside(key);
        let (part, via) = (|| self.backend.part(&outside), self.via(way));
        let answer = async {
            match since {
                Some(mark) => via.put(&outside, payload, mark).await,
                None => via.set(&outside, payload).await.map(|()| true),
            }
        };
        // a caller that goes away has seen no answer, and an older value may still be there
        let unsent = Unsent::new(self, Eviction::Key(key.clone()));
        // also allowed while an eviction of the key is unsent: the value is newer than that
        let put = self.ask(way, "set", About::Any(key), part, answer).await;
        let put = unsent.over(put)?;
        self.outbox.forget(key);
        Ok(put)
    }

    /// Removes the entry under `key`. Returns whether there was one. An eviction that can't be sent, or whose caller goes away before
    /// the answer, is kept until it can be sent.
    pub(crate) async fn evict(&self, way: Way, key: &Key) -> Result<bool> {
        let outside = self.outside(key);
        let (part, answer) = (
            || self.backend.part(&outside),
            self.via(way).evict(&outside),
        );
        let unsent = Unsent::new(self, Eviction::Key(key.clone()));
        unsent.over(self.ask(way, "evict", About::Any(key), part, answer).await)
    }

    /// Removes the entry under `key` as soon as possible.
    pub(crate) fn evict_later(&self, key: &Key) {
        self.keep(Eviction::Key(key.clone()));
    }

    /// Runs `forget`, which removes from the process what is evicted from the tier next. If a rule panics in it, the eviction is kept
    /// until it can be sent, and the panic is resumed.
    pub(crate) fn after<R>(
        &self,
        eviction: impl FnOnce() -> Eviction,
        forget: impl Fn() -> R,
    ) -> R {
        catch_unwind(AssertUnwindSafe(&forget)).unwrap_or_else(|panic| {
            self.keep(eviction());
            // for what a lookup copied from the tier meanwhile
            let _ = catch_unwind(AssertUnwindSafe(forget));
            resume_unwind(panic)
        })
    }

    /// Removes everything in `scope`. Returns the number of live entries removed. Kept like that of a [key](Self::evict) if it can't
    /// be sent.
    pub(crate) async fn evict_by_scope(&self, way: Way, scope: &Scope) -> Result<u64> {
        let outside = self.outside_scope(scope);
        let part = || self.backend.part_of_scope(&outside);
        let answer = self.via(way).evict_by_scope(&outside);
        let unsent = Unsent::new(self, Eviction::Scope(scope.clone()));
        unsent.over(
            self.ask(way, "evict by scope", About::Scope, part, answer)
                .await,
        )
    }

    /// Removes everything. Kept like the eviction of a [key](Self::evict) if it can't be sent.
    pub(crate) async fn clear(&self, way: Way) -> Result<()> {
        let (part, answer) = (|| self.whole(), self.via(way).clear());
        let unsent = Unsent::new(self, Eviction::All);
        unsent.over(self.ask(way, "clear", About::Scope, part, answer).await)
    }
}

/// Operations that are passed to the backend unchanged. None runs for a key with unsent evictions.
macro_rules! handed_on {
    ($($(#[$doc:meta])* $name:ident ($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl SharedTier {
            $($(#[$doc])*
            pub(crate) async fn $name(&self, way: Way, key: &Key $(, $arg: $type)*) -> Result<$out> {
                let outside = self.outside(key);
                let (part, answer) = (|| self.backend.part(&outside), self.via(way).$name(&outside $(, $arg)*));
                self.ask(way, stringify!($name), About::Current(key), part, answer).await
            })*
        }
    };
}
handed_on! {
    /// The mark of a load that begins now.
    mark() -> Mark;
    /// Stores the value of a load that began at `mark`. Returns whether it was stored.
    fill(payload: &Payload, mark: &Mark) -> bool;
    /// Claims the load of `key` among all processes.
    lease(span: Duration) -> Lease;
    /// Gives a claim back.
    release(mark: &Mark) -> ();
    /// Gives a claim back, and opens the load to everyone for `span`.
    release_to_all(mark: &Mark, span: Duration) -> ();
}

/// An eviction or put in flight. If its caller goes away before the answer, the eviction is kept.
struct Unsent<'a> {
    tier: &'a SharedTier,
    eviction: Option<Eviction>,
}

impl<'a> Unsent<'a> {
    fn new(tier: &'a SharedTier, eviction: Eviction) -> Self {
        let eviction = Some(eviction);
        Self { tier, eviction }
    }

    fn over<T>(self, sent: Result<T>) -> Result<T> {
        if sent.is_ok() {
            self.sent();
        }
        sent
    }

    fn sent(mut self) {
        self.eviction = None;
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some(eviction) = self.eviction.take() {
            self.tier.keep(eviction);
        }
    }
}
