//! A histogram of latencies. Its buckets are at most 1/32 of their value wide.

use std::time::Duration;

/// The bits of a value that a bucket keeps in addition to the leading one.
const BITS: u32 = 5;
const SUB_BUCKETS: usize = 1 << BITS;

#[derive(Clone, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

/// Values up to 63 have a bucket each. Above that, each octave has 32.
fn bucket(value: u64) -> usize {
    let octave = value.checked_ilog2().unwrap_or(0).saturating_sub(BITS);
    let sub = usize::try_from(value >> octave).unwrap_or(usize::MAX);
    octave as usize * SUB_BUCKETS + sub
}

/// The smallest value of a bucket.
fn floor(bucket: usize) -> u64 {
    if bucket < 2 * SUB_BUCKETS {
        return bucket as u64;
    }
    let octave = bucket / SUB_BUCKETS - 1;
    ((bucket - octave * SUB_BUCKETS) as u64) << octave
}

impl Histogram {
    pub(crate) fn add(&mut self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(nanos);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.max = self.max.max(nanos);
    }

    /// Adds all samples of the other one.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// The number of samples.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The longest latency, in nanoseconds.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The smallest latency, in nanoseconds, that all samples but a share `beyond` don't exceed. 0 without samples.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of samples is far from 2^52"
    )]
    pub(crate) fn all_but(&self, beyond: f64) -> u64 {
        let mut left = ((1.0 - beyond) * self.total as f64).ceil() as u64;
        for (bucket, &count) in self.counts.iter().enumerate() {
            if count >= left {
                return floor(bucket);
            }
            left -= count;
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_begins_at_its_least_value_and_buckets_follow_each_other() {
        for value in (0..5000).chain([1 << 40, u64::MAX]) {
            let low = floor(bucket(value));
            assert!(low <= value && value - low <= value / 32, "{value}: {low}");
        }
        for number in 1..500 {
            assert_eq!(bucket(floor(number)), number);
            assert_eq!(bucket(floor(number) - 1), number - 1);
        }
    }

    #[test]
    fn percentiles_are_by_count() {
        let mut histogram = Histogram::default();
        for nanos in 1..=50 {
            histogram.add(Duration::from_nanos(nanos));
        }
        assert_eq!(histogram.all_but(0.5), 25);
        assert_eq!(histogram.all_but(0.02), 49);
        assert_eq!(histogram.all_but(0.0), 50);
        assert_eq!((histogram.total(), histogram.max()), (50, 50));
        let mut longer = Histogram::default();
        longer.add(Duration::from_micros(1));
        histogram.merge(&longer);
        assert_eq!((histogram.total(), histogram.max()), (51, 1000));
    }
}
