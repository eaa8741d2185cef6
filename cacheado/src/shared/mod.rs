//! The shared tier: a backend, and what stands between it and a load: the circuit breaker, what could not be sent, and how values
//! look outside of the process.
//!
//! Everything comes twice, blocking and async. Both [ask](SharedTier::ask) the backend in between the same steps, and share all that is
//! decided.

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

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use cacheado_backends::backend::{Change, Lease, Lookup, Mark, Payload};
use cacheado_backends::envelope::Compression;
use cacheado_backends::{Backend, Clock, Key, Level, Result, Scope};

use crate::counters::{Counters, Event};
use crate::repeats::{Repeats, warn_seldom};
use crate::value::Codec;

pub(crate) use breaker::BreakerOptions;
pub(crate) use coherence::Coherence;
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

    /// What the tier has under `key`, and for how long.
    ///
    /// # Errors
    ///
    /// [`Error::TypeMismatch`](crate::Error::TypeMismatch) if it has a value of another type; else what it said if it failed.
    pub(crate) fn get(&self, key: &Key, codec: Codec) -> Result<Option<Found>> {
        let outside = self.outside(key);
        let found = self.found(key, &outside)?;
        self.opened(&outside, codec, found)
    }

    /// As [`get`](Self::get), without blocking.
    pub(crate) async fn get_async(&self, key: &Key, codec: Codec) -> Result<Option<Found>> {
        let outside = self.outside(key);
        let found = self.found_async(key, &outside).await?;
        self.opened(&outside, codec, found)
    }

    /// What the tier has under `key`, for a load that begins if it has nothing. What is there and can't be used is a miss.
    ///
    /// # Errors
    ///
    /// What it said if it failed.
    pub(crate) fn look(&self, key: &Key, codec: Codec) -> Result<Seen> {
        let outside = self.outside(key);
        let found = self.found(key, &outside)?;
        match self.seen(&outside, codec, found) {
            Some(seen) => Ok(seen),
            None => self.mark(key).map(|mark| Seen::Miss(Some(mark))),
        }
    }

    /// As [`look`](Self::look), without blocking.
    pub(crate) async fn look_async(&self, key: &Key, codec: Codec) -> Result<Seen> {
        let outside = self.outside(key);
        let found = self.found_async(key, &outside).await?;
        match self.seen(&outside, codec, found) {
            Some(seen) => Ok(seen),
            None => self
                .mark_async(key)
                .await
                .map(|mark| Seen::Miss(Some(mark))),
        }
    }

    /// What the store has under `outside`, as it may know `key`.
    fn found(&self, key: &Key, outside: &Key) -> Result<Lookup> {
        let part = || self.backend.part(outside);
        self.ask("get", About::Current(key), part, |it| it.get(outside))
    }

    /// As [`found`](Self::found), without blocking.
    async fn found_async(&self, key: &Key, outside: &Key) -> Result<Lookup> {
        let part = || self.backend.part(outside);
        self.ask_async("get", About::Current(key), part, |it| it.get_async(outside))
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

    /// Keeps `change` until it is sent, since it could not be sent now.
    fn keep(&self, change: Change) {
        if self.outbox.keep(change) && !self.sends_by_hand {
            replay::begin(&self.this);
        }
    }

    /// Stores a value that is newer than any other; with a mark, only if nothing came since. Returns whether it is stored.
    pub(crate) fn put(&self, key: &Key, payload: &Payload, since: Option<&Mark>) -> Result<bool> {
        let outside = self.outside(key);
        // it may be asked for a key whose eviction could not be sent: it is newer than that
        let put = self.ask(
            "set",
            About::Any(key),
            || self.backend.part(&outside),
            |backend| match since {
                Some(mark) => backend.put(&outside, payload, mark),
                None => backend.set(&outside, payload).map(|()| true),
            },
        );
        let put = self.or_keep(put, || Change::Key(key.clone()))?;
        self.outbox.forget(key);
        Ok(put)
    }

    /// As [`put`](Self::put), without blocking.
    pub(crate) async fn put_async(
        &self,
        key: &Key,
        payload: &Payload,
        since: Option<&Mark>,
    ) -> Result<bool> {
        let outside = self.outside(key);
        let put = self.ask_async(
            "set",
            About::Any(key),
            || self.backend.part(&outside),
            |backend| match since {
                Some(mark) => backend.put_async(&outside, payload, mark),
                None => {
                    let set = backend.set_async(&outside, payload);
                    Box::pin(async move { set.await.map(|()| true) })
                }
            },
        );
        // a caller who goes away has seen no answer: an older value may be there still
        let unsent = Unsent::new(self, Change::Key(key.clone()));
        let put = unsent.over(put.await)?;
        self.outbox.forget(key);
        Ok(put)
    }

    /// Removes what is under `key`. Returns whether something was. One that can't be sent is kept until it can.
    pub(crate) fn evict(&self, key: &Key) -> Result<bool> {
        let outside = self.outside(key);
        let evicted = self.ask(
            "evict",
            About::Any(key),
            || self.backend.part(&outside),
            |backend| backend.evict(&outside),
        );
        self.or_keep(evicted, || Change::Key(key.clone()))
    }

    /// As [`evict`](Self::evict), without blocking.
    pub(crate) async fn evict_async(&self, key: &Key) -> Result<bool> {
        let outside = self.outside(key);
        let evict = self.ask_async(
            "evict",
            About::Any(key),
            || self.backend.part(&outside),
            |backend| backend.evict_async(&outside),
        );
        // a caller who goes away has seen no answer: it is kept until there is one
        let unsent = Unsent::new(self, Change::Key(key.clone()));
        unsent.over(evict.await)
    }

    /// Removes what is under `key`, as soon as can be.
    pub(crate) fn evict_later(&self, key: &Key) {
        self.keep(Change::Key(key.clone()));
    }

    /// Runs `forget`, by which the process forgets what is to be evicted here next. If a rule panics over it, the eviction is kept until
    /// it can be sent, and the panic goes on.
    pub(crate) fn after<R>(&self, eviction: impl FnOnce() -> Change, forget: impl Fn() -> R) -> R {
        catch_unwind(AssertUnwindSafe(&forget)).unwrap_or_else(|panic| {
            self.keep(eviction());
            // what a look-up took over from here meanwhile
            let _ = catch_unwind(AssertUnwindSafe(forget));
            resume_unwind(panic)
        })
    }

    /// Removes all that is in `scope`. Returns how many live entries that were. One that can't be sent is kept until it can.
    pub(crate) fn evict_by_scope(&self, scope: &Scope) -> Result<u64> {
        let outside = self.outside_scope(scope);
        let evicted = self.ask(
            "evict by scope",
            About::Scope,
            || self.backend.part_of_scope(&outside),
            |it| it.evict_by_scope(&outside),
        );
        self.or_keep(evicted, || Change::Scope(scope.clone()))
    }

    /// As [`evict_by_scope`](Self::evict_by_scope), without blocking.
    pub(crate) async fn evict_by_scope_async(&self, scope: &Scope) -> Result<u64> {
        let outside = self.outside_scope(scope);
        let evict = self.ask_async(
            "evict by scope",
            About::Scope,
            || self.backend.part_of_scope(&outside),
            |it| it.evict_by_scope_async(&outside),
        );
        let unsent = Unsent::new(self, Change::Scope(scope.clone()));
        unsent.over(evict.await)
    }

    /// Removes everything. One that can't be sent is kept until it can.
    pub(crate) fn clear(&self) -> Result<()> {
        let cleared = self.ask("clear", About::Scope, || self.whole(), Backend::clear);
        self.or_keep(cleared, || Change::All)
    }

    /// As [`clear`](Self::clear), without blocking.
    pub(crate) async fn clear_async(&self) -> Result<()> {
        let clear = self.ask_async("clear", About::Scope, || self.whole(), Backend::clear_async);
        let unsent = Unsent::new(self, Change::All);
        unsent.over(clear.await)
    }

    fn or_keep<T>(&self, sent: Result<T>, change: impl FnOnce() -> Change) -> Result<T> {
        if sent.is_err() {
            self.keep(change());
        }
        sent
    }
}

