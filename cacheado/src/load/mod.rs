//! The path of a miss: wait for the load that is under way, or run the body and store what it returns.
//!
//! Blocking and async callers share this path up to the point where the body runs; each passes its [way](crate::way) of waiting. The
//! path knows neither the value's type nor the body, which [`Pending`](crate::load::pending::Pending) runs in between. So it is
//! compiled once, in this crate.

pub(crate) mod active;
mod begin;
mod claim;
mod drive;
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

/// A key that was not found, and how to load it.
pub(crate) struct Load {
    pub(crate) cache: Cache,
    pub(crate) key: Key,
    pub(crate) values: &'static ValueType,
    /// How long a value lives, unless the value itself decides.
    pub(crate) ttl: Option<Duration>,
    /// The function's aging options; `None` for a load without a function.
    pub(crate) aging: Option<&'static Aging>,
    /// The body may run in the background.
    pub(crate) owned: bool,
    pub(crate) sharing: Sharing,
    /// Whether the lookup that led here has been counted. It has not while it may still be a hit in the shared tier. If it is given up
    /// before that is known, it counts as a miss.
    pub(crate) counted: AtomicBool,
    /// Whether a failure of the shared tier is returned to the caller instead of running the body.
    pub(crate) fails: bool,
    /// Clones a kept error out of an entry, if the function keeps errors.
    pub(crate) errors: Option<CloneError>,
    /// Set for a load in the background that renews an existing value.
    pub(crate) renewal: Option<Box<Renewal>>,
    /// Whether the caller has been answered with an existing value or an error. `None` if it is only answered once the load is over.
    pub(crate) answered: Option<Arc<AtomicBool>>,
    pub(crate) course: Course,
}

/// Whether concurrent callers share a load, and in which processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// One load at a time in this process; the other callers wait for it.
    Single,
    /// One load at a time among all processes that share a tier.
    Cluster,
    /// Each caller loads for itself.
    Beside,
    /// As `Beside`, and the body runs whatever is stored already.
    Refresh,
}

/// How a load began.
pub(crate) enum Begun {
    /// It is over: another caller or the shared tier had the value.
    Found(Box<AnyValue>),
    /// It is over: another caller failed, and its error is kept.
    FoundError(Box<AnyValue>),
    /// The body must run.
    Lead(Lead),
    /// The shared tier failed, and the caller wants the error instead of running the body.
    Failed(Box<Error>),
}

/// The beginning of a load that does not block. The part that waits is boxed: it would make the future of each call several times
/// larger.
pub(crate) enum Beginning {
    Over(Begun),
    Waits(Pin<Box<dyn Future<Output = Begun> + Send>>),
}

impl Load {
    /// How values age.
    pub(crate) fn aging(&self) -> Aging {
        self.cache.aging_of(self.aging)
    }

    /// How long past its lifetime a value may stand in for one that can't be loaded.
    fn stale(&self) -> Option<Duration> {
        self.cache.stale_of(self.aging)
    }

