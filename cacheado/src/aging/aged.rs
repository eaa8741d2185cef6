//! Values that are examined while they live: they outlive their lifetime as stand-ins for values that can't be loaded, or are
//! refreshed before its end.
//!
//! Such a value is stored as an [`Aged`] one, so it can't be mistaken for a plain one. The store keeps the entry to the very end.
//! Whether the value is still good is decided here.

use std::sync::LazyLock;
use std::time::Duration;

use cacheado_backends::{Clock, NEVER, Tick};

use crate::aging::Span;
use crate::aging::chance;
use crate::sync::Instant;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A value and its age. In this order, so that what a hit reads lies side by side.
#[repr(C)]
pub(crate) struct Aged<T> {
    pub(crate) value: T,
    pub(crate) age: Age,
}

/// How old a value is, and what is being done about it.
#[repr(C)]
pub(crate) struct Age {
    /// From when on a lookup must examine the value: `due` or `fresh_until`, whichever comes first; with `idle`, when the next use is
    /// recorded.
    attention: AtomicU64,
    /// The rest, allocated separately so that values lie closer together.
    seen: Box<Seen>,
}

/// What a lookup that examines the value needs.
struct Seen {
    stored_at: Tick,
    /// From when on a hit begins a refresh, or may.
    due: Tick,
    /// If a hit may begin one: the gap of `XFetch`, in nanoseconds; otherwise 0.
    gap: u64,
    /// The first moment at which the value is not good any more; 0 if it was expired.
    fresh_until: AtomicU64,
    /// The limit on the time between uses, if there is one.
    idle: Option<Idle>,
    /// When the current refresh began; 0 if there is none.
    claimed: AtomicU64,
    /// After a failed load, the first moment at which another may begin.
    retry_at: AtomicU64,
}

/// How many gaps before its end a value starts to be examined. An earlier hit would begin a refresh once in 10^17 times.
const FURTHEST: u64 = 40;

/// Uses are recorded at intervals of `idle` divided by this.
const GRAINS: u32 = 64;

/// The state of a value that is good only while it is used.
struct Idle {
    span: Duration,
    /// The first moment at which it is not good any more, however often it is used.
    end: Tick,
}

impl Idle {
    /// How long uses are not recorded after one that was recorded at `now`. So most hits cost no more than usual, and a value may
    /// expire too early by that fraction of `idle`.
    fn noted_until(&self, now: Tick) -> Tick {
        Clock::deadline(now, Some(self.span / GRAINS))
    }
}

/// Scales `moment`, which lies between `from` and `was`, to the interval between `from` and `is`.
fn moved(moment: Tick, from: Tick, was: Tick, is: Tick) -> Tick {
    if is == NEVER {
        return NEVER;
    }
    let part = |span: Tick| u128::from(span.saturating_sub(from));
    let after = part(moment) * part(is) / part(was).max(1);
    from.saturating_add(u64::try_from(after).unwrap_or(NEVER))
}

/// The right to refresh a value, with the time when it was claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim(u64);

/// The moment in real time, never 0: a manual clock stands still and can't measure how long something takes.
fn moment(clock: &Clock, now: Tick) -> u64 {
    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    let moment = if clock.runs() {
        now
    } else {
        let span = Instant::now().saturating_duration_since(*BEGINNING);
        u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
    };
    moment.saturating_add(1)
}

/// What a value may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    /// It is good, and the caller must load another.
    Due,
    /// It may stand in for a value that can't be loaded.
    Stale,
}

impl Age {
    /// The bytes that it takes in addition to the value, inline and allocated.
    pub(crate) const BYTES: usize = size_of::<Self>() + size_of::<Seen>();

    /// The age of a value stored at `now`.
    pub(crate) fn new(now: Tick, span: &Span) -> Self {
        let gap = u64::try_from(span.gap.as_nanos()).unwrap_or(u64::MAX);
        let due = span.due.map(|due| Clock::deadline(now, Some(due)));
        Self::ending_at(now, Clock::deadline(now, span.fresh), due, gap, span.idle)
    }

    /// The age of a value that was stored at `stored_at` and is good until `end` at most.
    fn ending_at(
        stored_at: Tick,
        end: Tick,
        due: Option<Tick>,
        gap: u64,
        idle: Option<Duration>,
    ) -> Self {
        let after = |span| Clock::deadline(stored_at, Some(span)).min(end);
        let fresh_until = idle.map_or(end, after);
        let idle = idle.map(|span| Idle { span, end });
        let due = match due {
            Some(due) => due,
            None if gap > 0 && fresh_until != NEVER => {
                fresh_until.saturating_sub(gap.saturating_mul(FURTHEST))
            }
            None => NEVER,
        };
        Self {
            attention: AtomicU64::new(match &idle {
                Some(idle) => idle.noted_until(stored_at),
                None => due.min(fresh_until),
            }),
            seen: Box::new(Seen {
                idle,
                stored_at,
                due,
                gap,
                fresh_until: AtomicU64::new(fresh_until),
                claimed: AtomicU64::new(0),
                retry_at: AtomicU64::new(0),
            }),
        }
    }

