//! The cost of a hit with the options by which a value ages, beside the same function without them: of a value that is good and, with
//! `stale`, of one that is past its lifetime and can't be refreshed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache};

use crate::measure::{in_turns, middle, round_ratio};
use crate::options::Options;
use crate::report::{Report, Table};

const KEYS: u64 = 1000;
/// How much more a hit of a good value may cost.
const BOUND: f64 = 1.10;

macro_rules! functions {
    ($($name:ident: [$($option:tt)*];)*) => {
        $(
            #[cache(ttl = 3600 $($option)*, cache = cache, skip(cache))]
            fn $name(cache: &Cache, org_id: &str, item: u64) -> u64 {
                let _ = (cache, org_id);
                item
            }
        )*
        const FUNCTIONS: &[(&str, fn(&Cache, &str, u64) -> u64)] = &[$((stringify!($name), $name)),*];
    };
}

functions! {
    plain: [];
    jitter: [, jitter = 0.1];
    stale: [, stale = 3600];
    refresh_after: [, refresh_after = 0.9];
    xfetch: [, xfetch = 1.0];
    timeout: [, stale = 3600, timeout = 1];
    idle: [, idle = 1800];
    all: [, stale = 3600, refresh_after = 0.9, timeout = 1, jitter = 0.1];
}

/// Nanoseconds per hit.
fn hits(cache: &Cache, function: fn(&Cache, &str, u64) -> u64, loops: u64) -> f64 {
    let began = Instant::now();
    for _ in 0..loops {
        for key in 0..KEYS {
            black_box(function(cache, black_box("acme"), black_box(key)));
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let hits = (loops * KEYS) as f64;
    began.elapsed().as_secs_f64() * 1e9 / hits
}

fn filled(cache: Cache) -> Cache {
    for (_, function) in FUNCTIONS {
        hits(&cache, *function, 1);
    }
    cache
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    let config = |error: cacheado::Error| error.to_string();
    let loops = if options.quick { 20 } else { 1000 };
    let good = filled(Cache::builder().build().map_err(config)?);
    let clock = ManualClock::new();
    let old = Cache::builder()
        .clock(clock.clone())
        .build()
        .map_err(config)?;
    let old = filled(old);
    old.shutdown();
    let turns = in_turns(options.rounds, FUNCTIONS.len(), |nth| {
        hits(&good, FUNCTIONS[nth].1, loops)
    });
    let mut table = Table::new(["function", "ns a hit", "x plain"]);
    let mut above = Vec::new();
    for ((name, _), turns_of) in FUNCTIONS.iter().zip(&turns) {
        let ratio = round_ratio(turns_of, &turns[0]);
        if ratio > BOUND {
            above.push(format!("{name} {ratio:.2}"));
        }
        table.row([
            (*name).to_owned(),
            format!("{:.1}", middle(turns_of)),
            format!("{ratio:.2}"),
        ]);
    }
    clock.advance(Duration::from_secs(5400));
    let stale = in_turns(options.rounds, 1, |_| hits(&old, stale, loops));
    table.row([
        "stale, past its lifetime".to_owned(),
        format!("{:.1}", middle(&stale[0])),
        format!("{:.2}", middle(&stale[0]) / middle(&turns[0])),
    ]);
    table.print("hits of 1,000 entries, one thread");
    report.csv("aging", &table)?;
    if above.is_empty() {
        return Ok(());
    }
    Err(format!("above {BOUND}: {}", above.join(", ")))
}
