//! The time, for values that one process stores and another reads.
//!
//! Memcached's clock has steps of a second. It counts the seconds since its start with a timer that fires once a second, at any time
//! within the second. So what it shows is zero to two seconds behind the true time of that clock (the timer's place in the second,
//! plus up to a second until it fires again), plus the timer's lateness on a busy machine. So:
//!
//! - An answer with the server's time `c` shows two bounds: the true time is at least `c` when the answer has come, and was less than
//!   `c + 2 s` + [`LATE`] when the question was sent. Between answers the local clock goes on, with a doubt of [`DRIFT`]. The best
//!   answer so far is kept for each bound: just after a step the lower bound is exact but for the timer's place, just before a step
//!   the upper bound is. A process that asks now and then knows the time to little more than a second.
//! - A process that stores a value writes the *lower* bound into it. A process that reads it subtracts that from the *upper* bound.
//!   The result is never less than the time that has passed. So the remaining lifetime is never too long. It is too short by 1.1 s if
//!   both processes have watched the server's steps, and by up to 4.2 s if neither has. No tighter bound is certain: the timer's place
//!   is in no answer.
//! - A process that reads a value it stored itself uses its own clock, to the millisecond.
//!
//! So a lifetime of little more than a second is visible to the process that stored the value, and over at once for others.
//!
//! The server's time comes with the root mark, which each operation reads anyway: the mark expires at a known date, and memcached
//! reports the time left until then. What is known of a server's clock is discarded when that mark changes, as it does when the server
//! restarts.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::time::Instant;

use crate::clock::nanos;
use crate::sync::{Mutex, lock};

/// The expiry of the root mark, in seconds since 1970: the last date that memcached 1.6 supports, in 2038.
pub(super) const HORIZON: u32 = i32::MAX as u32;

/// The maximum lateness of the server's timer, in nanoseconds.
const LATE: u64 = 100_000_000;

/// One nanosecond of doubt between two clocks per this many nanoseconds. Clocks synchronized over a network are slewed by at most
/// 1/2,000.
const DRIFT: u64 = 1_000;

const SECOND: u64 = 1_000_000_000;

/// The identity of this process.
struct Process {
    id: u64,
    began: Instant,
}

static PROCESS: LazyLock<Process> = LazyLock::new(|| Process {
    id: nonce(),
    began: Instant::now(),
});

/// A number that is unique among all processes.
pub(super) fn nonce() -> u64 {
    // each `RandomState` has keys of its own, which began as random bytes of the system
    RandomState::new().hash_one(std::process::id())
}

/// A time that the server's clock had certainly reached, or certainly not yet reached, when the local clock showed `at`. In
/// nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Bound {
    time: u64,
    at: Instant,
}

impl Bound {
    /// The bound moved to `at`, assuming the slowest possible server clock.
    fn slowest(self, at: Instant) -> u64 {
        self.moved(at, true)
    }

    /// The bound moved to `at`, assuming the fastest possible server clock.
    fn fastest(self, at: Instant) -> u64 {
        self.moved(at, false)
    }

    fn moved(self, at: Instant, slow: bool) -> u64 {
        let (span, past) = match at.checked_duration_since(self.at) {
            Some(span) => (span, false),
            None => (self.at - at, true),
        };
        let span = nanos(span);
        let doubt = span / DRIFT + 1;
        let span = if slow == past {
            span.saturating_add(doubt)
        } else {
            span.saturating_sub(doubt)
        };
        if past {
            self.time.saturating_sub(span)
        } else {
            self.time.saturating_add(span)
        }
    }
}

/// What is known of the server's clock.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The nonce of the root mark that it was learnt from.
    nonce: u64,
    lower: Bound,
    upper: Bound,
}

/// The server's clock, as far as its answers reveal it.
#[derive(Debug, Default)]
pub(super) struct Clock(Mutex<Option<Known>>);

