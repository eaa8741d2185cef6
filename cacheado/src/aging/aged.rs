//! Values that are looked at again while they live: they outlive their lifetime to stand in for one that can't be had, or are loaded
//! anew before its end.
//!
//! Such a value lies in its entry as an [`Aged`] one, which nobody takes for a plain one by mistake. The store keeps the entry to
//! the very end; whether the value is still good is decided here.

use std::sync::LazyLock;
use std::time::Duration;

use cacheado_backends::{Clock, NEVER, Tick};

use crate::aging::Span;
use crate::aging::chance;
use crate::sync::Instant;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A value, and how old it is. In this order: what a hit looks at lies side by side.
#[repr(C)]
pub(crate) struct Aged<T> {
    pub(crate) value: T,
    pub(crate) age: Age,
}

/// How old a value is, and what is done about it.
#[repr(C)]
pub(crate) struct Age {
    /// When a look-up has to look closer: from `due` or `fresh_until` on, whichever comes first.
    attention: AtomicU64,
    /// What it sees then. Elsewhere in memory, so that values lie closer together.
    seen: Box<Seen>,
}

/// What is known of a value that is looked at more closely.
struct Seen {
    stored_at: Tick,
    /// From when on a hit begins a refresh, or may.
    due: Tick,
    /// If it may: the gap of `XFetch`, in nanoseconds; else 0.
    gap: u64,
    /// The first moment at which it is good no more; 0 if it was said to be good no more.
    fresh_until: AtomicU64,
    /// How long it is good if nobody asks for it, if that counts.
    idle: Option<Idle>,
    /// Since when somebody is refreshing it; 0: nobody is.
    claimed: AtomicU64,
    /// After a load that failed, the first moment at which there is another.
    retry_at: AtomicU64,
}

/// How many gaps ahead of its end a value is not looked at more closely: a hit there would begin a refresh once in 10^17 times.
const FURTHEST: u64 = 40;

/// In how many parts `idle` is noted.
const GRAINS: u32 = 64;

/// What is known of a value that is good only for as long as it is asked for.
struct Idle {
    span: Duration,
    /// The first moment at which it is good no more, however often it is asked for.
    end: Tick,
}

impl Idle {
    /// After a hit that was noted `now`, those before then are not: so a hit is mostly as any other, and a value may go that part of its
    /// time too early.
    fn noted_until(&self, now: Tick) -> Tick {
        Clock::deadline(now, Some(self.span / GRAINS))
    }
}

/// Where a moment between `from` and `was` lies if that is moved to `is`.
fn moved(moment: Tick, from: Tick, was: Tick, is: Tick) -> Tick {
    if is == NEVER {
        return NEVER;
    }
    let part = |span: Tick| u128::from(span.saturating_sub(from));
    let after = part(moment) * part(is) / part(was).max(1);
    from.saturating_add(u64::try_from(after).unwrap_or(NEVER))
}

/// That one refreshes a value: since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim(u64);

/// When it is in real time, which is never 0: a manual clock, which stands still, says nothing of how long something takes.
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

/// What a value is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    Fresh,
    /// It is good, and the one who is told so is to load another.
    Due,
    /// It may stand in for one that can't be had.
    Stale,
}

impl Age {
    /// How many bytes it takes beside a value, here and elsewhere.
    pub(crate) const BYTES: usize = size_of::<Self>() + size_of::<Seen>();

    /// Of a value that is stored `now`.
    pub(crate) fn new(now: Tick, span: &Span) -> Self {
        let gap = u64::try_from(span.gap.as_nanos()).unwrap_or(u64::MAX);
        let due = span.due.map(|due| Clock::deadline(now, Some(due)));
        Self::ending_at(now, Clock::deadline(now, span.fresh), due, gap, span.idle)
    }

    /// Of a value that was `stored_at` that time, and is good up to `end` at most.
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

    /// The rules have its lifetime end at `end`, and not when it was `asked`; nothing prolongs it beyond that. What is moved is the end
    /// of the part in which it is good: that in which it stands in comes after it, for as long as there is room. It is due at the same
    /// part of it. Returns until when it is kept, if nothing prolongs it.
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
                // more or less of the part after it, which is no longer than it was
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

