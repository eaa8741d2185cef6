//! What the measurements share: medians, and numbers as people read them.

use std::time::Duration;

/// The middle one of `samples`, of which there is at least one.
pub(crate) fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// How many times `base` goes into `other`.
pub(crate) fn ratio(other: Duration, base: Duration) -> f64 {
    other.as_secs_f64() / base.as_secs_f64()
}

/// `1000000` as `1,000,000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three_from_the_right() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let mut samples = [9, 1, 5].map(Duration::from_nanos);
        assert_eq!(median(&mut samples), Duration::from_nanos(5));
    }
}