    /// Applies the lifetime that the rules decided on: it ends at `end` instead of `asked`, and nothing prolongs it beyond that. This
    /// moves the end of the fresh part. The stale part follows, as far as there is room. `due` stays at the same fraction of the fresh
    /// part. Returns until when the entry is kept if nothing prolongs it.
    pub(crate) fn ends(&mut self, asked: Tick, end: Tick) -> Tick {
        if end != asked {
            let Seen {
                stored_at,
                due,
                gap,
                ..
            } = *self.seen;
            let was = self.end();
            let idle = self.seen.idle.as_ref().map(|idle| idle.span);
            let is = if end == NEVER {
                NEVER
            } else if end < was {
                end
            } else {
                // the difference is taken from the stale part first, which gets no longer than it was
                was.max(end.saturating_sub(asked.saturating_sub(was)))
            };
            let due = (gap == 0 && due != NEVER).then(|| moved(due, stored_at, was, is));
            *self = Self::ending_at(stored_at, is, due, gap, idle);
        }
        match self.seen.idle {
            Some(_) => self.fresh_until(),
            None => end,
        }
    }

    /// From when on a lookup must examine the value.
    #[inline]
    pub(crate) fn attention(&self) -> Tick {
        self.attention.load(Ordering::Relaxed)
    }

    /// Whether a lookup need not examine the value yet.
    #[inline]
    pub(crate) fn is_young(&self, clock: &Clock) -> bool {
        !clock.has_reached(self.attention())
    }

    /// Whether the value is good.
    pub(crate) fn is_fresh(&self, clock: &Clock) -> bool {
        self.is_young(clock) || clock.now() < self.fresh_until()
    }

    /// What the value may be used for. This claims nothing.
    pub(crate) fn freshness(&self, now: Tick) -> Freshness {
        let fresh_until = self.fresh_until();
        if now >= fresh_until {
            Freshness::Stale
        } else if now >= self.seen.due && self.draws(fresh_until - now) {
            Freshness::Due
        } else {
            Freshness::Fresh
        }
    }

    /// Whether a hit this close to the end begins a refresh: always, or as in `XFetch`, with the probability `exp(-left / gap)`
    /// (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", 2015).
    #[allow(clippy::cast_precision_loss, reason = "a probability")]
    fn draws(&self, left: Tick) -> bool {
        if self.seen.gap == 0 {
            return true;
        }
        // greater than 0, up to 1
        let number = 1.0 - chance::unit();
        -number.ln() * self.seen.gap as f64 >= left as f64
    }

    /// Records a use: with `idle`, the value is good for longer. Returns until when.
    pub(crate) fn used(&self, now: Tick) -> Option<Tick> {
        let idle = self.seen.idle.as_ref()?;
        let until = Clock::deadline(now, Some(idle.span)).min(idle.end);
        self.attention
            .store(idle.noted_until(now).min(until), Ordering::Release);
        // of two concurrent uses the later counts; an expired value stays expired
        let longer = |good: Tick| (good != 0 && good < until).then_some(until);
        let good = &self.seen.fresh_until;
        if good.try_update(Ordering::AcqRel, Ordering::Acquire, longer) == Err(0) {
            // it may have been expired before `attention` was moved on above
            self.attention.store(0, Ordering::Release);
        }
        Some(until)
    }

    /// Whether a load failed a short while ago, so that none may begin.
    pub(crate) fn is_resting(&self, now: Tick) -> bool {
        now < self.seen.retry_at.load(Ordering::Acquire)
    }

    /// Claims the refresh of the value. Only one caller gets the claim, until its refresh is over, or for `patience` if that does not
    /// end: its runtime may stand still.
    pub(crate) fn claim(&self, clock: &Clock, now: Tick, patience: Duration) -> Option<Claim> {
        if self.is_resting(now) {
            return None;
        }
        let claimed = &self.seen.claimed;
        let since = claimed.load(Ordering::Acquire);
        let begun = moment(clock, now);
        if since != 0 && u128::from(begun.saturating_sub(since)) < patience.as_nanos() {
            return None;
        }
        let claim = claimed.compare_exchange(since, begun, Ordering::AcqRel, Ordering::Acquire);
        claim.is_ok().then_some(Claim(begun))
    }

    /// The first moment at which the value is not good any more.
    pub(crate) fn fresh_until(&self) -> Tick {
        self.seen.fresh_until.load(Ordering::Acquire)
    }

    /// The first moment at which the value is not good any more, however often it is used. From then on it may stand in.
    pub(crate) fn end(&self) -> Tick {
        let idle = self.seen.idle.as_ref();
        idle.map_or_else(|| self.fresh_until(), |idle| idle.end)
    }

    /// Distinguishes the value from those before and after it.
    pub(crate) fn stored_at(&self) -> Tick {
        self.seen.stored_at
    }

    /// Ends the refresh, so that another may begin, unless one has begun already because this one took so long.
    pub(crate) fn unclaim(&self, Claim(begun): Claim) {
        let claimed = &self.seen.claimed;
        let _ = claimed.compare_exchange(begun, 0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Records a failed load: no other begins for `rest`.
    pub(crate) fn failed(&self, now: Tick, rest: Duration) {
        self.seen
            .retry_at
            .store(Clock::deadline(now, Some(rest)), Ordering::Release);
    }

    /// Ends the fresh part of the lifetime: a lookup then wants a new value, and gets this one if there is none. Returns whether the
    /// value was good.
    pub(crate) fn expire(&self, now: Tick) -> bool {
        let was = self.seen.fresh_until.swap(0, Ordering::AcqRel);
        self.attention.store(0, Ordering::Release);
        // a caller that asks for a new value gets a load, whatever became of the last one
        self.seen.retry_at.store(0, Ordering::Release);
        now < was
    }

    /// Whether the value was [expired](Self::expire).
    pub(crate) fn is_expired(&self) -> bool {
        self.fresh_until() == 0
    }
}
