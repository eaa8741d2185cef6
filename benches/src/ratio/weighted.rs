//! The same accesses if entries differ in size. The cache is bounded by weight. Both shares count: that of the accesses that find
//! their entry, and that of the requested weight.
//!
//! Traces don't say how large things are, so sizes are made up: log-uniform from 1 to 63 units, by a hash of the key. Each trace has
//! one cache size, the middle one of those at which it is replayed otherwise.

use crate::measure::grouped;
use crate::report::{Report, Table};

use super::policies::{Bounded, OURS, PEERS, Policy};
use super::{TOLERANCE, Work, side_by_side};

/// The mean weight of an entry: 63 / ln 64, less what rounding down takes off.
pub(super) const MEAN: usize = 15;

/// The weight of a key's entry.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "from 1 to 63"
)]
pub(super) fn weight(key: u64) -> u32 {
    let mixed = key
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(32)
        .wrapping_mul(0xd6e8_feb8_6659_fd93);
    let uniform = (mixed >> 32) as f64 / (1_u64 << 32) as f64;
    64_f64.powf(uniform) as u32
}

/// What was found, in percent of what was requested.
struct Found {
    objects: f64,
    weight: f64,
}

/// A table of percentages: a row for each trace, a column for each policy.
struct Percentages {
    table: Table,
    sums: Vec<f64>,
    difference: f64,
}

pub(super) struct Weighted {
    policies: Vec<&'static Policy>,
    objects: Percentages,
    weight: Percentages,
    records: Table,
    rows: u32,
}

fn replay(work: &Work, cache: &dyn Bounded) -> Found {
    let (mut objects, mut found, mut asked) = (0_u32, 0, 0);
    for &key in &work.accesses {
        let weight = u64::from(weight(key));
        asked += weight;
        if cache.hit(key) {
            objects += 1;
            found += weight;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    Found {
        objects: 100.0 * f64::from(objects) / work.accesses.len().max(1) as f64,
        weight: 100.0 * found as f64 / asked.max(1) as f64,
    }
}

impl Percentages {
    fn new(policies: &[&str]) -> Self {
        let mut headers = vec!["trace", "units"];
        headers.extend(policies);
        headers.push("to the best");
        Self {
            table: Table::new(headers),
            sums: vec![0.0; policies.len()],
            difference: 0.0,
        }
    }

    /// Adds a row, with cacheado first.
    fn add(&mut self, name: &str, units: usize, percent: &[f64]) {
        let best = percent.iter().skip(1).copied().fold(0.0, f64::max);
        let difference = percent[0] - best;
        let mark = if difference < -TOLERANCE { " <" } else { "" };
        self.difference += difference;
        for (sum, percent) in self.sums.iter_mut().zip(percent) {
            *sum += percent;
        }
        let mut row = vec![name.to_owned(), grouped(units)];
        row.extend(percent.iter().map(|percent| format!("{percent:.2}")));
        row.push(format!("{difference:+.2}{mark}"));
        self.table.row(row);
    }

    fn print(mut self, title: &str, rows: u32) {
        let rows = f64::from(rows);
        let mut row = vec!["mean".to_owned(), String::new()];
        row.extend(self.sums.iter().map(|sum| format!("{:.2}", sum / rows)));
        row.push(format!("{:+.2}", self.difference / rows));
        self.table.row(row);
        self.table.print(title);
    }
}

impl Weighted {
    pub(super) fn new() -> Self {
        let policies: Vec<_> = OURS
            .iter()
            .chain(&PEERS)
            .filter(|policy| policy.weighted.is_some())
            .collect();
        let names: Vec<&str> = policies.iter().map(|policy| policy.name).collect();
        Self {
            objects: Percentages::new(&names),
            weight: Percentages::new(&names),
            records: Table::new(["trace", "units", "policy", "objects", "weight"]),
            policies,
            rows: 0,
        }
    }

    pub(super) fn add(&mut self, work: &Work) {
        let Some(size) = work.sizes.get(work.sizes.len() / 2) else {
            return;
        };
        let units = size.capacity * MEAN;
        let found = side_by_side(self.policies.len(), |nth| {
            let cache = self.policies[nth].weighted?(units as u64);
            Some(replay(work, cache.as_ref()))
        });
        let found: Vec<Found> = found.into_iter().flatten().collect();
        for (found, policy) in found.iter().zip(&self.policies) {
            self.records.row([
                work.name.clone(),
                units.to_string(),
                policy.name.to_owned(),
                format!("{:.2}", found.objects),
                format!("{:.2}", found.weight),
            ]);
        }
        let objects: Vec<f64> = found.iter().map(|found| found.objects).collect();
        let weight: Vec<f64> = found.iter().map(|found| found.weight).collect();
        self.objects.add(&work.name, units, &objects);
        self.weight.add(&work.name, units, &weight);
        self.rows += 1;
    }

    pub(super) fn conclude(self, report: &Report) -> crate::Outcome {
        self.objects.print(
            "entries of 1 to 63 units: accesses that found their entry, %",
            self.rows,
        );
        self.weight.print(
            "entries of 1 to 63 units: weight that was found, % of what was asked for",
            self.rows,
        );
        report.csv("ratio_weighted", &self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_log_uniform() {
        let weights: Vec<u32> = (0..100_000).map(weight).collect();
        assert!(weights.iter().all(|weight| (1..64).contains(weight)));
        // each power of two has a sixth
        for power in 0..6 {
            let share = weights.iter().filter(|weight| weight.ilog2() == power);
            assert!((16_000..17_300).contains(&share.count()), "2^{power}");
        }
        let mean = weights.iter().sum::<u32>() as usize / weights.len();
        assert!(mean.abs_diff(MEAN) <= 1, "{mean}");
    }

    #[test]
    fn a_bound_by_weight_holds_that_much() {
        for policy in OURS.iter().chain(&PEERS) {
            let Some(weighted) = policy.weighted else {
                continue;
            };
            let cache = weighted(1500);
            for key in 0..10_000 {
                cache.hit(key);
            }
            let held: u32 = (0..10_000)
                .rev()
                .filter(|&key| cache.hit(key))
                .map(weight)
                .sum();
            // these requests load missing entries, which drives out some that come later
            assert!((100..=3000).contains(&held), "{} holds {held}", policy.name);
        }
    }
}
