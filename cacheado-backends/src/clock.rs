//! The time of a cache: nanoseconds since some start, from a monotonic clock or from one that a test moves.
//!
//! No wall clock is read anywhere: setting the system's time changes no lifetime.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU64, Ordering};

/// A moment: nanoseconds since the clock's start. A `u64` lasts for 584 years.
pub type Tick = u64;

/// The deadline of an entry without a lifetime.
pub const NEVER: Tick = Tick::MAX;

/// The source of a cache's time. The default is the system's monotonic clock.
#[derive(Clone, Debug)]
pub struct Clock(Source);

/// The start of the monotonic clock: one for the process, so that the times of its threads are comparable.
static START: LazyLock<Monotonic> = LazyLock::new(Monotonic::start);

#[derive(Clone, Debug)]
enum Source {
    Monotonic(Monotonic),
    Manual(ManualClock),
}

impl Default for Clock {
    fn default() -> Self {
        Self(Source::Monotonic(*START))
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self(Source::Manual(clock))
    }
}

thread_local! {
    static LAST_STAMP: Cell<u64> = const { Cell::new(0) };
}

impl Clock {
    /// How long the clock has run since its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.now())
    }

    /// The current time.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Tick {
        match &self.0 {
            Source::Monotonic(clock) => clock.now(),
            Source::Manual(clock) => clock.0.now.load(Ordering::Acquire),
        }
    }

    /// Whether `deadline` has come. Cheaper than reading the time, while the deadline is far away.
    #[inline]
    #[must_use]
    pub fn has_reached(&self, deadline: Tick) -> bool {
        match &self.0 {
            Source::Monotonic(clock) => clock.has_reached(deadline),
            Source::Manual(clock) => clock.0.now.load(Ordering::Acquire) >= deadline,
        }
    }

    /// A number for the order of uses: if one access ends before another begins, the later one has the larger number. No two accesses
    /// of one thread have the same number, however coarse the clock.
    #[inline]
    pub(crate) fn stamp(&self, now: Tick) -> u64 {
        match &self.0 {
            Source::Monotonic(_) => LAST_STAMP.with(|last| {
                let stamp = now.max(last.get() + 1);
                last.set(stamp);
                stamp
            }),
            // a manual clock stands still between two accesses, so they are counted
            Source::Manual(clock) => clock.0.stamps.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// The deadline of something stored `now`. Beyond the range of the clock it is `NEVER`.
    #[must_use]
    pub fn deadline(now: Tick, lifetime: Option<Duration>) -> Tick {
        lifetime.map_or(NEVER, |lifetime| now.saturating_add(nanos(lifetime)))
    }

    /// Whether time passes by itself, so that a thread must watch for expiry.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self.0, Source::Monotonic(_))
    }

    /// Registers `listener`, to be called after each advance of a manual clock.
    pub fn listen(&self, listener: Weak<dyn Listener>) {
        if let Source::Manual(clock) = &self.0 {
            let mut listeners = clock
                .0
                .listeners
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            listeners.retain(|listener| listener.strong_count() > 0);
            listeners.push(listener);
        }
    }
}

/// The system's monotonic clock, and the kernel's coarse copy of it, which is updated a few hundred times a second and takes a quarter
/// of the time to read.
#[derive(Clone, Copy, Debug)]
struct Monotonic {
    start: Instant,
    coarse: Coarse,
}

impl Monotonic {
    fn start() -> Self {
        // in this order: a delay in between makes the coarse clock run ahead of the precise one, never behind
        let coarse = Coarse::start();
        let start = Instant::now();
        Self { start, coarse }
    }

    #[inline]
    fn now(self) -> Tick {
        nanos(self.start.elapsed())
    }

    #[inline]
    fn has_reached(&self, deadline: Tick) -> bool {
        !self.coarse.is_far_from(deadline) && self.is_past(deadline)
    }

    /// The part that reads the precise clock, off the path of a usual hit.
    #[cold]
    fn is_past(&self, deadline: Tick) -> bool {
        self.now() >= deadline
    }
}

/// The coarse clock is never this far behind the precise one: its ticks are at most 10 ms apart, and the slack of ten times that
/// allows for late ticks.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COARSE_SLACK: Tick = 100_000_000;

/// The kernel's coarse monotonic clock, relative to a start.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[derive(Clone, Copy, Debug)]
struct Coarse(coarsetime::Instant);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Coarse {
    fn start() -> Self {
        Self(coarsetime::Instant::now_without_cache_update())
    }

    /// Whether `deadline` has certainly not come.
    #[inline]
    fn is_far_from(self, deadline: Tick) -> bool {
        let now = coarsetime::Instant::now_without_cache_update();
        let now = now.duration_since(self.0).as_nanos();
        now.saturating_add(COARSE_SLACK) < deadline
    }
}

/// On other systems the coarse clock is not the clock of `Instant`, and drifts from it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Clone, Copy, Debug)]
struct Coarse;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Coarse {
    fn start() -> Self {
        Self
    }

    fn is_far_from(self, _: Tick) -> bool {
        false
    }
}

/// A span in nanoseconds; one that exceeds a `u64` counts as forever.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Is notified when a manual clock has moved.
pub trait Listener: Send + Sync {
    /// The clock has moved, and shows its new time already.
    fn advanced(&self);
}

/// A clock that moves only when told to: expiry becomes deterministic, and no test sleeps.
///
/// It is a cheap handle: clones move together.
///
/// ```
/// use std::time::Duration;
///
/// use cacheado::{Cache, testing::ManualClock};
///
/// let clock = ManualClock::new();
/// let cache = Cache::builder().clock(clock.clone()).build()?;
/// cache.set("answer", &42_u32).ttl(Duration::from_secs(60)).run()?;
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.elapsed(), Duration::from_secs(60));
/// assert_eq!(cache.get::<u32>("answer").run()?, None);
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Manual>);

#[derive(Default)]
struct Manual {
    now: AtomicU64,
    stamps: AtomicU64,
    listeners: Mutex<Vec<Weak<dyn Listener>>>,
}

impl ManualClock {
    /// A clock that stands at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward by `span`. Entries that expire by that are freed from every cache on this clock before this returns.
    ///
    /// The clock ends after 584 years, as many nanoseconds as a `u64` holds: there it stands still, however often it is moved, and
    /// entries that live until evicted are still there.
    pub fn advance(&self, span: Duration) {
        let by = nanos(span);
        // never reaches `NEVER`, at which entries without a lifetime would expire
        let step = |now: u64| Some(now.saturating_add(by).min(NEVER - 1));
        let _ = self
            .0
            .now
            .try_update(Ordering::AcqRel, Ordering::Acquire, step);
        let listeners: Vec<_> = {
            let mut listeners = self
                .0
                .listeners
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            listeners.retain(|listener| listener.strong_count() > 0);
            listeners.iter().filter_map(Weak::upgrade).collect()
        };
        let mut panicked = None;
        for listener in listeners {
            // dropping expired values may panic, and the other listeners must be notified all the same
            let tell = AssertUnwindSafe(|| {
                listener.advanced();
                drop(listener);
            });
            match catch_unwind(tell) {
                Err(panic) if panicked.is_none() => panicked = Some(panic),
                // the panic's payload is a user's value, whose drop may panic as well
                Err(later) => std::mem::forget(later),
                Ok(()) => {}
            }
        }
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    }

    /// How far the clock has been moved.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.0.now.load(Ordering::Acquire))
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({:?})", self.elapsed())
    }
}
