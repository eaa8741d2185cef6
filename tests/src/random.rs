//! Random numbers from a seed, so that the choices of a failed run can be repeated.

use std::thread::sleep;
use std::time::Duration;

/// `SplitMix64` (Steele, Lea, Flood, 2014).
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        // so that neighbouring seeds don't begin alike
        let mut random = Self(seed.wrapping_mul(0xd134_2543_de82_ef95));
        random.number();
        random
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `end`, exclusive.
    ///
    /// # Panics
    ///
    /// If `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// The index of one of `len` things.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// Whether something happens that happens in `percent` of all cases.
    pub fn comes(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Waits for a random time up to `most`, so that the steps of other threads fall anywhere in between.
    ///
    /// # Panics
    ///
    /// If `most` is more than half a million years.
    pub fn pause(&mut self, most: Duration) {
        let most = u64::try_from(most.as_micros()).expect("a short time");
        sleep(Duration::from_micros(self.below(most + 1)));
    }
}

/// The seed of the test named `test`, which is printed: the environment variable `CACHEADO_SEED`, or 1.
///
/// # Panics
///
/// If the variable is not a number.
pub fn seed(test: &str) -> u64 {
    let seed = std::env::var("CACHEADO_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    println!("{test}: CACHEADO_SEED={seed}");
    seed
}
