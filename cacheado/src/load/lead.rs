//! A load whose body must run, from then until the result is stored and announced.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cacheado_backends::backend::Mark;
use cacheado_backends::memory::{Dropped, Inserted};
use cacheado_backends::{NewEntry, Result, Tick};

use super::active::Active;
use super::claim::Held;
use super::{Load, Sharing};
use crate::aging::Span;
use crate::aging::errors::Errors;
use crate::context::Wishes;
use crate::evict::{Again, Filling, evict_key, or_evict};
use crate::flight::{Keeping, Shared, Ticket};
use crate::outcome::Decision;
use crate::shared::{SharedTier, Write};
use crate::value::{AnyValue, Codec};
use crate::way::{Way, blocking};

/// A load whose body must run.
pub(crate) struct Lead {
    pub(super) load: Box<Load>,
    pub(super) ticket: Ticket,
    /// The claim that it holds among all processes. Boxed, because few loads have one, and it is large.
    pub(super) claim: Option<Box<Held>>,
}

/// The state of a load from the time that its body runs. It is part of [`Load`]'s allocation from the beginning, so a miss allocates
/// once for both.
#[derive(Default)]
pub(crate) struct Course {
    /// Identifies the load in the shared tier; `None`: it must store nothing there.
    pub(super) mark: Option<Mark>,
    /// A stale value found in the shared tier.
    pub(super) stand_in: Option<StandIn>,
    /// What the body requested through its [`LoadContext`](crate::LoadContext), if it did.
    pub(super) wishes: OnceLock<Arc<Wishes>>,
    /// When the body began, if its duration is measured.
    pub(super) begun: Option<Tick>,
}

/// A stale value of the shared tier, which may stand in for one that can't be loaded.
pub(super) struct StandIn {
    pub(super) value: Box<AnyValue>,
    /// The first moment at which it may not: its time is over, or an eviction elsewhere may have gone unreported for too long.
    pub(super) until: Tick,
}

