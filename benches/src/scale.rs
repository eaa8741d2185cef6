//! What more threads gain: calls per second of 1, 2, 4 and 8 threads that hit keys of their own, and that hit one key.
//!
//! A number of threads beyond the cores of the machine only shows how little a descheduled thread holds up the others.

use crate::contender::{Maker, Requests};
use crate::measure::{in_turns, middle, nanos_each, round_ratio, threads_label, together};
use crate::options::Options;
use crate::peers;
use crate::plot::{self, Line};
use crate::report::{Report, Table};
use crate::shapes::{NumberText, Numbers, Shape};
use crate::stream::Spread;

const THREADS: [usize; 4] = [1, 2, 4, 8];
const MOST: usize = THREADS[THREADS.len() - 1];

/// The number of keys that each thread has of its own.
const OWN: usize = 1000;

/// How often a hit of cacheado writes to a cache line that a hit of another thread writes to. A thread records which shard it reads in
/// a cache line of its own. That is true of the first 64 threads that live at a time; each of those beyond adds to a count in the
/// shard and takes from it, which is two writes. Statistics are counted in thread-local cells. The entry is only read, except for its
/// first hits under a rule that counts them. A value in an `Arc` adds two writes, when the value is cloned and when the clone is
/// dropped.
const SHARED_WRITES: u32 = 0;

struct Scale<'a> {
    options: &'a Options,
    report: &'a Report,
    records: Table,
}

impl Scale<'_> {
    fn measure<S: Shape>(&mut self, makers: &[Maker<S>], one_key: bool) -> crate::Outcome {
        let keys: Vec<S::Key> = (0..MOST * OWN).map(|nth| S::key(nth as u64)).collect();
        let each = if self.options.quick { 100_000 } else { 500_000 };
        let spread = if one_key {
            Spread::One
        } else {
            Spread::Uniform
        };
        let order = spread.order(OWN, each);
        let lanes: Vec<_> = makers
            .iter()
            .map(|maker| (maker.make)(2 * keys.len()))
            .collect();
        for lane in &lanes {
            lane.read(&Requests {
                keys: &keys,
                order: &Spread::Uniform.order(keys.len(), keys.len()),
            });
            lane.settle();
        }
        // nanoseconds per call, by number of threads, contender, round
        let results: Vec<Vec<Vec<f64>>> = THREADS
            .iter()
            .map(|&threads| {
                in_turns(self.options.rounds, lanes.len(), |nth| {
                    let took = together(threads, |thread| {
                        let own = if one_key { 0 } else { thread * OWN };
                        lanes[nth].read(&Requests {
                            keys: &keys[own..own + OWN],
                            order: &order,
                        });
                    });
                    lanes[nth].settle();
                    nanos_each(took, threads * each)
                })
            })
            .collect();
        self.show(makers, one_key, &results)
    }

    fn show<S: Shape>(
        &mut self,
        makers: &[Maker<S>],
        one_key: bool,
        results: &[Vec<Vec<f64>>],
    ) -> crate::Outcome {
        let what = if one_key { "one key" } else { "own keys" };
        let title = format!("{}, {what}", S::NAME);
        let mut headers = vec!["million calls a second".to_owned()];
        for threads in THREADS {
            headers.push(threads_label(threads));
            headers.push(if threads == 1 { "×" } else { "of 1" }.into());
        }
        let mut table = Table::new(headers);
        let mut lines = Vec::new();
        for (nth, maker) in makers.iter().enumerate() {
            let alone = middle(&results[0][nth]);
            let mut row = vec![maker.name.to_owned()];
            let mut line = Line::new(maker.name);
            for (&threads, results) in THREADS.iter().zip(results) {
                let nanos = middle(&results[nth]);
                let ratio = round_ratio(&results[nth], &results[0]);
                let gain = if threads == 1 { ratio } else { alone / nanos };
                row.extend([format!("{:.1}", 1e3 / nanos), format!("{gain:.2}")]);
                line.points.push((threads, 1e3 / nanos));
                self.records.row([
                    S::NAME.to_owned(),
                    what.to_owned(),
                    threads.to_string(),
                    maker.name.to_owned(),
                    format!("{:.2}", 1e3 / nanos),
                    format!("{:.3}", alone / nanos),
                    format!("{ratio:.3}"),
                ]);
            }
            lines.push(line);
            table.row(row);
        }
        table.print(&title);
        let file = format!("scale-{}.svg", plot::file_name(&title));
        plot::lines(
            &self.report.path(&file),
            &title,
            ("threads", "million calls a second"),
            &lines,
        )
    }
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    println!(
        "{} rounds, medians; ×: how many times cacheado's time goes into it; of 1: throughput of one thread; *: more threads than cores",
        options.rounds
    );
    println!(
        "a hit of cacheado writes {SHARED_WRITES} times to a cache line that others may write to"
    );
    let mut scale = Scale {
        options,
        report,
        records: Table::new([
            "shape",
            "keys",
            "threads",
            "contender",
            "millions",
            "of_one",
            "ratio",
        ]),
    };
    for one_key in [false, true] {
        scale.measure(&peers::unbounded::<Numbers>(MOST * OWN), one_key)?;
        scale.measure(&peers::unbounded::<NumberText>(MOST * OWN), one_key)?;
    }
    report.csv("scale", &scale.records)
}
