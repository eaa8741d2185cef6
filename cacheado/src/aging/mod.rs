//! How values age: `stale`, `refresh_after`, `jitter`, `err_ttl` and the timeouts, as an attribute or a builder gives them, and what comes of
//! them for one value.

pub(crate) mod aged;
pub(crate) mod chance;
pub(crate) mod errors;

use std::time::Duration;

/// The longest that a value stands in: what no clock and no store counts as without end.
const LONGEST_STALE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What is said of how values age. What an attribute leaves out, the builder says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aging {
    /// How long past its lifetime a value may stand in for one that can't be had.
    pub(crate) stale: Option<Duration>,
    /// The part of its lifetime past which a hit begins a refresh.
    pub(crate) refresh_after: Option<f64>,
    /// How eagerly a hit begins one, the more so the closer the end is and the longer a load takes: the factor that `XFetch` calls beta.
    pub(crate) xfetch: Option<f64>,
    /// By how much of itself a lifetime may be longer.
    pub(crate) jitter: Option<f64>,
    /// How long a body is waited for while there is a value that may stand in.
    pub(crate) timeout: Option<Duration>,
    /// How long a body is waited for at all.
    pub(crate) hard_timeout: Option<Duration>,
    /// How long an `Err` is kept.
    pub(crate) err_ttl: Option<Duration>,
    /// How long a value lives that nobody asks for.
    pub(crate) idle: Option<Duration>,
    /// Whether a load outlives its caller.
    pub(crate) detached: bool,
}

/// How long one value lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// As a value; `None`: until evicted.
    pub(crate) fresh: Option<Duration>,
    /// And then, as one that stands in for another.
    pub(crate) stale: Duration,
    /// From when on a hit begins a refresh.
    pub(crate) due: Option<Duration>,
    /// How long a load takes, times how eager one is to be ahead of the end. Zero: one is not.
    pub(crate) gap: Duration,
    /// How long it lives if nobody asks for it.
    pub(crate) idle: Option<Duration>,
}

impl Aging {
    pub(crate) const NONE: Self = Self {
        stale: None,
        refresh_after: None,
        xfetch: None,
        jitter: None,
        timeout: None,
        hard_timeout: None,
        err_ttl: None,
        idle: None,
        detached: false,
    };

    /// The same, and for what it leaves out, what `defaults` say.
    #[inline]
    pub(crate) fn or(self, defaults: &Self) -> Self {
        // a value that is to go when nobody asks for it is not kept longer, nor loaded anew
        let keeps = self.idle.is_none();
        let refresh_after = defaults.refresh_after;
        Self {
            stale: self.stale_or(defaults),
            // `xfetch` says when a refresh begins, in the place of the other
            refresh_after: self
                .refresh_after
                .or(refresh_after.filter(|_| keeps && self.xfetch.is_none())),
            jitter: self.jitter.or(defaults.jitter),
            timeout: self.timeout.or(defaults.timeout),
            // these are the function's alone
            xfetch: self.xfetch,
            hard_timeout: self.hard_timeout,
            err_ttl: self.err_ttl,
            idle: self.idle,
            detached: self.detached,
        }
    }

    /// How long past its lifetime a value may stand in; what `defaults` say, if it is left out.
    #[inline]
    pub(crate) fn stale_or(&self, defaults: &Self) -> Option<Duration> {
        let keeps = self.idle.is_none();
        self.stale.or(defaults.stale.filter(|_| keeps))
    }

    /// How long a new value of this lifetime lives. It is worked out anew for each, since the jitter is another each time.
    #[inline]
    pub(crate) fn span(&self, ttl: Option<Duration>) -> Span {
        let Some(ttl) = ttl.filter(|ttl| *ttl != Duration::MAX) else {
            // no end, so no part of the way there, and nothing past it; but one may go ahead of it
            return Span {
                idle: self.idle,
                ..Span::plain(ttl)
            };
        };
        if ttl.is_zero() {
            return Span::plain(Some(ttl));
        }
        let fresh = match self.jitter {
            None => ttl,
            Some(jitter) => longer(ttl, jitter * chance::unit()),
        };
        Span {
            fresh: Some(fresh),
            stale: self.stale.unwrap_or_default().min(LONGEST_STALE),
            due: self.refresh_after.map(|part| fresh.mul_f64(part)),
            gap: Duration::ZERO,
            idle: self.idle,
        }
    }

    /// Whether there is more to the lifetime of most values than an end.
    pub(crate) fn ages(&self) -> bool {
        let Self {
            stale,
            refresh_after,
            xfetch,
            idle,
            ..
        } = self;
        stale.is_some() || refresh_after.is_some() || xfetch.is_some() || idle.is_some()
    }

    /// The same for a value that has `left` of a lifetime `of` that long.
    pub(crate) fn span_of_rest(
        &self,
        left: Option<Duration>,
        of: Option<Duration>,
        stale: Duration,
    ) -> Span {
        let due = self.refresh_after.zip(left).zip(of);
        let due = due.map(|((part, left), of)| {
            // from the end, since the beginning is some time ago
            left.saturating_sub(of.saturating_sub(of.mul_f64(part)))
        });
        Span {
            fresh: left,
            stale: self.stale.unwrap_or_default().min(stale),
            due,
            gap: Duration::ZERO,
            idle: self.idle,
        }
    }
}

impl Span {
    /// Of a value that is not looked at again while it lives.
    pub(crate) const fn plain(fresh: Option<Duration>) -> Self {
        Self {
            fresh,
            stale: Duration::ZERO,
            due: None,
            gap: Duration::ZERO,
            idle: None,
        }
    }

    /// The same for a value whose load `took` so long.
    #[inline]
    pub(crate) fn after(mut self, took: Option<Duration>, aging: &Aging) -> Self {
        if let Some((took, eagerness)) = took.zip(aging.xfetch)
            && let Ok(gap) = Duration::try_from_secs_f64(took.as_secs_f64() * eagerness)
        {
            self.gap = gap;
        }
        self
    }

    /// From the beginning to the end, however often it is asked for.
    pub(crate) fn total(&self) -> Option<Duration> {
        self.fresh.map(|fresh| fresh.saturating_add(self.stale))
    }

    /// The same for the shared tier, if it is `total` in the process. Nobody prolongs it there.
    pub(crate) fn outside(&self, total: Option<Duration>) -> Option<Duration> {
        match self.idle {
            None => total,
            Some(idle) => Some(total.unwrap_or(Duration::MAX).min(idle)),
        }
    }

    /// Whether there is more to it than an end.
    pub(crate) fn ages(&self) -> bool {
        self.due.is_some() || self.idle.is_some() || !self.stale.is_zero() || !self.gap.is_zero()
    }

    /// Whether a hit begins a refresh from the beginning on.
    pub(crate) fn is_due(&self) -> bool {
        self.due == Some(Duration::ZERO)
    }

    /// What is left of its stale part, if a rule has cut the whole to `total`.
    pub(crate) fn stale_within(&self, total: Option<Duration>) -> Duration {
        let fresh = self.fresh.unwrap_or(Duration::MAX);
        total.map_or(self.stale, |total| {
            self.stale.min(total.saturating_sub(fresh))
        })
    }
}

/// `ttl` and `part` of it.
fn longer(ttl: Duration, part: f64) -> Duration {
    let more = Duration::try_from_secs_f64(ttl.as_secs_f64() * part);
    ttl.saturating_add(more.unwrap_or_default())
}
