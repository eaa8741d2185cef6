//! The cost of a hit: everything that is requested is there. One in a hundred, or one in ten, requests may be a store instead, to a
//! key that is there.

use crate::contender::{Maker, Requests};
use crate::measure::{grouped, in_turns, middle, nanos_each, round_ratio, threads_label, together};
use crate::options::Options;
use crate::peers::{self, cacheado::CacheadoAsync, moka::MokaFuture};
use crate::plot::{self, Bar};
use crate::report::{Report, Table};
use crate::shapes::{LongText, NumberText, Numbers, Shape, TenantBytes, TenantText};
use crate::stream::{Spread, shuffled};

/// Numbers beyond the cores of the machine show what a waiting thread costs.
const THREADS: [usize; 4] = [1, 2, 4, 8];

/// Larger sets of entries are measured only with the first two numbers of threads, because that takes long.
const LARGE: usize = 10_000;

/// How a set of entries is requested.
#[derive(Clone, Copy)]
struct Way {
    spread: Spread,
    /// One in so many requests stores; 0: none does.
    store_every: usize,
}

const UNIFORM: Way = Way {
    spread: Spread::Uniform,
    store_every: 0,
};

const ZIPF: Way = Way {
    spread: Spread::Zipf,
    store_every: 0,
};

/// The share of reads, in percent.
fn reads(store_every: usize) -> usize {
    100 - 100_usize.checked_div(store_every).unwrap_or(0)
}

fn threads(entries: usize) -> &'static [usize] {
    if entries > LARGE {
        &THREADS[..2]
    } else {
        &THREADS
    }
}

struct Hits<'a> {
    options: &'a Options,
    report: &'a Report,
    records: Table,
}

impl Hits<'_> {
    /// Fills a cache of each contender with so many entries, and requests them in each of the ways.
    fn measure<S: Shape>(
        &mut self,
        makers: &[Maker<S>],
        entries: usize,
        ways: &[Way],
    ) -> crate::Outcome {
        // the order of the keys' numbers and the order of storing both differ from the order of the requests
        let keys: Vec<S::Key> = shuffled(entries, 3)
            .into_iter()
            .map(|nth| S::key(u64::from(nth)))
            .collect();
        let fill = shuffled(entries, 4);
        let lanes: Vec<_> = makers
            .iter()
            .map(|maker| (maker.make)(2 * entries))
            .collect();
        for lane in &lanes {
            lane.read(&Requests {
                keys: &keys,
                order: &fill,
            });
            lane.settle();
        }
        let requests = if self.options.quick { 100_000 } else { 400_000 }.max(entries);
        for way in ways {
            let order = way.spread.order(entries, requests);
            let stream = Requests::<S> {
                keys: &keys,
                order: &order,
            };
            let takes_part: Vec<usize> = (0..lanes.len())
                .filter(|&nth| way.store_every == 0 || lanes[nth].can_put(&keys[0]))
                .collect();
            let results: Vec<Vec<Vec<f64>>> = threads(entries)
                .iter()
                .map(|&threads| {
                    in_turns(self.options.rounds, takes_part.len(), |nth| {
                        let lane = &lanes[takes_part[nth]];
                        let took = together(threads, |thread| {
                            let share = stream.share(thread, threads);
                            if way.store_every == 0 {
                                lane.read(&share);
                            } else {
                                lane.mixed(&share, way.store_every);
                            }
                        });
                        lane.settle();
                        nanos_each(took, requests)
                    })
                })
                .collect();
            let names: Vec<_> = takes_part.iter().map(|&nth| makers[nth].name).collect();
            self.show::<S>(entries, *way, &names, &results)?;
        }
        // the peers have a table for each function; cacheado's next entries must not be searched among millions of others
        let cleared = cacheado::default_cache().clear().run();
        cleared.map_err(|error| error.to_string())
    }

    /// Prints a table, and adds a record for each of its cells. `results` are by number of threads, contender, round.
    fn show<S: Shape>(
        &mut self,
        entries: usize,
        way: Way,
        names: &[&str],
        results: &[Vec<Vec<f64>>],
    ) -> crate::Outcome {
        let mut headers = vec!["ns a call, all threads together".to_owned()];
        for &threads in threads(entries) {
            headers.extend([threads_label(threads), "×".into()]);
        }
        let mut table = Table::new(headers);
        for (nth, name) in names.iter().enumerate() {
            let mut row = vec![(*name).to_owned()];
            for (threads, results) in threads(entries).iter().zip(results) {
                let nanos = format!("{:.1}", middle(&results[nth]));
                let ratio = format!("{:.2}", round_ratio(&results[nth], &results[0]));
                row.extend([nanos.clone(), ratio.clone()]);
                self.records.row([
                    S::NAME.to_owned(),
                    entries.to_string(),
                    way.spread.name().to_owned(),
                    reads(way.store_every).to_string(),
                    threads.to_string(),
                    (*name).to_owned(),
                    nanos,
                    ratio,
                ]);
            }
            table.row(row);
        }
        let title = format!(
            "{}, {} entries, {}, {} % reads",
            S::NAME,
            grouped(entries),
            way.spread.name(),
            reads(way.store_every),
        );
        table.print(&title);
        let bars: Vec<Bar> = names
            .iter()
            .zip(&results[0])
            .map(|(name, turns)| Bar {
                name: (*name).to_owned(),
                value: middle(turns),
            })
            .collect();
        let file = self
            .report
            .path(&format!("hit-{}.svg", plot::file_name(&title)));
        plot::bars(&file, &format!("{title}, 1 thread"), "ns a call", &bars)
    }
}

/// Includes the async ones, for which the first row is the base as well.
fn headline(entries: usize) -> Vec<Maker<TenantText>> {
    let mut makers = peers::unbounded(entries);
    makers.push(Maker {
        name: "cacheado, async",
        make: |_| Box::new(CacheadoAsync),
    });
    makers.push(Maker {
        name: "moka, future",
        make: |_| Box::new(MokaFuture::unbounded()),
    });
    makers
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    println!(
        "{} rounds, medians; ×: how many times cacheado's time goes into it; *: more threads than cores",
        options.rounds
    );
    let mut hits = Hits {
        options,
        report,
        records: Table::new([
            "shape",
            "entries",
            "spread",
            "reads",
            "threads",
            "contender",
            "ns",
            "ratio",
        ]),
    };
    peers::print_left_out();
    let (small, large) = (10_000, if options.quick { 100_000 } else { 1_000_000 });
    let shares = [100, 10].map(|store_every| Way {
        store_every,
        ..ZIPF
    });
    hits.measure(
        &headline(small),
        small,
        &[UNIFORM, ZIPF, shares[0], shares[1]],
    )?;
    hits.measure(&headline(large), large, &[UNIFORM, ZIPF])?;
    hits.measure(&peers::unbounded::<Numbers>(small), small, &[UNIFORM])?;
    hits.measure(&peers::unbounded::<Numbers>(large), large, &[UNIFORM])?;
    hits.measure(&peers::unbounded::<NumberText>(small), small, &[UNIFORM])?;
    hits.measure(&peers::unbounded::<LongText>(small), small, &[UNIFORM])?;
    hits.measure(&peers::unbounded::<TenantBytes>(small), small, &[UNIFORM])?;
    hits.report.csv("hit", &hits.records)
}