impl Clock {
    /// Learns from an answer about the root mark that came now to a question sent at `sent`: the mark expires in `left` seconds.
    pub(super) fn learn(&self, nonce: u64, left: i64, sent: Instant) {
        let Some(shown) = u64::try_from(left)
            .ok()
            .and_then(|left| u64::from(HORIZON).checked_sub(left))
        else {
            // not a mark of this backend
            return;
        };
        self.observe(nonce, shown, sent, Instant::now());
    }

    fn observe(&self, nonce: u64, shown: u64, sent: Instant, received: Instant) {
        let shown = shown.saturating_mul(SECOND);
        let lower = Bound {
            time: shown,
            at: received,
        };
        let upper = Bound {
            time: shown.saturating_add(2 * SECOND + LATE),
            at: sent,
        };
        let mut known = lock(&self.0);
        *known = Some(match *known {
            Some(before) if before.nonce == nonce => before.refined(lower, upper),
            _ => Known {
                nonce,
                lower,
                upper,
            },
        });
    }

    /// The time at `at`, which is not in the future.
    pub(super) fn now(&self, at: Instant) -> Now {
        Now {
            local: nanos(at.saturating_duration_since(PROCESS.began)),
            server: lock(&self.0).map(|known| (known.lower.slowest(at), known.upper.fastest(at))),
        }
    }
}

impl Known {
    /// Combines this with one more answer.
    fn refined(self, lower: Bound, upper: Bound) -> Self {
        // the local clock stood still, as on a machine that slept
        if self.upper.fastest(lower.at) < lower.time {
            return Self {
                lower,
                upper,
                ..self
            };
        }
        // the server's clock stood still: stores use the new, earlier lower bound, reads keep the later upper bound
        if upper.time < self.lower.slowest(upper.at) {
            return Self { lower, ..self };
        }
        Self {
            nonce: self.nonce,
            lower: if lower.time > self.lower.slowest(lower.at) {
                lower
            } else {
                self.lower
            },
            upper: if upper.time < self.upper.fastest(upper.at) {
                upper
            } else {
                self.upper
            },
        }
    }
}

/// A time at which something is stored or read, as precisely as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// By the local clock, in nanoseconds since the process began.
    local: u64,
    /// The earliest and latest possible server time, in nanoseconds since 1970.
    server: Option<(u64, u64)>,
}

impl Now {
    /// The moment for a value whose lifetime begins now.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            process: PROCESS.id,
            local: self.local / 1_000_000,
            server: self.server.map_or(0, |(lower, _)| lower / 1_000_000),
        }
    }

    /// The milliseconds since `moment`, or more. `None` if nothing is known of the server's clock.
    pub(super) fn since(&self, moment: Moment) -> Option<u64> {
        let (now, then) = if moment.process == PROCESS.id {
            (self.local, moment.local)
        } else {
            (self.server?.1, moment.server)
        };
        Some(now.div_ceil(1_000_000).saturating_sub(then))
    }

    /// The server's time `span` seconds from now, in seconds since 1970, or somewhat later.
    pub(super) fn date_in(&self, span: u64) -> Option<u64> {
        Some((self.server?.1 / SECOND).saturating_add(span))
    }
}

/// A time at which something was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The storing process.
    process: u64,
    /// The time by that process's clock, in milliseconds since it began.
    local: u64,
    /// The earliest possible server time, in milliseconds since 1970.
    server: u64,
}

