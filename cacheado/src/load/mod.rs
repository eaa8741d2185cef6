//! The one path of a miss: wait for the load that is under way, or run the body and store what it returns.
//!
//! Those who block and those who await walk it alike, as far as where the body runs: by the [way](crate::way) they give. It knows neither
//! the value's type nor the body, which [`Pending`](crate::load::pending::Pending) runs in between: it is compiled once, here.

pub(crate) mod active;
mod begin;
mod claim;
mod handed;
mod kept;
mod lead;
pub(crate) mod patience;
pub(crate) mod pending;
mod renewal;
pub(crate) mod rests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cacheado_backends::backend::Mark;
use cacheado_backends::{Clock, Error, Key, Result, Tick};

use crate::aging::Aging;
use crate::aging::aged::Age;
use crate::aging::errors::CloneError;
use crate::cache::Cache;
use crate::counters::Event;
use crate::evict::evict_local;
use crate::flight::{Boarding, FlightKind, Shared, Ticket, Wait};
use crate::put::forget_older;
use crate::shared::{Found, Seen, SharedTier, Wanted, Write};
use crate::value::{AnyValue, Codec, ValueType};
use crate::way::Way;
use active::in_doubt;
use claim::Claim;
use handed::Handed;
use lead::StandIn;
use patience::Patience;

pub(crate) use begin::landing;
pub(crate) use lead::{Course, Lead, Settled};
pub(crate) use renewal::{Claimed, Renewal};

/// A key that was not found, and how it is to be loaded.
pub(crate) struct Load {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) values: &'static ValueType,
    /// How long a value lives, unless the one says otherwise.
    pub(crate) ttl: Option<Duration>,
    /// How values of its function age; `None`: it has none.
    pub(crate) aging: Option<&'static Aging>,
    /// Its body may run in the background.
    pub(crate) owned: bool,
    pub(crate) sharing: Sharing,
    /// Whether the look-up that led here has been counted. One that may still be a hit of the shared tier has not; if it is given up
    /// before that is known, it is a miss.
    pub(crate) counted: AtomicBool,
    /// Whether the caller wants to be told that the shared tier failed, instead of the body being run.
    pub(crate) fails: bool,
    /// How an error is found that is kept.
    pub(crate) errors: Option<CloneError>,
    /// It runs in the background, for a value that is there.
    pub(crate) renewal: Option<Box<Renewal>>,
    /// Whether its caller has returned what is there, or an error, if it may do so before the load is over.
    pub(crate) answered: Option<Arc<AtomicBool>>,
    pub(crate) course: Course,
}

/// Whether a load is shared, and with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// One load at a time, and the rest wait for it.
    Single,
    /// The same among all processes that share a tier.
    Cluster,
    /// Each caller for itself.
    Beside,
    /// As `Beside`, and what is stored already is not asked for: the body runs in any case.
    Refresh,
}

/// How a load has begun.
pub(crate) enum Begun {
    /// It is over: another had the value, or the shared tier.
    Found(Box<AnyValue>),
    /// It is over: another has failed, and its error is kept.
    FoundError(Box<AnyValue>),
    /// The body is to run.
    Lead(Lead),
    /// It is not: the shared tier failed, and the caller wants to know.
    Failed(Box<Error>),
}

/// How a load begins that does not block. What has to wait is boxed: it would make the future of each call larger by several times.
pub(crate) enum Beginning {
    Over(Begun),
    Waits(Pin<Box<dyn Future<Output = Begun> + Send>>),
}

impl Load {
    /// How values age.
    pub(crate) fn aging(&self) -> Aging {
        self.cache.aging_of(self.aging)
    }

    /// How long past its lifetime a value may stand in for one that can't be had.
    fn stale(&self) -> Option<Duration> {
        self.cache.stale_of(self.aging)
    }

    /// What is to be done after the shared tier was looked at. `stand_in` is what it had that only stands in for another.
    fn judge(
        &self,
        seen: Result<Seen>,
        ticket: &Ticket,
        patience: &Patience,
        stand_in: &mut Option<StandIn>,
    ) -> Judged {
        if seen.is_err()
            && let Some(value) = self.doubted()
        {
            self.hit();
            return Judged::Over(Begun::Found(value));
        }
        match seen {
            Ok(Seen::Hit(found)) => {
                Judged::Over(Begun::Found(self.landed_from_shared(ticket, found)))
            }
            Ok(Seen::Miss(mark)) if self.sharing == Sharing::Cluster && !patience.is_over() => {
                Judged::Claim(mark)
            }
            Ok(Seen::Miss(mark)) => Judged::Lead(Claim::unclaimed(mark)),
            Err(error) if self.fails => Judged::Over(self.failed(ticket, error, stand_in)),
            // nothing is known of what comes between, so nothing is to be stored there
            Err(_) => Judged::Lead(Claim::default()),
        }
    }