    /// When there is something to be asked of it.
    #[inline]
    pub(crate) fn attention(&self) -> Tick {
        self.attention.load(Ordering::Relaxed)
    }

    /// Whether there is nothing to be asked of it.
    #[inline]
    pub(crate) fn is_young(&self, clock: &Clock) -> bool {
        !clock.has_reached(self.attention())
    }

    /// Whether it is good.
    pub(crate) fn is_fresh(&self, clock: &Clock) -> bool {
        self.is_young(clock) || clock.now() < self.fresh_until()
    }

    /// What it is good for. Nothing is claimed by asking.
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

    /// Whether a hit that close to the end is the one to begin a refresh: always, or as `XFetch` has it, with the probability
    /// `exp(-left / gap)` (Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention", 2015).
    #[allow(clippy::cast_precision_loss, reason = "a probability")]
    fn draws(&self, left: Tick) -> bool {
        if self.seen.gap == 0 {
            return true;
        }
        // from above 0 to 1
        let number = 1.0 - chance::unit();
        -number.ln() * self.seen.gap as f64 >= left as f64
    }

    /// It is asked for: it is good for longer, if that counts. Returns until when.
    pub(crate) fn used(&self, now: Tick) -> Option<Tick> {
        let idle = self.seen.idle.as_ref()?;
        let until = Clock::deadline(now, Some(idle.span)).min(idle.end);
        self.attention
            .store(idle.noted_until(now).min(until), Ordering::Release);
        // of two that ask at once the later counts; one that was expired stays so
        let longer = |good: Tick| (good != 0 && good < until).then_some(until);
        let good = &self.seen.fresh_until;
        if good.try_update(Ordering::AcqRel, Ordering::Acquire, longer) == Err(0) {
            // it may have been expired before it was said that it need not be looked at for a while
            self.attention.store(0, Ordering::Release);
        }
        Some(until)
    }

    /// Whether a load failed a short while ago, so that none is begun.
    pub(crate) fn is_resting(&self, now: Tick) -> bool {
        now < self.seen.retry_at.load(Ordering::Acquire)
    }

    /// Asks to be the one who refreshes it. Of all who ask, one is told so, until that is over, or for `patience` if it does not end:
    /// its runtime may stand still.
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

    /// The first moment at which it is good no more.
    pub(crate) fn fresh_until(&self) -> Tick {
        self.seen.fresh_until.load(Ordering::Acquire)
    }

    /// The first moment at which it is good no more, however often it is asked for. Beyond that it may stand in.
    pub(crate) fn end(&self) -> Tick {
        let idle = self.seen.idle.as_ref();
        idle.map_or_else(|| self.fresh_until(), |idle| idle.end)
    }

    /// What tells it from those of the values before and after it.
    pub(crate) fn stored_at(&self) -> Tick {
        self.seen.stored_at
    }

    /// The refresh is over: another may be begun, unless one was already, since this one took so long.
    pub(crate) fn unclaim(&self, Claim(begun): Claim) {
        let claimed = &self.seen.claimed;
        let _ = claimed.compare_exchange(begun, 0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The load failed: no other is begun for `rest`.
    pub(crate) fn failed(&self, now: Tick, rest: Duration) {
        self.seen
            .retry_at
            .store(Clock::deadline(now, Some(rest)), Ordering::Release);
    }

    /// It is good no more, whatever is left of its lifetime: who asks is to have a new value, and this one if there is none.
    /// Returns whether it was good.
    pub(crate) fn expire(&self, now: Tick) -> bool {
        let was = self.seen.fresh_until.swap(0, Ordering::AcqRel);
        self.attention.store(0, Ordering::Release);
        // who asks for a new value has it tried, whatever came of the last one
        self.seen.retry_at.store(0, Ordering::Release);
        now < was
    }

    /// Whether it was [expired](Self::expire).
    pub(crate) fn is_expired(&self) -> bool {
        self.fresh_until() == 0
    }
}