impl Moment {
    pub(super) const LEN: usize = 24;

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let (chunks, _) = bytes.as_chunks_mut();
        for (chunk, number) in chunks
            .iter_mut()
            .zip([self.process, self.local, self.server])
        {
            *chunk = number.to_be_bytes();
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let number = |nth: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[nth * 8..][..8]);
            u64::from_be_bytes(number)
        };
        Self {
            process: number(0),
            local: number(1),
            server: number(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// A server whose timer fires at `place` in each second, in milliseconds.
    #[derive(Clone, Copy, Debug)]
    struct Server {
        place: u64,
    }

    impl Server {
        /// The seconds that the server shows at the true `time` in milliseconds.
        fn shows(self, time: u64) -> u64 {
            let ticked = (time - self.place) / 1_000 * 1_000 + self.place;
            ticked / 1_000
        }
    }

    /// A process that asked at these times and got its answers this much later, in milliseconds.
    fn watch(server: Server, began: Instant, asked: &[(u64, u64)]) -> Clock {
        let clock = Clock::default();
        let at = |time: u64| began + Duration::from_millis(time);
        for &(sent, took) in asked {
            // the server answers halfway
            let shown = server.shows(sent + took / 2 + START);
            clock.observe(1, shown, at(sent), at(sent + took));
        }
        clock
    }

    /// The server's time at the start of the test, in milliseconds since 1970.
    const START: u64 = 1_700_000_000_400;

    fn asked() -> impl Strategy<Value = Vec<(u64, u64)>> {
        prop::collection::vec((0_u64..20_000, 0_u64..150), 1..20).prop_map(|mut asked| {
            asked.sort_unstable();
            asked
        })
    }

    proptest! {
        #[test]
        fn no_less_time_has_passed_than_is_said(
            place in 0_u64..1_000, writer in asked(), reader in asked(), stored in 0_u64..30_000, read in 0_u64..30_000
        ) {
            let server = Server { place };
            let began = Instant::now();
            let at = |time| began + Duration::from_millis(time);
            let mut moment = watch(server, began, &writer).now(at(stored)).moment();
            // as if stored elsewhere
            moment.process ^= 1;
            let read = stored + read;
            let passed = watch(server, began, &reader).now(at(read)).since(moment).unwrap();
            prop_assert!(passed >= read - stored);
            prop_assert!(passed <= read - stored + 4_500 + (read + stored) / 1_000);
        }

        #[test]
        fn who_has_watched_the_servers_steps_is_a_second_off(place in 0_u64..1_000, stored in 3_000_u64..9_000, read in 0_u64..9_000) {
            let server = Server { place };
            let began = Instant::now();
            let at = |time| began + Duration::from_millis(time);
            let asked: Vec<_> = (0..2_000).map(|nth| (nth * 10, 1)).collect();
            let clock = watch(server, began, &asked);
            let mut moment = clock.now(at(stored)).moment();
            moment.process ^= 1;
            let passed = clock.now(at(stored + read)).since(moment).unwrap();
            prop_assert!((read..read + 1_200).contains(&passed), "{} {}", read, passed);
        }

        #[test]
        fn a_moment_is_read_as_it_was_written(process: u64, local: u64, server: u64) {
            let moment = Moment { process, local, server };
            prop_assert_eq!(Moment::from_bytes(moment.to_bytes()), moment);
        }
    }

    #[test]
    fn a_process_knows_its_own_moments_to_the_millisecond() {
        let clock = Clock::default();
        let began = Instant::now();
        let moment = clock.now(began).moment();
        let passed = clock
            .now(began + Duration::from_millis(250))
            .since(moment)
            .unwrap();
        assert!((250..=252).contains(&passed), "{passed}");
        let others = Moment {
            process: moment.process ^ 1,
            ..moment
        };
        assert_eq!(clock.now(began).since(others), None);
    }

    #[test]
    fn another_mark_is_another_clock() {
        let clock = Clock::default();
        let began = Instant::now();
        clock.observe(1, 1_000, began, began);
        clock.observe(1, 990, began, began);
        assert_eq!(
            clock.now(began).server.unwrap().1 / SECOND,
            1_002,
            "a clock that is late is not trusted"
        );
        clock.observe(2, 500, began, began);
        assert_eq!(clock.now(began).server.unwrap().1 / SECOND, 502);
    }

    #[test]
    fn nonces_differ() {
        let all: std::collections::HashSet<u64> = (0..1_000).map(|_| nonce()).collect();
        assert_eq!(all.len(), 1_000);
    }
}