    /// The body of a refresh runs, whatever is stored.
    fn refresh(self: Box<Self>, ticket: Ticket, mark: Result<Mark>) -> Begun {
        match mark {
            Err(error) if self.fails => self.failed(&ticket, error, &mut None),
            mark => self.lead(ticket, Claim::unclaimed(mark.ok())),
        }
    }

    /// The shared tier has failed, and the body is not to run for that: the load has failed as if that had.
    fn failed(&self, ticket: &Ticket, error: Error, stand_in: &mut Option<StandIn>) -> Begun {
        self.missed();
        if let Some(value) = self.stood_in(ticket, stand_in, &|| Some(error.to_string())) {
            return Begun::Found(value);
        }
        ticket.land_empty();
        Begun::Failed(Box::new(error))
    }

    /// Whether a failure of the load is not to be its caller's, if there is a value that stands in.
    fn forgives(&self) -> bool {
        // who asks for a new value is not given the old one
        self.sharing != Sharing::Refresh && (self.renewal.is_some() || self.stale().is_some())
    }

    /// The load has failed. If there is a value that stands in, that of the process or else `or`, it is returned, those who wait have got
    /// it too, and no other load begins for a while. `why` says why, if it can be said.
    fn stood_in(
        &self,
        ticket: &Ticket,
        or: &mut Option<StandIn>,
        why: &dyn Fn() -> Option<String>,
    ) -> Option<Box<AnyValue>> {
        if !self.forgives() || !ticket.is_undisturbed() {
            return None;
        }
        let now = self.cache.clock().now();
        let rest = |age: &Age| {
            age.failed(now, self.cache.rest());
            true
        };
        let stored = self
            .cache
            .store()
            .peek_key(&self.key, |entry| self.values.clone_aged(entry, rest));
        let stored = stored.flatten();
        // those who come next don't ask the process, or find nothing there that says so
        let is_unknown = stored.is_none() || self.cache.doubts_key(&self.key);
        let value = match stored {
            Some(value) => {
                self.cache.serves_for_want_of_better(&self.key);
                value
            }
            // the body may have taken long
            None => or.take().filter(|it| now < it.until)?.value,
        };
        if is_unknown {
            let until = Clock::deadline(now, Some(self.cache.rest()));
            self.cache.rests().begin(&self.key, now, until);
        }
        if self.renewal.is_none() {
            self.stale_hit();
        }
        // last: who sees it sees all that is counted of it
        self.cache.count(&self.key, Event::Failure);
        let error = why().map(tracing::field::display);
        tracing::warn!(key = %self.key, error, "a load failed, and the value before stands in");
        self.land_unloaded(ticket, &*value, Event::Miss, true);
        Some(value)
    }

    /// Another process has claimed the load: while it is at it, what stands in is returned, as while a refresh of this process runs.
    /// `None`: there is nothing, or the next value is to be waited for, still if that `began` then.
    fn served_meanwhile(
        &self,
        ticket: &Ticket,
        stand_in: &mut Option<StandIn>,
        began: Tick,
    ) -> Option<Box<AnyValue>> {
        let now = self.cache.clock().now();
        let timeout = self.aging().timeout;
        let over = Clock::deadline(began, Some(timeout.unwrap_or_default()));
        let waits = !self.owned || self.renewal.is_some();
        if waits || now < over || !ticket.is_undisturbed() {
            return None;
        }
        let value = stand_in.take().filter(|it| now < it.until)?.value;
        match timeout {
            None => self.hit(),
            Some(_) => self.missed(),
        }
        if self.stale_hit() && timeout.is_some() {
            self.cache.count(&self.key, Event::Timeout);
        }
        self.land_unloaded(ticket, &*value, Event::Miss, true);
        Some(value)
    }

