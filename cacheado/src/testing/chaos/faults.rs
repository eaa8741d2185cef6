//! The kinds of faults, their probabilities, and how often each has occurred.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Fail,
    Refuse,
    Stall,
    Corrupt,
    Lose,
    LoseSilently,
}

/// The number of kinds.
const KINDS: usize = 6;

/// The longest delay of an operation.
const LONGEST: Duration = Duration::from_secs(60);

/// Probabilities are stored as multiples of one part in this many: the precision of an `f64`.
const PARTS: u64 = 1 << 53;

/// How often each fault has occurred in a [`Chaos`](super::Chaos).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChaosCounts {
    /// The number of operations.
    pub operations: u64,
    /// Operations that failed as in an outage.
    pub failed: u64,
    /// Operations that were refused.
    pub refused: u64,
    /// Operations that were delayed.
    pub stalled: u64,
    /// Payloads that were corrupted.
    pub corrupted: u64,
    /// Reports that were lost, announced or not.
    pub lost: u64,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    seed: AtomicU64,
    draws: AtomicU64,
    delay: AtomicU64,
    /// By kind, in [`PARTS`].
    probabilities: [AtomicU64; KINDS],
    counts: [AtomicU64; KINDS],
    operations: AtomicU64,
}

/// A random number from which all decisions made at one time are derived.
#[derive(Clone, Copy)]
pub(super) struct Draw(u64);

impl Draw {
    /// The number for one of several decisions, independent of the others.
    pub(super) fn number(self, decision: usize) -> u64 {
        mix(self.0.wrapping_add(mix(decision as u64 + 1)))
    }

    /// An index below `len`, which is not 0.
    pub(super) fn below(self, decision: usize, len: usize) -> usize {
        // the remainder is below a `usize`
        usize::try_from(self.number(decision) % len as u64).unwrap_or_default()
    }
}

/// What becomes of an operation.
pub(super) struct Fate {
    pub(super) delay: Option<Duration>,
    pub(super) end: End,
}

/// How an operation ends.
pub(super) enum End {
    Well,
    /// It fails. `done`: it was carried out nevertheless.
    Fails {
        done: bool,
    },
    Refused,
}

impl Faults {
    pub(super) fn set_seed(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
        self.draws.store(0, Ordering::Relaxed);
    }

    pub(super) fn set(&self, fault: Fault, probability: f64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "it is from 0 to 2^53, which both can hold; what is no number is 0"
        )]
        let parts = (probability.clamp(0.0, 1.0) * PARTS as f64) as u64;
        self.probabilities[fault as usize].store(parts, Ordering::Relaxed);
    }

    pub(super) fn set_delay(&self, delay: Duration) {
        let nanos = delay.min(LONGEST).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        self.delay.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn calm(&self) {
        for probability in &self.probabilities {
            probability.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn draw(&self) -> Draw {
        let number = self.draws.fetch_add(1, Ordering::Relaxed);
        Draw(mix(
            mix(self.seed.load(Ordering::Relaxed)).wrapping_add(number)
        ))
    }

    /// Whether `fault` can occur at all.
    pub(super) fn may(&self, fault: Fault) -> bool {
        self.probabilities[fault as usize].load(Ordering::Relaxed) > 0
    }

    /// Whether `fault` occurs in this draw.
    pub(super) fn comes(&self, draw: Draw, fault: Fault) -> bool {
        let part = draw.number(fault as usize) % PARTS;
        part < self.probabilities[fault as usize].load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, fault: Fault) {
        self.counts[fault as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What becomes of an operation that begins now.
    pub(super) fn fate(&self) -> Fate {
        self.operations.fetch_add(1, Ordering::Relaxed);
        let draw = self.draw();
        let comes = |fault| {
            let comes = self.comes(draw, fault);
            if comes {
                self.count(fault);
            }
            comes
        };
        let stalls = comes(Fault::Stall);
        let delay = stalls.then(|| Duration::from_nanos(self.delay.load(Ordering::Relaxed)));
        let end = if comes(Fault::Fail) {
            End::Fails {
                done: draw.below(KINDS, 2) == 0,
            }
        } else if comes(Fault::Refuse) {
            End::Refused
        } else {
            End::Well
        };
        Fate { delay, end }
    }

    pub(super) fn counts(&self) -> ChaosCounts {
        let count = |fault: Fault| self.counts[fault as usize].load(Ordering::Relaxed);
        ChaosCounts {
            operations: self.operations.load(Ordering::Relaxed),
            failed: count(Fault::Fail),
            refused: count(Fault::Refuse),
            stalled: count(Fault::Stall),
            corrupted: count(Fault::Corrupt),
            lost: count(Fault::Lose) + count(Fault::LoseSilently),
        }
    }
}

/// The output function of `SplitMix64` (Steele, Lea, Flood, 2014).
fn mix(number: u64) -> u64 {
    let z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_come_as_are_to() {
        let faults = Faults::default();
        for (probability, most, least) in [(0.0, 0, 0), (1.0, 10_000, 10_000), (0.3, 3_200, 2_800)]
        {
            faults.set(Fault::Fail, probability);
            let draws = (0..10_000).map(|_| faults.draw());
            let come = draws.filter(|draw| faults.comes(*draw, Fault::Fail));
            let come = come.count();
            assert!((least..=most).contains(&come), "{come} of {probability}");
        }
    }

    #[test]
    fn what_is_no_probability_is_one() {
        let faults = Faults::default();
        for (probability, may) in [(-1.0, false), (f64::NAN, false), (7.0, true)] {
            faults.set(Fault::Corrupt, probability);
            assert_eq!(faults.may(Fault::Corrupt), may);
            assert_eq!(faults.comes(faults.draw(), Fault::Corrupt), may);
        }
    }

    #[test]
    fn no_delay_is_without_a_bound() {
        let faults = Faults::default();
        faults.set(Fault::Stall, 1.0);
        faults.set_delay(Duration::MAX);
        assert_eq!(faults.fate().delay, Some(LONGEST));
    }
}
