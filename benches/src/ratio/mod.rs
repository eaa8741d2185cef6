//! How often a requested entry is there, if not all of them can be: hit ratios over access traces. These come from real systems if a
//! folder of them is given, else from streams that are generated here.
//!
//! Nothing is timed, so the simulations run in parallel on all cores. Each replays its trace alone, from an empty cache, through the
//! public interface of the product: look up, load on a miss.

mod policies;
mod synthetic;
mod targets;
mod trace;
mod weighted;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::measure::{cores, grouped};
use crate::options::Options;
use crate::plot::{self, Bar};
use crate::report::{Report, Table};

use self::policies::{OURS, PEERS, Policy};
use self::targets::{Reference, Targets};
use self::weighted::Weighted;

/// A row that is this many points below the best peer is marked.
const TOLERANCE: f64 = 0.5;

/// A cache size at which a trace is replayed.
struct Size {
    capacity: usize,
    /// The figures of an independent simulation, if there are any.
    reference: Vec<String>,
}

/// Accesses, and the cache sizes at which they are replayed.
struct Work {
    name: String,
    accesses: Vec<u64>,
    sizes: Vec<Size>,
}

/// Columns of hit ratios in percent, with those of cacheado first.
struct Ratios<'a> {
    policies: Vec<&'a Policy>,
    reference_names: Vec<String>,
    records: Table,
    sums: Vec<f64>,
    difference: f64,
    rows: u32,
    below: Vec<String>,
}

/// The hits in percent of the accesses.
#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn percent(hits: usize, accesses: usize) -> f64 {
    100.0 * hits as f64 / accesses.max(1) as f64
}

/// Runs the jobs on all cores. Returns their results in order.
fn side_by_side<T: Send>(jobs: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let results: Vec<Mutex<Option<T>>> = (0..jobs).map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(slot) = results.get(job) else {
                        return;
                    };
                    let result = run(job);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    results
        .into_iter()
        .filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

/// The hit ratio of each policy at each size: by size, then by policy.
fn replay(work: &Work, policies: &[&Policy]) -> Vec<Vec<f64>> {
    let ratios = side_by_side(work.sizes.len() * policies.len(), |job| {
        let size = &work.sizes[job / policies.len()];
        let cache = (policies[job % policies.len()].make)(size.capacity);
        let hits = work.accesses.iter().filter(|&&key| cache.hit(key)).count();
        percent(hits, work.accesses.len())
    });
    ratios.chunks(policies.len()).map(<[f64]>::to_vec).collect()
}

impl Ratios<'_> {
    fn new(reference_names: Vec<String>) -> Self {
        let policies: Vec<_> = OURS.iter().chain(&PEERS).collect();
        let headers = ["trace".to_owned(), "capacity".to_owned()]
            .into_iter()
            .chain(policies.iter().map(|policy| policy.name.to_owned()))
            .chain(["best".to_owned(), "difference".to_owned()])
            .chain(reference_names.iter().cloned());
        Self {
            records: Table::new(headers),
            sums: vec![0.0; policies.len()],
            policies,
            reference_names,
            difference: 0.0,
            rows: 0,
            below: Vec::new(),
        }
    }

    fn add(&mut self, work: &Work) {
        let mut headers = vec!["entries".to_owned()];
        headers.extend(self.policies.iter().map(|policy| policy.name.to_owned()));
        headers.push("to the best".into());
        headers.extend(self.reference_names.iter().cloned());
        let mut table = Table::new(headers);
        for (size, ratios) in work.sizes.iter().zip(replay(work, &self.policies)) {
            let best = ratios[OURS.len()..].iter().copied().fold(0.0, f64::max);
            let difference = ratios[0] - best;
            let mark = if difference < -TOLERANCE {
                self.below
                    .push(format!("{} at {}", work.name, size.capacity));
                " <"
            } else {
                ""
            };
            for (sum, ratio) in self.sums.iter_mut().zip(&ratios) {
                *sum += ratio;
            }
            self.difference += difference;
            self.rows += 1;
            let cells: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
            let mut row = vec![grouped(size.capacity)];
            row.extend(cells.iter().cloned());
            row.push(format!("{difference:+.2}{mark}"));
            row.extend(size.reference.iter().cloned());
            table.row(row);
            let mut record = vec![work.name.clone(), size.capacity.to_string()];
            record.extend(cells);
            record.extend([format!("{best:.2}"), format!("{difference:.2}")]);
            record.extend(size.reference.iter().cloned());
            self.records.row(record);
        }
        table.print(&format!(
            "{}, {} accesses",
            work.name,
            grouped(work.accesses.len())
        ));
    }

    fn conclude(&self, report: &Report) -> crate::Outcome {
        if self.rows == 0 {
            return Err("no trace has that name".into());
        }
        let rows = f64::from(self.rows);
        let mut table = Table::new(["mean over all rows", "%"]);
        for (policy, sum) in self.policies.iter().zip(&self.sums) {
            table.row([policy.name.to_owned(), format!("{:.2}", sum / rows)]);
        }
        let ours = format!("{}, to the best peer of each row", OURS[0].name);
        table.row([ours, format!("{:+.2}", self.difference / rows)]);
        table.print(&format!("{} rows", self.rows));
        println!(
            "\n{} more than {TOLERANCE} below the best of {} peers: {}",
            self.below.len(),
            PEERS.len(),
            self.below.join(", ")
        );
        let bars: Vec<Bar> = self
            .policies
            .iter()
            .zip(&self.sums)
            .map(|(policy, sum)| Bar {
                name: policy.name.to_owned(),
                value: sum / rows,
            })
            .collect();
        let title = format!("hit ratio, mean over {} rows", self.rows);
        plot::bars(&report.path("ratio.svg"), &title, "%", &bars)?;
        report.csv("ratio", &self.records)
    }
}

