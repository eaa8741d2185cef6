//! Generated access streams, each of which shows one thing. The seeds are fixed, so the streams are the same on each run.

use crate::stream::{Random, Zipf};

/// A name, a generator of the accesses, and the capacities at which they are replayed.
type Synthetic = (&'static str, fn() -> Vec<u64>, &'static [usize]);

pub(super) fn traces() -> [Synthetic; 4] {
    [
        ("zipf", zipf, &[500, 5000, 25_000]),
        ("scan+zipf", scans, &[500, 5000, 25_000]),
        ("loop", around, &[500, 2500, 4500]),
        ("shifting", shifting, &[500, 5000, 25_000]),
    ]
}

const ACCESSES: usize = 500_000;
const KEYS: usize = 100_000;
const EXPONENT: f64 = 0.9;

fn ranks(seed: u64) -> impl Iterator<Item = u64> {
    let (zipf, mut random) = (Zipf::new(KEYS, EXPONENT), Random::new(seed));
    std::iter::repeat_with(move || zipf.rank(&mut random) as u64)
}

/// A few keys are asked for often, and that never changes.
fn zipf() -> Vec<u64> {
    ranks(1).take(ACCESSES).collect()
}

/// The same, but after each 20,000 accesses, as many keys come once and never again.
fn scans() -> Vec<u64> {
    const RUN: usize = 20_000;
    let mut once = KEYS as u64;
    let mut ranks = ranks(2);
    let mut accesses = Vec::with_capacity(ACCESSES);
    while accesses.len() < ACCESSES {
        accesses.extend(ranks.by_ref().take(RUN));
        accesses.extend(once..once + RUN as u64);
        once += RUN as u64;
    }
    accesses
}

/// 5,000 keys in turn, again and again.
fn around() -> Vec<u64> {
    (0..5000).cycle().take(ACCESSES / 2).collect()
}

/// A few keys are asked for often, and they change after each 100,000 accesses.
fn shifting() -> Vec<u64> {
    const PHASE: usize = 100_000;
    ranks(3)
        .take(ACCESSES)
        .enumerate()
        .map(|(nth, rank)| (nth / PHASE * KEYS) as u64 + rank)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_the_same_each_time() {
        for (name, accesses, capacities) in traces() {
            let first = accesses();
            assert_eq!(first, accesses(), "{name}");
            assert!(first.len() >= ACCESSES / 2 && capacities.len() == 3);
        }
    }

    #[test]
    fn a_scan_comes_once() {
        let mut scanned: Vec<u64> = scans()
            .into_iter()
            .filter(|&key| key >= KEYS as u64)
            .collect();
        assert_eq!(scanned.len(), 260_000);
        scanned.dedup();
        assert_eq!(scanned.len(), 260_000);
    }
}