    /// Ends a load that has loaded nothing: those who wait get `value`. See [`Handed`].
    fn land_unloaded(&self, ticket: &Ticket, value: &AnyValue, event: Event, stands_in: bool) {
        ticket.land(|| {
            Arc::new(Handed {
                value: self.values.clone(value),
                event,
                stands_in,
                doubted: false,
            })
        });
    }

    /// Counts that its caller is given what stands in, unless that has been answered already. Returns whether it was counted.
    fn stale_hit(&self) -> bool {
        let answered = self.answered.as_ref();
        let first = !answered.is_some_and(|answered| answered.swap(true, Ordering::Relaxed));
        if first {
            self.cache.count(&self.key, Event::StaleHit);
        }
        first
    }

    fn lead(self: Box<Self>, ticket: Ticket, claim: Claim) -> Begun {
        self.lead_with(ticket, claim, None)
    }

    fn lead_with(
        mut self: Box<Self>,
        ticket: Ticket,
        claim: Claim,
        stand_in: Option<StandIn>,
    ) -> Begun {
        self.missed();
        let event = match self.renewal {
            Some(_) => Event::Refresh,
            None => Event::Load,
        };
        self.cache.count(&self.key, event);
        let measured = self.aging.is_some_and(|aging| aging.xfetch.is_some());
        self.course.stand_in = stand_in;
        self.course.mark = claim.mark;
        self.course.begun = measured.then(|| self.cache.clock().now());
        Begun::Lead(Lead {
            load: self,
            ticket,
            claim: claim.held,
        })
    }

    /// Counts the look-up that led here as a miss, unless that is done.
    pub(crate) fn missed(&self) {
        self.looked_up(Event::Miss);
    }

    /// Counts the look-up that led here as a hit, unless it was counted as a miss.
    fn hit(&self) {
        self.looked_up(Event::Hit);
    }

    fn looked_up(&self, event: Event) {
        // one at a time has the load
        if !self.counted.load(Ordering::Relaxed) {
            self.counted.store(true, Ordering::Relaxed);
            self.cache.count(&self.key, event);
        }
    }

    pub(crate) fn board(&self, way: Way) -> Boarding {
        match self.sharing {
            Sharing::Single | Sharing::Cluster => self.cache.flights().board(&self.key, way),
            Sharing::Beside | Sharing::Refresh => Boarding::Lead(self.beside(way)),
        }
    }

    fn beside(&self, way: Way) -> Ticket {
        let kind = match self.sharing {
            Sharing::Refresh => FlightKind::Put,
            Sharing::Single | Sharing::Cluster | Sharing::Beside => FlightKind::Load,
        };
        self.cache.flights().beside(&self.key, kind, way)
    }

    /// Whether what the leader has is this one's as well.
    fn takes(&self, shared: &AnyValue) -> bool {
        let (value, handed) = Handed::unwrapped(shared);
        // the leader may be another function of this one's name, of which alone a value may stand in; and its type is this one's, unless
        // two programmatic calls use one key for two
        self.values.is(value) && (handed.is_none_or(|it| !it.stands_in) || self.forgives())
    }

    /// What a caller who has waited does next.
    pub(crate) fn waited(&self, wait: Wait, way: Way) -> Waited {
        match wait {
            Wait::Value(shared) if self.takes(&*shared) => {
                let (value, handed) = Handed::unwrapped(&*shared);
                self.looked_up(handed.map_or(Event::Miss, |it| it.event));
                if handed.is_some_and(|it| it.doubted) {
                    in_doubt();
                }
                if handed.is_some_and(|it| it.stands_in) {
                    self.cache.count(&self.key, Event::StaleHit);
                    self.cache.serves_for_want_of_better(&self.key);
                }
                Waited::Value(self.values.clone(value))
            }
            Wait::Value(_) | Wait::Alone => Waited::Beside(self.beside(way)),
            Wait::Again => {
                if let Some(value) = self.stored() {
                    self.hit();
                    return Waited::Value(value);
                }
                if let Some(error) = self.stored_error() {
                    self.hit();
                    return Waited::Error(error);
                }
                Waited::Again
            }
        }
    }

    /// Whether what the shared tier has is to be loaded anew.
    fn is_old(&self, found: &Found) -> bool {
        let Some(renewal) = &self.renewal else {
            return found.is_stale() && !self.rests();
        };
        // with no part of its lifetime to go by, it is as old as the one that is to be renewed, unless it outlives that by far
        let now = self.cache.clock().now();
        let left = Duration::from_nanos(renewal.claimed.fresh_until.saturating_sub(now));
        let aging = self.aging();
        found.is_stale()
            || found.span(&aging).is_due()
            || (aging.xfetch.is_some() && !found.outlives(left))
    }

