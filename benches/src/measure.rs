//! What the measurements share: turns, threads, medians, ratios, and numbers formatted for people.
//!
//! Speeds are compared only within one run. The contenders take turns, in several rounds. The ratio of a round is that of two turns
//! that are close in time. The median of these ratios is reported beside the median times.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The median of `samples`, of which there is at least one.
pub(crate) fn median(samples: &mut [Duration]) -> Duration {
    samples.sort_unstable();
    samples[samples.len() / 2]
}

/// The median of `samples`, of which there is at least one.
pub(crate) fn middle(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The ratio of `other` to `base`.
pub(crate) fn ratio(other: Duration, base: Duration) -> f64 {
    other.as_secs_f64() / base.as_secs_f64()
}

/// The ratio of `other` to `base`: the median over the rounds.
pub(crate) fn round_ratio(other: &[f64], base: &[f64]) -> f64 {
    let ratios: Vec<f64> = other.iter().zip(base).map(|(o, b)| o / b).collect();
    middle(&ratios)
}

/// Gives each contender a turn in each round. Each round begins with a different contender. The results of the turns are returned by
/// contender, then by round.
pub(crate) fn in_turns<T>(
    rounds: usize,
    contenders: usize,
    mut turn: impl FnMut(usize) -> T,
) -> Vec<Vec<T>> {
    let mut results: Vec<Vec<T>> = (0..contenders).map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for nth in 0..contenders {
            let contender = (round + nth) % contenders;
            results[contender].push(turn(contender));
        }
    }
    results
}

/// Runs `work` on so many threads at once. The time is from the first start to the last end.
pub(crate) fn together(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let waiting = AtomicUsize::new(threads);
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|thread| {
                let (waiting, work) = (&waiting, &work);
                scope.spawn(move || {
                    // spinning instead of sleeping at a barrier, so that the threads of a short turn overlap
                    waiting.fetch_sub(1, Ordering::SeqCst);
                    while waiting.load(Ordering::SeqCst) > 0 {
                        thread::yield_now();
                    }
                    let began = Instant::now();
                    work(thread);
                    (began, Instant::now())
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().expect("a measured thread panicked"))
            .collect()
    });
    let began = spans.iter().map(|span| span.0).min();
    let ended = spans.iter().map(|span| span.1).max();
    ended
        .zip(began)
        .map_or(Duration::ZERO, |(ended, began)| ended - began)
}

/// Nanoseconds per operation.
#[expect(clippy::cast_precision_loss, reason = "for people to read")]
pub(crate) fn nanos_each(took: Duration, operations: usize) -> f64 {
    took.as_secs_f64() * 1e9 / operations as f64
}

/// The number of threads that run at once on this machine.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A number of threads, marked if the machine has fewer cores.
pub(crate) fn threads_label(threads: usize) -> String {
    let mark = if threads > cores() { "*" } else { "" };
    let plural = if threads == 1 { "" } else { "s" };
    format!("{threads} thread{plural}{mark}")
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
        assert!((middle(&[9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_ratio_is_of_the_same_round() {
        // the machine was three times as slow in the second round
        let (other, base) = ([20.0, 60.0, 20.0], [10.0, 30.0, 40.0]);
        assert!((round_ratio(&other, &base) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn each_contender_has_a_turn_a_round_and_another_one_begins() {
        let mut turns = Vec::new();
        let results = in_turns(2, 3, |contender| {
            turns.push(contender);
            turns.len()
        });
        assert_eq!(turns, [0, 1, 2, 1, 2, 0]);
        assert_eq!(results, [vec![1, 6], vec![2, 4], vec![3, 5]]);
    }

    #[test]
    fn all_threads_run() {
        let seen = std::sync::Mutex::new(vec![0; 4]);
        together(4, |thread| seen.lock().unwrap()[thread] += 1);
        assert_eq!(*seen.lock().unwrap(), [1, 1, 1, 1]);
    }
}
