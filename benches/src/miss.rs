//! The cost of a full cache: half of the requested entries are not there. They are loaded at no cost and stored, and others are
//! evicted. Also what that does to the hits of others: the longest time of a hit while another thread keeps the cache evicting.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::contender::{Lane, Maker, Requests};
use crate::histogram::Histogram;
use crate::measure::{grouped, in_turns, middle, nanos_each, round_ratio, threads_label, together};
use crate::options::Options;
use crate::peers::{self, BOUND};
use crate::plot::{self, Bar};
use crate::report::{Report, Table};
use crate::shapes::{self, Numbers, Shape, TenantText};
use crate::stream::{Spread, shuffled};

const THREADS: [usize; 2] = [1, 2];

/// Twice as many keys as entries. Requested at random, half of them are there whatever the policy, if the requests are new in each
/// round, so that there is nothing to learn.
const KEYS: usize = 2 * BOUND;

/// The keys whose hits are timed. They are requested so often that any policy keeps them.
const HOT: usize = 1000;

/// Arithmetic that takes about as long as a hit.
const STEPS: u64 = 100;

fn keys<S: Shape>() -> Vec<S::Key> {
    shuffled(KEYS, 5)
        .into_iter()
        .map(|nth| S::key(u64::from(nth)))
        .collect()
}

