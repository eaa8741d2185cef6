//! What would be told again and again: of a store that refuses, or a value that can't be encoded, each call has the same to say. That is
//! told once in a while, with how often it came since; in between it is there for who asks for more (`DEBUG`).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cacheado_backends::Clock;

use crate::sync::{Mutex, lock};

/// For so long the same is not told again.
const SPAN: Duration = Duration::from_secs(10);

/// So much is told in that time at most: a message may have a number in it that is another each time.
const MOST: usize = 64;

/// What was told lately.
pub(crate) struct Repeats {
    clock: Clock,
    told: Mutex<HashMap<u64, Told>>,
}

struct Told {
    at: Duration,
    /// How often it has come since.
    since: u64,
}

/// What is to be told now.
pub(crate) struct Due {
    /// How often it has come since it was told last; none if never.
    pub(crate) repeated: Option<u64>,
}

impl Repeats {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            told: Mutex::default(),
        }
    }

    /// Whether `what` is to be told. `None`: it was lately.
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

/// Tells of something at `WARN`, or at `DEBUG` if the same was told lately.
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