fn wanted(options: &Options, name: &str) -> bool {
    options.only.is_empty() || options.only.iter().any(|part| name.contains(part))
}

fn unique(accesses: &[u64]) -> usize {
    accesses.iter().collect::<HashSet<_>>().len()
}

/// Reads a trace, and checks that it is the one from which the references were computed.
fn work(folder: &Path, reference: &Reference) -> Result<Work, String> {
    let accesses = trace::read(folder, &reference.trace)?;
    if (accesses.len(), unique(&accesses)) != (reference.requests, reference.unique) {
        return Err(format!(
            "{}: {} accesses to {} keys, not {} to {}",
            reference.trace,
            accesses.len(),
            unique(&accesses),
            reference.requests,
            reference.unique
        ));
    }
    let size = |(capacity, reference): &(usize, Vec<String>)| Size {
        capacity: *capacity,
        reference: reference.clone(),
    };
    Ok(Work {
        name: reference.trace.clone(),
        accesses,
        sizes: reference.rows.iter().map(size).collect(),
    })
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    println!("hit ratios in percent; <: more than {TOLERANCE} below the best peer");
    for policy in OURS.iter().chain(&PEERS) {
        println!("  {:<22} {}", policy.name, policy.what);
    }
    let mut weighted = Weighted::new();
    let Some(folder) = &options.traces else {
        let mut ratios = Ratios::new(Vec::new());
        for (name, accesses, capacities) in synthetic::traces() {
            if wanted(options, name) {
                let size = |&capacity| Size {
                    capacity,
                    reference: Vec::new(),
                };
                let work = Work {
                    name: name.into(),
                    accesses: accesses(),
                    sizes: capacities.iter().map(size).collect(),
                };
                ratios.add(&work);
                weighted.add(&work);
            }
        }
        ratios.conclude(report)?;
        return weighted.conclude(report);
    };
    let targets = Targets::read(&folder.join("targets.tsv"))?;
    let mut ratios = Ratios::new(targets.names);
    for reference in &targets.references {
        if wanted(options, &reference.trace) {
            let work = work(folder, reference)?;
            ratios.add(&work);
            weighted.add(&work);
        }
    }
    ratios.conclude(report)?;
    weighted.conclude(report)
}