/// The lanes, with full caches.
fn lanes<S: Shape>(makers: &[Maker<S>], keys: &[S::Key]) -> Vec<Box<dyn Lane<S>>> {
    let order = Spread::Random(1).order(KEYS, 2 * KEYS);
    let lanes: Vec<_> = makers.iter().map(|maker| (maker.make)(BOUND)).collect();
    for lane in &lanes {
        lane.read(&Requests {
            keys,
            order: &order,
        });
        lane.settle();
    }
    lanes
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn percent(part: u64, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

fn throughput<S: Shape>(
    makers: &[Maker<S>],
    options: &Options,
    report: &Report,
    records: &mut Table,
) -> crate::Outcome {
    let keys = keys::<S>();
    let lanes = lanes(makers, &keys);
    let requests = if options.quick { KEYS } else { 2 * KEYS };
    let mut misses = Vec::new();
    let results: Vec<Vec<Vec<f64>>> = THREADS
        .iter()
        .map(|&threads| {
            let rounds: Vec<Vec<u32>> = (0..options.rounds)
                .map(|round| {
                    let seed = 2 + threads * options.rounds + round;
                    Spread::Random(seed as u64).order(KEYS, requests)
                })
                .collect();
            let mut turns = vec![0; lanes.len()];
            let results = in_turns(options.rounds, lanes.len(), |nth| {
                let stream = Requests::<S> {
                    keys: &keys,
                    order: &rounds[turns[nth]],
                };
                turns[nth] += 1;
                let loads = AtomicU64::new(0);
                let took = together(threads, |thread| {
                    let before = shapes::loads();
                    lanes[nth].read(&stream.share(thread, threads));
                    loads.fetch_add(shapes::loads() - before, Ordering::Relaxed);
                });
                lanes[nth].settle();
                (
                    nanos_each(took, requests),
                    percent(loads.into_inner(), requests),
                )
            });
            misses = results.iter().map(|turns| turns[0].1).collect();
            results
                .iter()
                .map(|turns| turns.iter().map(|turn| turn.0).collect())
                .collect()
        })
        .collect();
    let mut headers = vec!["ns a call, all threads together".to_owned()];
    for threads in THREADS {
        headers.extend([threads_label(threads), "×".into()]);
    }
    headers.push("misses, %".into());
    let mut table = Table::new(headers);
    for (nth, maker) in makers.iter().enumerate() {
        let mut row = vec![maker.name.to_owned()];
        for (threads, results) in THREADS.iter().zip(&results) {
            let nanos = format!("{:.1}", middle(&results[nth]));
            let ratio = format!("{:.2}", round_ratio(&results[nth], &results[0]));
            row.extend([nanos.clone(), ratio.clone()]);
            records.row([
                S::NAME.to_owned(),
                threads.to_string(),
                maker.name.to_owned(),
                nanos,
                ratio,
                format!("{:.1}", misses[nth]),
            ]);
        }
        row.push(format!("{:.1}", misses[nth]));
        table.row(row);
    }
    let title = format!(
        "{}, {} entries, {} keys at random",
        S::NAME,
        grouped(BOUND),
        grouped(KEYS)
    );
    table.print(&title);
    let bars: Vec<Bar> = makers
        .iter()
        .zip(&results[0])
        .map(|(maker, turns)| Bar {
            name: maker.name.to_owned(),
            value: middle(turns),
        })
        .collect();
    let file = report.path(&format!("miss-{}.svg", plot::file_name(S::NAME)));
    plot::bars(&file, &format!("{title}, 1 thread"), "ns a call", &bars)
}

/// Times the hits of a few keys on one thread, while another thread makes the cache evict.
fn hits_while_evicting<S: Shape>(
    lane: &dyn Lane<S>,
    keys: &[S::Key],
    requests: usize,
) -> Histogram {
    let order = Spread::Random(1).order(HOT, requests);
    let hot = Requests::<S> {
        keys: &keys[..HOT],
        order: &order,
    };
    while_evicting(lane, keys, || lane.time_hits(&hot))
}

/// Like [`hits_while_evicting`], with arithmetic in place of the hits. What takes longer at times here is due to the machine.
fn arithmetic_while_evicting<S: Shape>(
    lane: &dyn Lane<S>,
    keys: &[S::Key],
    requests: usize,
) -> Histogram {
    while_evicting(lane, keys, || {
        let mut histogram = Histogram::default();
        for nth in 0..requests as u64 {
            let began = Instant::now();
            black_box((0..STEPS).fold(nth, |sum, step| black_box(sum ^ step)));
            histogram.add(began.elapsed());
        }
        histogram
    })
}

/// What one thread times while another requests all but the hot keys in turn. There are more of these than there is room for.
fn while_evicting<S: Shape>(
    lane: &dyn Lane<S>,
    keys: &[S::Key],
    timed: impl Fn() -> Histogram + Sync,
) -> Histogram {
    let cold_keys = &keys[HOT..];
    let cold_order = Spread::Uniform.order(cold_keys.len(), cold_keys.len());
    let (done, histogram) = (AtomicBool::new(false), Mutex::new(Histogram::default()));
    together(2, |thread| {
        if thread == 0 {
            let timed = timed();
            done.store(true, Ordering::Relaxed);
            if let Ok(mut histogram) = histogram.lock() {
                histogram.merge(&timed);
            }
            return;
        }
        for order in cold_order.chunks(100).cycle() {
            if done.load(Ordering::Relaxed) {
                return;
            }
            lane.read(&Requests {
                keys: cold_keys,
                order,
            });
        }
    });
    histogram
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What reading the clock twice adds to each sample.
fn timer(samples: usize) -> u64 {
    let mut histogram = Histogram::default();
    for _ in 0..samples {
        let began = Instant::now();
        histogram.add(began.elapsed());
    }
    histogram.all_but(0.5)
}

fn latency<S: Shape>(makers: &[Maker<S>], options: &Options, report: &Report) -> crate::Outcome {
    let keys = keys::<S>();
    let lanes = lanes(makers, &keys);
    let requests = if options.quick { 50_000 } else { 200_000 };
    // the arithmetic is the last turn, beside the first lane, which is cacheado's
    let turns = in_turns(options.rounds, lanes.len() + 1, |nth| {
        let Some(lane) = lanes.get(nth) else {
            return arithmetic_while_evicting(&*lanes[0], &keys, requests);
        };
        let histogram = hits_while_evicting(&**lane, &keys, requests);
        lane.settle();
        histogram
    });
    let headers = ["ns a hit", "p50", "p99", "p99.9", "p99.99", "max", "hits"];
    let mut table = Table::new(headers);
    let names = makers.iter().map(|maker| maker.name);
    for (name, turns) in names.chain(["no cache: arithmetic"]).zip(&turns) {
        let mut all = Histogram::default();
        for histogram in turns {
            all.merge(histogram);
        }
        let mut row = vec![name.to_owned()];
        row.extend([0.5, 0.01, 0.001, 0.0001].map(|beyond| all.all_but(beyond).to_string()));
        row.extend([all.max().to_string(), all.total().to_string()]);
        table.row(row);
    }
    table.print(&format!(
        "{}, {} entries: hits while another thread evicts. The timer itself takes {} ns",
        S::NAME,
        grouped(BOUND),
        timer(100_000)
    ));
    report.csv("miss-latency", &table)
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    println!(
        "{} rounds, medians; ×: how many times cacheado's time goes into it",
        options.rounds
    );
    peers::print_left_out();
    let mut records = Table::new(["shape", "threads", "contender", "ns", "ratio", "misses"]);
    throughput(
        &peers::bounded::<TenantText>(),
        options,
        report,
        &mut records,
    )?;
    throughput(&peers::bounded::<Numbers>(), options, report, &mut records)?;
    report.csv("miss", &records)?;
    latency(&peers::bounded::<TenantText>(), options, report)
}
