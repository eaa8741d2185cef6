//! A load whose body is to run, from then until what it returned is stored and told.

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

/// A load whose body is to run.
pub(crate) struct Lead {
    pub(super) load: Box<Load>,
    pub(super) ticket: Ticket,
    /// The claim that it holds among all processes. Few have one, and it is large.
    pub(super) claim: Option<Box<Held>>,
}

/// What a load has come to by the time that its body is to run. It lies in the load's own place in memory, which is large enough for it from
/// the beginning on: a miss allocates once for both.
#[derive(Default)]
pub(crate) struct Course {
    /// What the shared tier knows the load by; `None`: it is to store nothing there.
    pub(super) mark: Option<Mark>,
    /// What the shared tier had that only stands in for another.
    pub(super) stand_in: Option<StandIn>,
    /// What the body wants, if it has said so.
    pub(super) wishes: OnceLock<Arc<Wishes>>,
    /// When the body began, if somebody wants to know how long it takes.
    pub(super) begun: Option<Tick>,
}

/// A value of the shared tier that only stands in for another.
pub(super) struct StandIn {
    pub(super) value: Box<AnyValue>,
    /// The first moment at which it does not: its time is over, or it may have been evicted elsewhere unheard for too long.
    pub(super) until: Tick,
}

impl Lead {
    /// While it lives, the thread is inside of the load.
    pub(crate) fn turn(&self) -> Active<'_> {
        Active::enter(&self.load.cache, &self.load.key, &self.load.course.wishes)
    }

    /// What becomes of the value, of which `decision` is what the function's options say.
    pub(crate) fn decided(&self, decision: Decision) -> Decision {
        let wishes = self.load.course.wishes.get();
        wishes.map_or(decision, |wishes| wishes.over(decision))
    }

    /// The same for the span of one poll of the body.
    pub(crate) fn turn_of_poll(&self) -> Turn<'_> {
        self.ticket.polled();
        Turn {
            // a panic that may be forgiven is looked at first
            _panic: (!self.forgives()).then_some(LandOnPanic(&self.ticket)),
            _active: self.turn(),
        }
    }

    /// See [`Load::forgives`].
    pub(crate) fn forgives(&self) -> bool {
        self.load.forgives()
    }

    /// The body has failed; `why` says why, if it can be said. If there is a value that stands in, it is returned, those who wait have
    /// got it too, and no other load begins for a while. Else they go on by themselves.
    pub(crate) fn failed(&mut self, why: &dyn Fn() -> Option<String>) -> Option<Box<AnyValue>> {
        self.claim.iter_mut().for_each(|held| held.has_failed());
        let mut stand_in = self.load.course.stand_in.take();
        let stood_in = self.load.stood_in(&self.ticket, &mut stand_in, why);
        self.load.course.stand_in = stand_in;
        stood_in
    }

    /// Keeps the error in `ret`, if there is one, for those who wait as well. Answers whether that was done: then nothing is left to be
    /// done. If an invalidation or a put came meanwhile, or there is a good value, it is not kept.
    pub(crate) fn keep_error<R>(&self, errors: Option<Errors<R>>, ret: &R) -> bool {
        let Some(errors) = errors else {
            return false;
        };
        let load = &self.load;
        let aging = load.aging();
        // what was asked for anew leaves what is there
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
        // dropped where no lock is held, as what is not kept is
        let mut dropped = Dropped::new();
        // it goes to no shared tier, which would know what it is too old for
        let stored = self.ticket.store_as(Keeping::by(is_shared, None), |_| {
            // the one that was there before, or that of another load which ran beside this one
            if load.values.has_good(&load.cache, &load.key) {
                return None;
            }
            let span = Span::plain(aging.err_ttl);
            Some(load.cache.store_local(entry.take(), &span, &mut dropped))
        });
        // those who wait look again, and find it
        matches!(stored.flatten(), Some(Inserted::Stored(_)))
    }

    /// Those who wait go on by themselves.
    pub(crate) fn abandon(&self) {
        self.ticket.land_empty();
    }

    /// Stores what the body returned, if it is to be stored. Those who wait go on at once, if what they look for next is in the
    /// process; else once the shared tier has it. Returns what is left to be done.
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
                // dropped where no lock is held
                let mut dropped = Dropped::new();
                let store = |unheard: bool| {
                    // taken where it is stored: it is large, and handed on otherwise
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

    /// What the shared tier is to be told of a value that is stored in the process.
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

    /// What is left to be done, if anything is.
    fn remaining(self, settled: Settled) -> Option<(Self, Settled)> {
        (settled.write.is_some() || self.claim.is_some()).then_some((self, settled))
    }

    /// Tells the shared tier, and then those who still wait.
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
                    // no eviction ends one
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

    /// The same by blocking. A function of its own, so that those who run bodies, one for each type, have none of it in them.
    pub(crate) fn tell_blocking(self, settled: Settled) {
        blocking(|way| self.tell(way, settled));
    }

    /// The same without blocking. Boxed, as it is needed with a shared tier alone.
    pub(crate) fn tell_boxed(self, settled: Settled) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(self.tell(Way::Async, settled))
    }

    /// Whether those who are next are to load side by side: after a load that stores nothing, unless it was merely overtaken.
    fn fails_for_all(&self, write: Option<&Write>) -> bool {
        match write {
            None => self.ticket.is_undisturbed(),
            Some(write) => matches!(write, Write::Evict),
        }
    }

    /// Whether what was stored in the shared tier is to go again: an invalidation came while it was being written, went first and
    /// found nothing; or others may have done so unheard. It goes from the process as well, where another load may have brought it from
    /// there. A value that the tier refused the process forgets.
    fn is_to_go(&self, write: Option<&Write>, stored: &Result<bool>) -> bool {
        match (write, stored) {
            (Some(Write::Fill(_) | Write::Put(_)), Ok(true)) => {
                !self.ticket.is_valid_in(self.keeping())
            }
            (_, Ok(false)) => {
                self.load.cache.take_back(&self.ticket);
                false
            }
            // nothing was stored, or nobody knows
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
    /// What the shared tier is to be told.
    pub(super) write: Option<Write>,
    /// What those who wait get once it is.
    pub(super) shared: Option<Shared>,
}

/// The thread is inside of a poll of the body.
pub(crate) struct Turn<'a> {
    _panic: Option<LandOnPanic<'a>>,
    _active: Active<'a>,
}

/// A panic in a poll need not drop the future at once; those who wait are let go here.
struct LandOnPanic<'a>(&'a Ticket);

impl Drop for LandOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.land_empty();
        }
    }
}