    /// Whether what stands in is returned without another load, since one has just failed. Elsewhere than in the process, where the
    /// value itself says so.
    fn rests(&self) -> bool {
        let cache = &self.cache;
        self.stale().is_some() && cache.rests().covers(&self.key, cache.clock().now())
    }

    fn shared(&self) -> Option<(&SharedTier, Codec)> {
        self.cache.shared_for(&self.key, self.values.codec)
    }

    /// What a lookup in the shared tier has to ask for.
    fn wanted(&self) -> Wanted {
        self.cache.wanted(&self.key, &self.aging())
    }

    /// Keeps what the shared tier had, for as long as it lives there.
    fn landed_from_shared(&self, ticket: &Ticket, found: Found) -> Box<AnyValue> {
        self.hit();
        if found.is_stale() {
            self.stale_hit();
        }
        self.keep(ticket, &found);
        self.land_unloaded(ticket, &*found.value, Event::Hit, found.is_stale());
        found.value
    }

    fn keep(&self, ticket: &Ticket, found: &Found) {
        self.cache
            .take_over(ticket, self.values, found, &self.aging());
    }

    /// Keeps what the shared tier had that only stands in for another, if this function's values may. It is returned, if so.
    fn landed_old(&self, ticket: &Ticket, found: Found) -> Option<StandIn> {
        let aging = self.aging();
        aging.stale?;
        if found.is_stale() && self.renewal.is_none() {
            self.keep(ticket, &found);
        }
        let now = self.cache.clock().now();
        let ends = Clock::deadline(now, found.span(&aging).total());
        Some(StandIn {
            value: found.value,
            until: ends.min(self.cache.store().copies_end(now)),
        })
    }

    /// A clone for those who wait.
    fn share(&self, value: &AnyValue) -> Shared {
        let value = self.values.clone(value);
        if !self.is_doubted() {
            return value.into();
        }
        Arc::new(Handed {
            value,
            event: Event::Miss,
            stands_in: false,
            doubted: true,
        })
    }

    /// Whether the body was given what may be old, and where nothing says when it is.
    fn is_doubted(&self) -> bool {
        let wishes = self.course.wishes.get();
        wishes.is_some_and(|wishes| wishes.is_doubted())
    }

    /// The shared tier was told of what is newer than what it had, or could not be. What is newer may have gone from the process
    /// meanwhile, and a look-up have brought there what is older.
    fn forget_older(&self, ticket: &Ticket, write: Option<&Write>) {
        if matches!(write, Some(Write::Put(_) | Write::Evict)) {
            forget_older(&self.cache, ticket);
        }
    }

    /// A value was loaded and is not kept. If it was a refresh's, what was kept before goes: it is older than what was loaded,
    /// or than what another put stored meanwhile, and which of the two the source holds is not known. So does what stands in for a
    /// value: the next load that fails would bring it back. `stands_in`: the shared tier has one that does.
    fn unstored(&self, ticket: &Ticket, stands_in: bool) -> Settled {
        let replaces = match self.sharing {
            Sharing::Refresh => true,
            // one that nobody asked for, or waited for others with, changes nothing where something came meanwhile
            _ => {
                ticket.is_undisturbed()
                    && (self.renewal.is_some() || stands_in || self.leaves_stand_in())
            }
        };
        if !replaces {
            return Settled::default();
        }
        evict_local(&self.cache, &self.key);
        Settled {
            write: self.shared().map(|_| Write::Evict),
            shared: None,
        }
    }
}

impl Drop for Load {
    /// Its caller may go away while the shared tier is asked, or another's load waited for.
    fn drop(&mut self) {
        self.missed();
    }
}

/// What is to be done after the shared tier was looked at.
enum Judged {
    /// Nothing: it is over.
    Over(Begun),
    /// The body is to run.
    Lead(Claim),
    /// So it is, if the claim among all processes is granted.
    Claim(Option<Mark>),
}

/// What a caller who has waited does next.
pub(crate) enum Waited {
    /// It returns this.
    Value(Box<AnyValue>),
    /// So has the one it waited for failed.
    Error(Box<AnyValue>),
    /// It loads by itself.
    Beside(Ticket),
    /// It looks for a load to join again.
    Again,
}
