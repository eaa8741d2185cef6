//! Which keys are requested, and in which order: computed before the clock starts, from fixed seeds.

/// `SplitMix64` (Steele, Lea and Flood, 2014): small, fast, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound`, exclusive. The bias is one in 2^64 / bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from 0 to 1, exclusive.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The Fisher-Yates shuffle.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

/// Ranks by Zipf's law: rank k has a weight of 1 / (k + 1)^exponent.
pub(crate) struct Zipf {
    /// For each rank, the share of all requests that are for it or for an earlier one.
    cumulative: Vec<f64>,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^52")]
    pub(crate) fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=ranks)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        for share in &mut cumulative {
            *share /= sum;
        }
        Self { cumulative }
    }

    pub(crate) fn rank(&self, random: &mut Random) -> usize {
        let share = random.unit();
        self.cumulative
            .partition_point(|&cumulative| cumulative <= share)
            .min(self.cumulative.len() - 1)
    }
}

/// How requests are spread over the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// One key after the other, repeatedly. The keys are read in sequence, like the arguments of a request that has just been parsed.
    /// Where a cache has their entries is another matter: see [`shuffled`].
    Uniform,
    /// Zipf's law with exponent 0.99, as in YCSB.
    Zipf,
    /// Any key at any time, from a seed.
    Random(u64),
    /// Always the same key.
    One,
}

impl Spread {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf 0.99",
            Self::Random(_) => "random",
            Self::One => "one key",
        }
    }

    /// The order of `requests` requests to `keys` keys, as indices in the list of keys.
    pub(crate) fn order(self, keys: usize, requests: usize) -> Vec<u32> {
        match self {
            Self::Uniform => (0..number(keys)).cycle().take(requests).collect(),
            Self::Zipf => {
                let (zipf, mut random) = (Zipf::new(keys, 0.99), Random::new(0xcac4_ead0));
                let places = shuffled(keys, 2);
                (0..requests)
                    .map(|_| places[zipf.rank(&mut random)])
                    .collect()
            }
            Self::Random(seed) => {
                let mut random = Random::new(seed);
                (0..requests)
                    .map(|_| u32::try_from(random.below(keys as u64)).unwrap_or(0))
                    .collect()
            }
            Self::One => vec![number(keys / 2); requests],
        }
    }
}

/// The numbers up to `count`, exclusive, in an order that depends only on the seed.
pub(crate) fn shuffled(count: usize, seed: u64) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..number(count)).collect();
    Random::new(seed).shuffle(&mut numbers);
    numbers
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zipf_ranks_come_as_often_as_the_law_says() {
        let (zipf, mut random) = (Zipf::new(1000, 1.0), Random::new(1));
        let mut counts = vec![0_u32; 1000];
        for _ in 0..200_000 {
            counts[zipf.rank(&mut random)] += 1;
        }
        // the sum of 1/k up to 1,000 is 7.485
        for (rank, expected) in [(0, 26_719.0), (1, 13_360.0), (9, 2_672.0)] {
            let off = (f64::from(counts[rank]) - expected).abs() / expected;
            assert!(off < 0.06, "rank {rank}: {} of {expected}", counts[rank]);
        }
    }

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut numbers = shuffled(100, 1);
        assert_ne!(numbers, (0..100).collect::<Vec<_>>());
        assert_ne!(numbers, shuffled(100, 2));
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn numbers_below_a_bound_reach_all_of_it() {
        let mut random = Random::new(7);
        let mut seen = [false; 6];
        for _ in 0..200 {
            seen[usize::try_from(random.below(6)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 6]);
    }
}
