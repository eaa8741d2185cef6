//! How values age: `stale`, `refresh_after`, `jitter`, `err_ttl` and the timeouts, as set by an attribute or a builder, and the
//! resulting lifetime of one value.

pub(crate) mod aged;
pub(crate) mod chance;
pub(crate) mod errors;

use std::time::Duration;

/// The longest stale part: a time that no clock and no store treats as endless.
const LONGEST_STALE: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The options for how values age. For those that an attribute leaves out, the builder's apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aging {
    /// How long past its lifetime a value may stand in for one that can't be loaded.
    pub(crate) stale: Option<Duration>,
    /// The fraction of its lifetime after which a hit begins a refresh.
    pub(crate) refresh_after: Option<f64>,
    /// How eagerly a hit begins a refresh, the more so the closer the end is and the longer a load takes: the factor that `XFetch`
    /// calls beta.
    pub(crate) xfetch: Option<f64>,
    /// The fraction by which a lifetime may be longer.
    pub(crate) jitter: Option<f64>,
    /// How long a call waits for a body while there is a stand-in.
    pub(crate) timeout: Option<Duration>,
    /// How long a call waits for a body in any case.
    pub(crate) hard_timeout: Option<Duration>,
    /// How long an `Err` is kept.
    pub(crate) err_ttl: Option<Duration>,
    /// How long an unused value lives.
    pub(crate) idle: Option<Duration>,
    /// Whether a load outlives its caller.
    pub(crate) detached: bool,
}

/// The lifetime of one value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The fresh part; `None`: until evicted.
    pub(crate) fresh: Option<Duration>,
    /// The stale part that follows, in which the value stands in for another.
    pub(crate) stale: Duration,
    /// From when on a hit begins a refresh.
    pub(crate) due: Option<Duration>,
    /// The duration of the load times the `xfetch` factor. Zero: no refresh by `xfetch`.
    pub(crate) gap: Duration,
    /// How long the value lives if it is not used.
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

    /// These options, completed from `defaults`.
    #[inline]
    pub(crate) fn or(self, defaults: &Self) -> Self {
        // a value with `idle` is to go when it is not used, so defaults neither keep it longer nor refresh it
        let keeps = self.idle.is_none();
        let refresh_after = defaults.refresh_after;
        Self {
            stale: self.stale_or(defaults),
            // `xfetch` decides when a refresh begins, in place of `refresh_after`
            refresh_after: self
                .refresh_after
                .or(refresh_after.filter(|_| keeps && self.xfetch.is_none())),
            jitter: self.jitter.or(defaults.jitter),
            timeout: self.timeout.or(defaults.timeout),
            // these have no defaults
            xfetch: self.xfetch,
            hard_timeout: self.hard_timeout,
            err_ttl: self.err_ttl,
            idle: self.idle,
            detached: self.detached,
        }
    }

    /// How long past its lifetime a value may stand in, by default as `defaults` say.
    #[inline]
    pub(crate) fn stale_or(&self, defaults: &Self) -> Option<Duration> {
        let keeps = self.idle.is_none();
        self.stale.or(defaults.stale.filter(|_| keeps))
    }

    /// The lifetime of a new value with this `ttl`. Computed for each value, because the jitter is random.
    #[inline]
    pub(crate) fn span(&self, ttl: Option<Duration>) -> Span {
        let Some(ttl) = ttl.filter(|ttl| *ttl != Duration::MAX) else {
            // without an end there is no fraction of the lifetime and no stale part; but `idle` may end it
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

    /// Whether the lifetime of most values is more than an end.
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

    /// The lifetime of a value that has `left` of its lifetime `of`.
    pub(crate) fn span_of_rest(
        &self,
        left: Option<Duration>,
        of: Option<Duration>,
        stale: Duration,
    ) -> Span {
        let due = self.refresh_after.zip(left).zip(of);
        let due = due.map(|((part, left), of)| {
            // counted from the end, because the beginning is some time ago
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
    /// The lifetime of a value that is not examined while it lives.
    pub(crate) const fn plain(fresh: Option<Duration>) -> Self {
        Self {
            fresh,
            stale: Duration::ZERO,
            due: None,
            gap: Duration::ZERO,
            idle: None,
        }
    }

    /// This lifetime, for a value whose load took `took`.
    #[inline]
    pub(crate) fn after(mut self, took: Option<Duration>, aging: &Aging) -> Self {
        if let Some((took, eagerness)) = took.zip(aging.xfetch)
            && let Ok(gap) = Duration::try_from_secs_f64(took.as_secs_f64() * eagerness)
        {
            self.gap = gap;
        }
        self
    }

    /// The whole lifetime, however often the value is used.
    pub(crate) fn total(&self) -> Option<Duration> {
        self.fresh.map(|fresh| fresh.saturating_add(self.stale))
    }

    /// The whole lifetime in the shared tier, if it is `total` in the process. Uses do not prolong it there.
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

    /// Whether every hit begins a refresh, from the beginning on.
    pub(crate) fn is_due(&self) -> bool {
        self.due == Some(Duration::ZERO)
    }

    /// The rest of the stale part, if a rule has cut the whole lifetime to `total`.
    pub(crate) fn stale_within(&self, total: Option<Duration>) -> Duration {
        let fresh = self.fresh.unwrap_or(Duration::MAX);
        total.map_or(self.stale, |total| {
            self.stale.min(total.saturating_sub(fresh))
        })
    }
}

/// `ttl`, longer by the fraction `part`.
fn longer(ttl: Duration, part: f64) -> Duration {
    let more = Duration::try_from_secs_f64(ttl.as_secs_f64() * part);
    ttl.saturating_add(more.unwrap_or_default())
}
