//! Random numbers from a seed, so that a failure's choices can be made again.

use std::thread::sleep;
use std::time::Duration;

/// `SplitMix64`, after G. Steele, D. Lea and C. Flood (2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Lets a random time pass, so that what others do falls anywhere in between.
    pub fn pause(&mut self, most: Duration) {
        let most = u64::try_from(most.as_micros()).expect("a short time");
        sleep(Duration::from_micros(self.below(most + 1)));
    }
}

/// The seed of the test named `test`, which is printed.
pub fn seed(test: &str) -> u64 {
    let seed = std::env::var("CACHEADO_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    println!("{test}: CACHEADO_SEED={seed}");
    seed
}
