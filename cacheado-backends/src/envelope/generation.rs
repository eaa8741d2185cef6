//! Generations: numbers that distinguish the values stored under one key.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number for the next value to be stored, different each time and in each process.
///
/// It is for people who follow traces: it tells which write, by which process, a value comes from. No decision depends on it: the
/// store decides which of two values is newer.
///
/// Each process counts from a random start among 2⁶⁴.
#[must_use]
pub fn next_generation() -> u64 {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
        // the standard library's keys are random, and so is the hash of nothing with them
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