/// Operations that are handed on as they are. Each is asked of a key whose evictions have all been sent.
macro_rules! handed_on {
    ($($(#[$doc:meta])* $name:ident, $name_async:ident ($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl SharedTier {
            $($(#[$doc])*
            pub(crate) fn $name(&self, key: &Key $(, $arg: $type)*) -> Result<$out> {
                let outside = self.outside(key);
                let part = || self.backend.part(&outside);
                self.ask(stringify!($name), About::Current(key), part, |it| it.$name(&outside $(, $arg)*))
            }

            /// The same without blocking.
            pub(crate) async fn $name_async(&self, key: &Key $(, $arg: $type)*) -> Result<$out> {
                let outside = self.outside(key);
                let operation = stringify!($name);
                let part = || self.backend.part(&outside);
                self.ask_async(operation, About::Current(key), part, |it| it.$name_async(&outside $(, $arg)*)).await
            })*
        }
    };
}
handed_on! {
    /// What a load is known by that begins now.
    mark, mark_async() -> Mark;
    /// Stores what a load that began at `mark` has found. Returns whether it is stored.
    fill, fill_async(payload: &Payload, mark: &Mark) -> bool;
    /// Claims the load of `key` among all processes.
    lease, lease_async(span: Duration) -> Lease;
    /// Gives a claim back.
    release, release_async(mark: &Mark) -> ();
    /// The same, and it is anybody's for `span`.
    release_to_all, release_to_all_async(mark: &Mark, span: Duration) -> ();
}

/// An eviction or a put that is being sent: the eviction is kept, if its caller goes away before there is an answer.
struct Unsent<'a> {
    tier: &'a SharedTier,
    change: Option<Change>,
}

impl<'a> Unsent<'a> {
    fn new(tier: &'a SharedTier, change: Change) -> Self {
        let change = Some(change);
        Self { tier, change }
    }

    fn over<T>(self, sent: Result<T>) -> Result<T> {
        if sent.is_ok() {
            self.sent();
        }
        sent
    }

    fn sent(mut self) {
        self.change = None;
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.tier.keep(change);
        }
    }
}
