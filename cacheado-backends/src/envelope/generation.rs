//! What tells two stores of one key apart.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number for one value that is stored now: another one each time, and others in other processes.
///
/// It is for people who follow traces: which store, by which process, a value that was read comes from. Nothing is decided by it:
/// which of two values is newer, the store says.
///
/// A process counts on from a place of its own that is chosen at random among 2⁶⁴.
#[must_use]
pub fn next_generation() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        // the standard library's keys are random, and so is what they hash nothing to
        AtomicU64::new(RandomState::new().hash_one(()))
    });
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (next_generation(), next_generation());
        assert_ne!(one, other);
    }
}
