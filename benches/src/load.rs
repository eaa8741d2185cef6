//! The cost of a load: how often it runs when several callers ask for one key at once, and what a miss and a store cost in a cache
//! that has room.

use crate::contender::{Maker, Requests};
use crate::measure::{grouped, in_turns, middle, nanos_each, round_ratio, together};
use crate::options::Options;
use crate::peers;
use crate::report::{Report, Table};
use crate::shapes::{Numbers, Shape, Slow, TenantText};
use crate::stream::shuffled;

const CALLERS: [usize; 2] = [2, 8];

/// Several callers ask at once for a key that is not there.
fn together_for_one(options: &Options, report: &Report) -> crate::Outcome {
    let makers = peers::loaders::<Slow>();
    let lanes: Vec<_> = makers.iter().map(|maker| (maker.make)(10_000)).collect();
    let keys: Vec<u64> = (0..1000).collect();
    let mut headers = vec!["loads, and ms until all have it".to_owned()];
    headers.extend(
        CALLERS
            .iter()
            .flat_map(|callers| [format!("{callers} callers"), "ms".to_owned()]),
    );
    let mut table = Table::new(headers);
    let mut used = 0;
    let mut results = Vec::new();
    for callers in CALLERS {
        let mut turns = vec![0; lanes.len()];
        results.push(in_turns(options.rounds, lanes.len(), |nth| {
            let key = [used + turns[nth]];
            turns[nth] += 1;
            let before = Slow::loads();
            let took = together(callers, |_| {
                lanes[nth].read(&Requests {
                    keys: &keys,
                    order: &key,
                });
            });
            (Slow::loads() - before, took)
        }));
        used += turns[0];
    }
    for (nth, maker) in makers.iter().enumerate() {
        let mut row = vec![maker.name.to_owned()];
        for results in &results {
            let most = results[nth].iter().map(|turn| turn.0).max().unwrap_or(0);
            let took: Vec<f64> = results[nth]
                .iter()
                .map(|turn| turn.1.as_secs_f64() * 1e3)
                .collect();
            row.extend([most.to_string(), format!("{:.1}", middle(&took))]);
        }
        table.row(row);
    }
    table.print(&format!(
        "{}: the most loads of one key over the rounds",
        Slow::NAME
    ));
    report.csv("load-flight", &table)
}

/// Requests keys that were never requested before, in caches that keep them all.
fn cold<S: Shape>(makers: &[Maker<S>], each: usize, options: &Options, records: &mut Table) {
    let lanes: Vec<_> = makers
        .iter()
        .map(|maker| (maker.make)(2 * each * options.rounds))
        .collect();
    let order = shuffled(each, 6);
    let rounds: Vec<Vec<S::Key>> = (0..options.rounds)
        .map(|round| {
            (0..each)
                .map(|nth| S::key((round * each + nth) as u64))
                .collect()
        })
        .collect();
    let mut turns = vec![0; lanes.len()];
    let results = in_turns(options.rounds, lanes.len(), |nth| {
        let keys = &rounds[turns[nth]];
        turns[nth] += 1;
        let took = together(1, |_| {
            lanes[nth].read(&Requests {
                keys,
                order: &order,
            });
        });
        lanes[nth].settle();
        nanos_each(took, each)
    });
    let mut table = Table::new(["ns a call", "1 thread", "×"]);
    for (maker, turns) in makers.iter().zip(&results) {
        let cells = [
            maker.name.to_owned(),
            format!("{:.1}", middle(turns)),
            format!("{:.2}", round_ratio(turns, &results[0])),
        ];
        records.row(std::iter::once(S::NAME.to_owned()).chain(cells.clone()));
        table.row(cells);
    }
    table.print(&format!(
        "{}, {} keys a round that are not there: look up, load, store",
        S::NAME,
        grouped(each)
    ));
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    println!(
        "{} rounds, medians; ×: how many times cacheado's time goes into it",
        options.rounds
    );
    together_for_one(options, report)?;
    let mut records = Table::new(["shape", "contender", "ns", "ratio"]);
    let each = if options.quick { 20_000 } else { 100_000 };
    let all = each * options.rounds;
    peers::print_left_out();
    cold(
        &peers::unbounded::<TenantText>(all),
        each,
        options,
        &mut records,
    );
    cold(
        &peers::unbounded::<Numbers>(all),
        each,
        options,
        &mut records,
    );
    report.csv("load-cold", &records)
}
