//! Rate limit for traced messages. While a store refuses, or a value can't be encoded, each call would trace the same message. Such a
//! message is traced at `WARN` once in a while, with the number of repetitions since, and each time at `DEBUG`.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cacheado_backends::Clock;

use crate::sync::{Mutex, lock};

/// How long the same message is not traced again.
const SPAN: Duration = Duration::from_secs(10);

/// The most different messages traced in that time: a message may contain a number that changes each time.
const MOST: usize = 64;

/// Recently traced messages.
pub(crate) struct Repeats {
    clock: Clock,
    told: Mutex<HashMap<u64, Told>>,
}

struct Told {
    at: Duration,
    /// The number of repetitions since.
    since: u64,
}

/// A message that must be traced now.
pub(crate) struct Due {
    /// How often the message was repeated since it was last traced, if it was.
    pub(crate) repeated: Option<u64>,
}

impl Repeats {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            told: Mutex::default(),
        }
    }

    /// Whether to trace `what` now. `None` if it was traced recently.
    pub(crate) fn due(&self, what: impl Hash) -> Option<Due> {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let what = hasher.finish();
        let at = self.clock.elapsed();
        let is_recent = |told: &Told| at < told.at.saturating_add(SPAN);
        let mut all = lock(&self.told);
        if let Some(told) = all.get_mut(&what) {
            if is_recent(told) {
                told.since += 1;
                return None;
            }
            let since = std::mem::replace(told, Told { at, since: 0 }).since;
            let repeated = (since > 0).then_some(since);
            return Some(Due { repeated });
        }
        if all.len() >= MOST {
            all.retain(|_, told| is_recent(told));
        }
        if all.len() >= MOST {
            return None;
        }
        all.insert(what, Told { at, since: 0 });
        Some(Due { repeated: None })
    }
}

/// Traces at `WARN`, or at `DEBUG` if the same message was traced recently.
macro_rules! warn_seldom {
    ($due:expr, $($what:tt)+) => {
        match $due {
            Some($crate::repeats::Due { repeated }) => tracing::warn!(repeated, $($what)+),
            None => tracing::debug!($($what)+),
        }
    };
}
pub(crate) use warn_seldom;

#[cfg(all(test, not(shuttle)))]
mod tests {
    use cacheado_backends::ManualClock;

    use super::*;

    #[test]
    fn the_same_is_told_once_in_a_while() {
        let clock = ManualClock::new();
        let repeats = Repeats::new(clock.clone().into());
        let due = |what: &str| repeats.due(what).map(|due| due.repeated);
        assert_eq!((due("a"), due("b")), (Some(None), Some(None)));
        assert_eq!((due("a"), due("a"), due("b")), (None, None, None));
        clock.advance(SPAN);
        assert_eq!((due("a"), due("b")), (Some(Some(2)), Some(Some(1))));
        clock.advance(SPAN);
        assert_eq!(due("a"), Some(None), "it came no more");
    }

    #[test]
    fn what_is_another_each_time_is_no_end_of_lines() {
        let clock = ManualClock::new();
        let repeats = Repeats::new(clock.clone().into());
        let told = |from: usize| (from..).take(1000).filter_map(|n| repeats.due(n)).count();
        assert_eq!(told(0), MOST);
        clock.advance(SPAN);
        assert_eq!(told(1000), MOST);
        assert!(lock(&repeats.told).len() <= MOST);
    }
}