impl Lead {
    /// While the returned guard lives, the thread is inside the load.
    pub(crate) fn turn(&self) -> Active<'_> {
        Active::enter(&self.load.cache, &self.load.key, &self.load.course.wishes)
    }

    /// What becomes of the value. `decision` is what the function's options say.
    pub(crate) fn decided(&self, decision: Decision) -> Decision {
        let wishes = self.load.course.wishes.get();
        wishes.map_or(decision, |wishes| wishes.over(decision))
    }

    /// As [`turn`](Self::turn), for one poll of the body.
    pub(crate) fn turn_of_poll(&self) -> Turn<'_> {
        self.ticket.polled();
        Turn {
            // a panic that may be forgiven is examined first
            _panic: (!self.forgives()).then_some(LandOnPanic(&self.ticket)),
            _active: self.turn(),
        }
    }

    /// See [`Load::forgives`].
    pub(crate) fn forgives(&self) -> bool {
        self.load.forgives()
    }

    /// Handles a failure of the body. If there is a stand-in, it is returned, the waiters have received it too, and no other load
    /// begins for a while. Otherwise the waiters go on by themselves. `why` gives the reason, if it can be printed.
    pub(crate) fn failed(&mut self, why: &dyn Fn() -> Option<String>) -> Option<Box<AnyValue>> {
        self.claim.iter_mut().for_each(|held| held.has_failed());
        let mut stand_in = self.load.course.stand_in.take();
        let stood_in = self.load.stood_in(&self.ticket, &mut stand_in, why);
        self.load.course.stand_in = stand_in;
        stood_in
    }

    /// Keeps the error in `ret`, if there is one, for later callers and the waiters. Returns whether it was kept; then nothing is left
    /// to be done. An error is not kept if an invalidation or a put came meanwhile, or if there is a good value.
    pub(crate) fn keep_error<R>(&self, errors: Option<Errors<R>>, ret: &R) -> bool {
        let Some(errors) = errors else {
            return false;
        };
        let load = &self.load;
        let aging = load.aging();
        // a refresh leaves the existing entry alone
        if load.sharing == Sharing::Refresh || !load.cache.is_in_process() {
            return false;
        }
        let kind = load.values.kind(aging.ages());
        let entry = errors.entry(kind, &load.key, ret, load.cache.weigher());
        let Some(mut entry) = entry else {
            return false;
        };
        let is_shared = load.shared().is_some();
        if is_shared {
            // another process may find a value
            entry = entry.dependent();
        }
        let mut entry = Some(entry);
        // dropped outside the locks, as an entry that is not kept is
        let mut dropped = Dropped::new();
        // no mark: an error does not go to the shared tier, which could tell what it is too old for
        let stored = self.ticket.store_as(Keeping::by(is_shared, None), |_| {
            // the value from before, or from another load that ran side by side with this one
            if load.values.has_good(&load.cache, &load.key) {
                return None;
            }
            let span = Span::plain(aging.err_ttl);
            Some(load.cache.store_local(entry.take(), &span, &mut dropped))
        });
        // the waiters look again, and find the error
        matches!(stored.flatten(), Some(Inserted::Stored(_)))
    }

    /// Lets the waiters go on by themselves.
    pub(crate) fn abandon(&self) {
        self.ticket.land_empty();
    }

    /// Stores what the body returned, if it is to be stored. The waiters go on at once if they will find the value in the process,
    /// otherwise once the shared tier has it. Returns what is left to be done.
    pub(crate) fn settle(
        mut self,
        value: Option<(&AnyValue, Decision)>,
    ) -> Option<(Self, Settled)> {
        if self.load.is_doubted() {
            self.load.course.mark = None;
        }
        let ttl = match value {
            Some((_, Decision::Store { ttl })) if ttl != Some(Duration::ZERO) => ttl,
            _ => {
                self.claim.iter_mut().for_each(|held| held.has_failed());
                let settled = value.map_or_else(Settled::default, |_| self.unstored());
                self.ticket.land_empty();
                return self.remaining(settled);
            }
        };
        let Self { load, ticket, .. } = &self;
        let (value, _) = value?;
        let tier = load.shared();
        let cache = &load.cache;
        let took = load.course.begun.map(|begun| {
            let now = cache.clock().now();
            Duration::from_nanos(now.saturating_sub(begun))
        });
        let aging = load.aging();
        let span = aging.span(ttl).after(took, &aging);
        let mut is_here = cache.is_in_process();
        let told = tier.map(|(tier, _)| tier);
        let (key, keeping) = (&load.key, self.keeping());
        let store = |mut entry: Option<NewEntry<'_>>| {
            or_evict(cache, key, told, || {
                // dropped outside the locks
                let mut dropped = Dropped::new();
                let store = |unheard: bool| {
                    // taken only here: it is large, and would be moved otherwise
                    let inserted = cache.store_local(entry.take(), &span, &mut dropped);
                    if unheard && tier.is_some() {
                        cache.forget_copy(key, &mut dropped);
                        is_here = false;
                    }
                    inserted
                };
                if load.sharing == Sharing::Refresh {
                    ticket.put(false, keeping, store)
                } else {
                    ticket.store_as(keeping, store)
                }
            })
        };
        let stored = cache.with_entry(key, load.values, value, &span, tier.is_some(), store);
        let write = match stored {
            Some(Inserted::Stored(lifetime)) => {
                cache.rests().end(&load.key, cache.clock());
                tier.and_then(|(tier, codec)| self.write(tier, codec, value, lifetime, &span))
            }
            Some(Inserted::Rejected(_) | Inserted::Ephemeral) | None => self.unstored().write,
        };
        if write.is_none() && self.claim.is_none() {
            let Self { load, ticket, .. } = self;
            ticket.finish(|| load.share(value));
            return None;
        }
        let shared = if is_here || write.is_none() {
            ticket.land(|| load.share(value));
            None
        } else {
            Some(load.share(value))
        };
        Some((self, Settled { write, shared }))
    }

    fn keeping(&self) -> Keeping {
        Keeping::by(self.load.shared().is_some(), self.load.course.mark.as_ref())
    }

    fn unstored(&self) -> Settled {
        self.load
            .unstored(&self.ticket, self.load.course.stand_in.is_some())
    }

    /// What the shared tier must be told of a value that is stored in the process.
    fn write(
        &self,
        tier: &SharedTier,
        codec: Codec,
        value: &AnyValue,
        lifetime: Option<Duration>,
        span: &Span,
    ) -> Option<Write> {
        let refresh = self.load.sharing == Sharing::Refresh;
        if self.load.course.mark.is_none() {
            return refresh.then_some(Write::Evict);
        }
        Some(
            match tier.seal(&self.load.key, codec, value, lifetime, span) {
                Err(_) => Write::Evict,
                Ok(payload) if refresh => Write::Put(payload),
                Ok(payload) => Write::Fill(payload),
            },
        )
    }

    /// What is left to be done, if anything.
    fn remaining(self, settled: Settled) -> Option<(Self, Settled)> {
        (settled.write.is_some() || self.claim.is_some()).then_some((self, settled))
    }

    /// Tells the shared tier, then the waiters that are left.
    async fn tell(mut self, way: Way, Settled { write, shared }: Settled) {
        let load = &self.load;
        if let Some(tier) = load.cache.shared() {
            // its caller may go away
            let forget = Again::new(|| load.forget_older(&self.ticket, write.as_ref()));
            let overtaken = || {
                let overtaken = !self.ticket.is_valid_in(self.keeping());
                overtaken.then(|| load.key.clone()).into_iter().collect()
            };
            let stored = match (&write, &load.course.mark) {
                (Some(Write::Fill(payload)), Some(mark)) => {
                    let filling = Filling::new(&load.cache, overtaken);
                    let stored = tier.fill(way, &load.key, payload, mark).await;
                    filling.over();
                    stored
                }
                (Some(Write::Put(payload)), mark) => {
                    tier.put(way, &load.key, payload, mark.as_ref()).await
                }
                (Some(_), _) => tier.evict(way, &load.key).await.map(|_| true),
                (None, _) => Ok(true),
            };
            let to_go = self.is_to_go(write.as_ref(), &stored);
            let to_all = self.fails_for_all(write.as_ref());
            forget.now();
            if let Some(held) = &mut self.claim {
                match write {
                    Some(Write::Fill(_)) => held.is_over(&stored),
                    // an eviction does not end a claim
                    _ => held.give_back(way, tier, to_all).await,
                }
            }
            if to_go {
                let _ = evict_key(way, &load.cache, &load.key, true).await;
            }
            load.cache.evict_chosen(way).await;
        }
        self.told(shared);
    }

    /// As [`tell`](Self::tell), by blocking. A separate function, so that the code that runs bodies, compiled once per type, does not
    /// contain it.
    pub(crate) fn tell_blocking(self, settled: Settled) {
        blocking(|way| self.tell(way, settled));
    }

    /// As [`tell`](Self::tell), without blocking. Boxed, because only a cache with a shared tier needs it.
    pub(crate) fn tell_boxed(self, settled: Settled) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.tell(Way::Async, settled))
    }

    /// Whether the next callers load side by side: after a load that stores nothing, unless it was merely overtaken.
    fn fails_for_all(&self, write: Option<&Write>) -> bool {
        match write {
            None => self.ticket.is_undisturbed(),
            Some(write) => matches!(write, Write::Evict),
        }
    }

    /// Whether what was stored in the shared tier must go again: an invalidation came during the write and reached the store first, or
    /// one may have done so unreported. It goes from the process too, where another load may have copied it. If the tier refused the
    /// value, the process forgets it.
    fn is_to_go(&self, write: Option<&Write>, stored: &Result<bool>) -> bool {
        match (write, stored) {
            (Some(Write::Fill(_) | Write::Put(_)), Ok(true)) => {
                !self.ticket.is_valid_in(self.keeping())
            }
            (_, Ok(false)) => {
                self.load.cache.take_back(&self.ticket);
                false
            }
            // nothing was stored, or it is unknown
            _ => false,
        }
    }

    fn told(&self, shared: Option<Shared>) {
        if let Some(shared) = shared {
            self.ticket.land(|| shared);
        }
    }
}

/// What is left to be done for a loaded value.
#[derive(Default)]
pub(crate) struct Settled {
    /// What the shared tier must be told.
    pub(super) write: Option<Write>,
    /// What the waiters get once the shared tier has been told.
    pub(super) shared: Option<Shared>,
}

/// While it lives, the thread is inside a poll of the body.
pub(crate) struct Turn<'a> {
    _panic: Option<LandOnPanic<'a>>,
    _active: Active<'a>,
}

/// Releases the waiters if a poll panics. The panic need not drop the future at once.
struct LandOnPanic<'a>(&'a Ticket);

impl Drop for LandOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.land_empty();
        }
    }
}
