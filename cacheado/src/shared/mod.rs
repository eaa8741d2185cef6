//! The shared tier: a backend, and what stands between it and a load: the circuit breaker, what could not be sent, and how values
//! look outside of the process.
//!
//! Each operation is told the [way](Way) in which the backend is [asked](SharedTier::ask).

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

/// What the shared tier is told of a key.
pub(crate) enum Write {
    /// To hold this, which a load has found.
    Fill(Payload),
    /// To hold this, which is newer than what any load has.
    Put(Payload),
    /// To hold nothing: there is a newer value, which is not to be stored or can't be.
    Evict,
}

/// What the shared tier has of a key.
pub(crate) enum Seen {
    /// A value of the type that was asked for.
    Hit(Found),
    /// None. A load that begins now is known by the mark; without one, it is not to be stored there.
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

/// What a builder says of the shared tier.
pub(crate) struct SharedOptions {
    pub(crate) name: String,
    pub(crate) clock: Clock,
    pub(crate) breaker: BreakerOptions,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) compression: Compression,
    /// What could not be sent is sent by [`SharedTier::send_next`], and not by a thread.
    pub(crate) sends_by_hand: bool,
    /// What was told lately.
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
    /// Whether it was said that ids are kept back since there is no key.
    unhidden: AtomicBool,
    compression: Compression,
    sends_by_hand: bool,
    /// What the backend reports to, for as long as there is somebody to tell.
    _coherence: Arc<Coherence>,
    this: Weak<Self>,
}

impl SharedTier {
    /// `backend` behind the copies that `coherence` keeps.
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

    pub(crate) fn backend_name(&self) -> &str {
        self.backend.name()
    }

    /// Whether ids of `level`, if they are secret, can be hidden.
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

    /// `key` as the store may know it.
    fn outside<'k>(&self, key: &'k Key) -> Cow<'k, Key> {
        if key.space().level().has_secret()
            && let Some(secret) = &self.secret
        {
            return Cow::Owned(secret.hide(key));
        }
        Cow::Borrowed(key)
    }

    /// `scope` as the store may know it.
    fn outside_scope<'s>(&self, scope: &'s Scope) -> Cow<'s, Scope> {
        if scope.level().has_secret()
            && let Some(secret) = &self.secret
        {
            return Cow::Owned(secret.hide_in_scope(scope));
        }
        Cow::Borrowed(scope)
    }

    /// The part that all of the store is.
    fn whole(&self) -> u32 {
        self.backend.part_of_scope(&Scope::global())
    }

    /// What the tier has under `key`.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`](crate::Error::TypeMismatch) if it has a value of another type; else what it said if it failed.
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

    /// What the tier has under `key`, for a load that begins if it has nothing. What is there and can't be used is a miss.
    ///
    /// # Errors
    ///
    /// What it said if it failed.
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
                // boxed, since it is seldom, and would be room in the future of each look-up
                let mark = Box::pin(self.mark(way, key)).await?;
                Ok(Seen::Miss(Some(mark)))
            }
        }
    }

    /// What the store has under `outside`, as it may know `key`.
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

    /// `None`: something is there, and it can't be used.
    fn seen(&self, outside: &Key, codec: Codec, found: Lookup) -> Option<Seen> {
        if let Lookup::Miss(mark) = found {
            return Some(Seen::Miss(Some(mark)));
        }
        match self.opened(outside, codec, found) {
            Ok(found) => found.map(Seen::Hit),
            // of a type that was called otherwise, in another build
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

    /// Keeps `eviction` until it is sent, since it could not be sent now.
    fn keep(&self, eviction: Eviction) {
        if self.outbox.keep(eviction) && !self.sends_by_hand {
            replay::begin(&self.this);
        }
    }

    /// Stores a value that is newer than any other; with a mark, only if nothing came since. Returns whether it is stored.
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
        // a caller who goes away has seen no answer: an older value may be there still
        let unsent = Unsent::new(self, Eviction::Key(key.clone()));
        // it may be asked for a key whose eviction could not be sent: it is newer than that
        let put = self.ask(way, "set", About::Any(key), part, answer).await;
        let put = unsent.over(put)?;
        self.outbox.forget(key);
        Ok(put)
    }

    /// Removes what is under `key`. Returns whether something was. One that can't be sent, or whose caller goes away before there is an
    /// answer, is kept until it can.
    pub(crate) async fn evict(&self, way: Way, key: &Key) -> Result<bool> {
        let outside = self.outside(key);
        let (part, answer) = (
            || self.backend.part(&outside),
            self.via(way).evict(&outside),
        );
        let unsent = Unsent::new(self, Eviction::Key(key.clone()));
        unsent.over(self.ask(way, "evict", About::Any(key), part, answer).await)
    }

    /// Removes what is under `key`, as soon as can be.
    pub(crate) fn evict_later(&self, key: &Key) {
        self.keep(Eviction::Key(key.clone()));
    }

    /// Runs `forget`, by which the process forgets what is to be evicted here next. If a rule panics over it, the eviction is kept until
    /// it can be sent, and the panic goes on.
    pub(crate) fn after<R>(
        &self,
        eviction: impl FnOnce() -> Eviction,
        forget: impl Fn() -> R,
    ) -> R {
        catch_unwind(AssertUnwindSafe(&forget)).unwrap_or_else(|panic| {
            self.keep(eviction());
            // what a look-up took over from here meanwhile
            let _ = catch_unwind(AssertUnwindSafe(forget));
            resume_unwind(panic)
        })
    }

    /// Removes all that is in `scope`. Returns how many live entries that were. One that can't be sent is kept as one of a
    /// [key](Self::evict) is.
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

    /// Removes everything. One that can't be sent is kept as one of a [key](Self::evict) is.
    pub(crate) async fn clear(&self, way: Way) -> Result<()> {
        let (part, answer) = (|| self.whole(), self.via(way).clear());
        let unsent = Unsent::new(self, Eviction::All);
        unsent.over(self.ask(way, "clear", About::Scope, part, answer).await)
    }
}

/// Operations that are handed on as they are. Each is asked of a key whose evictions have all been sent.
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
    /// What a load is known by that begins now.
    mark() -> Mark;
    /// Stores what a load that began at `mark` has found. Returns whether it is stored.
    fill(payload: &Payload, mark: &Mark) -> bool;
    /// Claims the load of `key` among all processes.
    lease(span: Duration) -> Lease;
    /// Gives a claim back.
    release(mark: &Mark) -> ();
    /// The same, and it is anybody's for `span`.
    release_to_all(mark: &Mark, span: Duration) -> ();
}

/// An eviction or a put that is being sent: the eviction is kept, if its caller goes away before there is an answer.
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
