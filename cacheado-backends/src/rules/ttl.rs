//! Lifetimes: a default, a maximum, and how soon expired entries are freed.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::rule::{Admission, Candidate, Reads, Rule};

/// Gives entries without a lifetime a default one, and shortens lifetimes to a maximum.
///
/// An entry is never served after its lifetime, with or without this rule.
///
/// Costs nothing on a hit.
///
/// ```
/// use std::time::Duration;
/// use cacheado::{Cache, rules::Ttl, testing::ManualClock};
///
/// let rule = Ttl::new()
///     .default(Duration::from_secs(300))
///     .max(Duration::from_secs(86_400))
///     .sweep(Duration::from_millis(250));
///
/// let clock = ManualClock::new();
/// let cache = Cache::builder().rule(rule).clock(clock.clone()).build()?;
/// cache.set("answer", &42_u32).run()?; // says nothing of a lifetime
/// clock.advance(Duration::from_secs(300));
/// assert_eq!(cache.get::<u32>("answer").run()?, None);
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ttl {
    default: Option<Duration>,
    max: Option<Duration>,
    sweep: Option<Duration>,
}

impl Ttl {
    /// No default, no maximum, and a sweep every second.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "`default` is the option's name")]
    pub fn new() -> Self {
        Self {
            default: None,
            max: None,
            sweep: None,
        }
    }

    /// The lifetime of values that are stored without one. Zero, or more than [`max`](Self::max), makes `build()` fail.
    #[must_use]
    #[doc(alias("time_to_live"))]
    pub fn default(mut self, lifetime: Duration) -> Self {
        self.default = Some(lifetime);
        self
    }

    /// The longest lifetime, counted from when a value is stored. Values that would live longer, or until evicted, live this long;
    /// hits of a value with `idle` do not extend it beyond this. Zero makes `build()` fail.
    #[must_use]
    pub fn max(mut self, lifetime: Duration) -> Self {
        self.max = Some(lifetime);
        self
    }

    /// How often expired entries that nobody asks for are freed; every second by default. With a manual clock they are freed when it
    /// advances. Zero makes `build()` fail.
    #[must_use]
    pub fn sweep(mut self, interval: Duration) -> Self {
        self.sweep = Some(interval);
        self
    }
}

impl Rule for Ttl {
    fn name(&self) -> &'static str {
        "Ttl"
    }

    fn check(&self) -> Result<()> {
        for (option, value) in [
            ("default", self.default),
            ("max", self.max),
            ("sweep", self.sweep),
        ] {
            if value == Some(Duration::ZERO) {
                return Err(Error::config(
                    format!("Ttl::{option}(0)"),
                    "give a duration longer than zero",
                ));
            }
        }
        if let (Some(default), Some(max)) = (self.default, self.max)
            && default > max
        {
            return Err(Error::config(
                "Ttl",
                format!("its default of {default:?} is longer than its maximum of {max:?}"),
            ));
        }
        Ok(())
    }

    fn reads(&self) -> Reads {
        Reads::Ignore
    }

    fn asks_last_use(&self) -> bool {
        false
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let lifetime = candidate.lifetime().or(self.default);
        let lifetime = match (lifetime, self.max) {
            (Some(lifetime), Some(max)) => Some(lifetime.min(max)),
            (lifetime, max) => lifetime.or(max),
        };
        candidate.set_lifetime(lifetime);
        Admission::Admit
    }

    fn sweep_interval(&self) -> Option<Duration> {
        self.sweep
    }
}
