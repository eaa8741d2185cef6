//! Random numbers, not for security.

use std::hash::{BuildHasher, RandomState};

/// A random number from 0 to below 1.
#[allow(clippy::cast_precision_loss, reason = "53 bits are kept")]
pub(crate) fn unit() -> f64 {
    const BITS: u32 = f64::MANTISSA_DIGITS;
    // each state has its own keys, and a thread's first ones are random: the hashes of a constant under them have no pattern
    let number = RandomState::new().hash_one(0_u8);
    (number >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_spread_evenly() {
        let mut tenths = [0; 10];
        for _ in 0..100_000 {
            let number = unit();
            assert!((0.0..1.0).contains(&number));
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 0 to 9"
            )]
            let tenth = (number * 10.0) as usize;
            tenths[tenth] += 1;
        }
        // six standard deviations
        assert!(
            tenths.iter().all(|count| (9_430..=10_570).contains(count)),
            "{tenths:?}"
        );
    }
}