    /// Decides what to do after the lookup in the shared tier. `stand_in` is a stale value found there.
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
            // changes after this point can't be detected, so nothing may be stored there
            Err(_) => Judged::Lead(Claim::default()),
        }
    }

    /// Leads a refresh, whose body runs whatever is stored.
    fn refresh(self: Box<Self>, ticket: Ticket, mark: Result<Mark>) -> Begun {
        match mark {
            Err(error) if self.fails => self.failed(&ticket, error, &mut None),
            mark => self.lead(ticket, Claim::unclaimed(mark.ok())),
        }
    }

    /// Ends the load because the shared tier failed and the body must not run instead. It is handled like a failure of the body.
    fn failed(&self, ticket: &Ticket, error: Error, stand_in: &mut Option<StandIn>) -> Begun {
        self.missed();
        if let Some(value) = self.stood_in(ticket, stand_in, &|| Some(error.to_string())) {
            return Begun::Found(value);
        }
        ticket.land_empty();
        Begun::Failed(Box::new(error))
    }

    /// Whether a stand-in, if there is one, is returned in place of a failure.
    fn forgives(&self) -> bool {
        // a caller that asks for a new value is not given the old one
        self.sharing != Sharing::Refresh && (self.renewal.is_some() || self.stale().is_some())
    }

    /// Handles a failed load. If there is a stand-in, in the process or else in `or`, it is returned, the waiters have received it
    /// too, and no other load begins for a while. `why` gives the reason, if it can be printed.
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
        // later callers do not read the process's entry, or there is none to record the failure
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
        // last: whoever sees this counter also sees everything counted with it
        self.cache.count(&self.key, Event::Failure);
        let error = why().map(tracing::field::display);
        tracing::warn!(key = %self.key, error, "a load failed, and the value before stands in");
        self.land_unloaded(ticket, &*value, Event::Miss, true);
        Some(value)
    }

    /// Returns the stand-in while another process holds the claim, as during a refresh in this process. `None` if there is none, or
    /// the caller must go on waiting: with a `timeout`, until that long after `began`.
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

    /// Ends a load that did not run its body: the waiters get `value`. See [`Handed`].
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

    /// Counts that the caller is given a stand-in, unless it has been answered already. Returns whether it was counted.
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

    /// Counts the lookup that led here as a miss, unless it has been counted.
    pub(crate) fn missed(&self) {
        self.looked_up(Event::Miss);
    }

    /// Counts the lookup that led here as a hit, unless it has been counted.
    fn hit(&self) {
        self.looked_up(Event::Hit);
    }

    fn looked_up(&self, event: Event) {
        // only one thread at a time has the load
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

    /// Whether this caller can use what the leader shared.
    fn takes(&self, shared: &AnyValue) -> bool {
        let (value, handed) = Handed::unwrapped(shared);
        // the leader may be another function of this name, which alone allows stand-ins; the types match, unless two programmatic
        // calls use one key for two types
        self.values.is(value) && (handed.is_none_or(|it| !it.stands_in) || self.forgives())
    }

    /// Decides what a caller that has waited does next.
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

    /// Whether a value found in the shared tier must be loaded again.
    fn is_old(&self, found: &Found) -> bool {
        let Some(renewal) = &self.renewal else {
            return found.is_stale() && !self.rests();
        };
        // `xfetch` fixes no point in the lifetime: the value counts as the one to be renewed unless it outlives that one by far
        let now = self.cache.clock().now();
        let left = Duration::from_nanos(renewal.claimed.fresh_until.saturating_sub(now));
        let aging = self.aging();
        found.is_stale()
            || found.span(&aging).is_due()
            || (aging.xfetch.is_some() && !found.outlives(left))
    }

    /// Whether a stand-in is returned without another load because one has just failed. This covers values outside the process; in the
    /// process the value itself records it.
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

    /// Ends the load with a value from the shared tier, and keeps a copy for as long as it lives there.
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

    /// Keeps a stale value from the shared tier and returns it as a stand-in, if the function allows stale values.
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

    /// A clone for the waiters.
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

    /// Whether the body was given a value that may be outdated without a report of it.
    fn is_doubted(&self) -> bool {
        let wishes = self.course.wishes.get();
        wishes.is_some_and(|wishes| wishes.is_doubted())
    }

    /// Removes an older value that a lookup may have brought into the process while the shared tier was told of a newer one, or could
    /// not be told. The newer one may have left the process meanwhile.
    fn forget_older(&self, ticket: &Ticket, write: Option<&Write>) {
        if matches!(write, Some(Write::Put(_) | Write::Evict)) {
            forget_older(&self.cache, ticket);
        }
    }

    /// Handles a value that was loaded and is not kept. After a refresh the existing entry goes: either it is older than the loaded
    /// value, or another put stored it meanwhile, and it is unknown which of the two the source holds. A stand-in goes too, or the
    /// next failing load would bring it back. `stands_in`: the shared tier has a stand-in.
    fn unstored(&self, ticket: &Ticket, stands_in: bool) -> Settled {
        let replaces = match self.sharing {
            Sharing::Refresh => true,
            // any other load changes nothing if something came meanwhile
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
    /// The caller may go away while it asks the shared tier or waits for another load.
    fn drop(&mut self) {
        self.missed();
    }
}

/// What to do after the lookup in the shared tier.
enum Judged {
    /// Nothing: the load is over.
    Over(Begun),
    /// Run the body.
    Lead(Claim),
    /// Run the body, if the claim among all processes is granted.
    Claim(Option<Mark>),
}

/// What a caller that has waited does next.
pub(crate) enum Waited {
    /// It returns this value.
    Value(Box<AnyValue>),
    /// It fails with this kept error, as the load it waited for did.
    Error(Box<AnyValue>),
    /// It loads on its own.
    Beside(Ticket),
    /// It looks for a load to join again.
    Again,
}
