//! The output of the program: plain text, with the two phases side by side.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use cacheado::{Counts, Stats};
use indicatif::{HumanCount, HumanFloatCount};

use crate::args::Args;
use crate::database::model::Visitor;
use crate::database::{Db, Result, rows};
use crate::eviction::Eviction;
use crate::shared::{Counted, SharedTier};
use crate::single::Single;
use crate::verify::Verdict;
use crate::workload::{Outcome, Question};

/// One run of the workload, and the statistics of its cache.
pub(crate) struct Phase {
    pub(crate) outcome: Outcome,
    pub(crate) stats: Stats,
}

impl Phase {
    fn requests(&self) -> u64 {
        self.outcome.measured.requests()
    }

    fn requests_per_second(&self) -> u64 {
        let milliseconds = self.outcome.took.as_millis().max(1);
        u64::try_from(u128::from(self.requests()) * 1000 / milliseconds).unwrap_or(u64::MAX)
    }
}

/// Prints what is served.
pub(crate) fn database(db: &Db, path: &Path, filled_in: Option<Duration>) -> Result<()> {
    let [organizations, users, orders] = db.read(rows::counts)?.map(|rows| count(rows.into()));
    let origin = filled_in.map_or("as found".to_owned(), |took| {
        format!("filled in {:.1} s", took.as_secs_f64())
    });
    println!("database   {}", path.display());
    println!("           {organizations} organizations, {users} users, {orders} orders ({origin})");
    Ok(())
}

/// Prints the workload.
pub(crate) fn workload(args: &Args) {
    let Args {
        clients, seconds, ..
    } = args;
    let requests = HumanCount(args.requests);
    println!(
        "workload   {clients} clients over HTTP, each phase {requests} requests or {seconds} s, whichever ends first"
    );
    println!(
        "           about 1 request in 20 writes; the 10th busiest organization comes a 10th as often as the busiest"
    );
    println!(
        "           clients and service share this machine's processors: compare the columns, not the numbers"
    );
}

/// Prints what the shared tier has done.
pub(crate) fn shared_tier(tier: &SharedTier, stats: &Stats) {
    if !tier.is_some() {
        return;
    }
    println!();
    println!(
        "shared     {}: {} operations failed",
        stats.storage_type,
        count(stats.backend_errors)
    );
    if tier.counted() == Counted::Nothing {
        println!(
            "           it can't count what an eviction takes, so it adds nothing to the number above"
        );
    }
}

/// Prints the two phases side by side.
pub(crate) fn comparison(off: &Phase, on: &Phase) {
    println!();
    row("", "cache off", "cache on", "");
    row(
        "requests",
        &count(off.requests()),
        &count(on.requests()),
        "",
    );
    let (slow, fast) = (off.requests_per_second(), on.requests_per_second());
    row("requests/s", &count(slow), &count(fast), &more(fast, slow));
    for (name, share) in [("p50", 0.50), ("p99", 0.99)] {
        let (slow, fast) = (
            off.outcome.measured.quantile(share),
            on.outcome.measured.quantile(share),
        );
        row(
            name,
            &format!("{} ms", ms(slow)),
            &format!("{} ms", ms(fast)),
            &less(slow, fast),
        );
    }

    println!();
    row("p50 / p99 in ms", "cache off", "cache on", "p50");
    for question in Question::ALL {
        let times = |phase: &Phase| {
            let measured = &phase.outcome.measured;
            Some((
                measured.quantile_of(question, 0.50)?,
                measured.quantile_of(question, 0.99)?,
            ))
        };
        // in a very short run a rare question may never come up
        if let (Some(slow), Some(fast)) = (times(off), times(on)) {
            let both = |(p50, p99)| format!("{} / {}", ms(p50), ms(p99));
            row(
                question.name(),
                &both(slow),
                &both(fast),
                &less(slow.0, fast.0),
            );
        }
    }

    println!();
    functions(&off.stats, &on.stats);
}

/// Prints the hit rate of each cached function.
fn functions(off: &Stats, on: &Stats) {
    row("hit rate of", "cache off", "cache on", "look-ups");
    for (name, counted) in &on.by_function {
        let without = percent(off.by_function.get(name).map_or(0.0, Counts::hit_rate));
        let name = name.rsplit("::").next().unwrap_or(name);
        row(
            name,
            &without,
            &percent(counted.hit_rate()),
            &count(counted.hits + counted.misses),
        );
    }
    row(
        "all",
        &percent(off.hit_rate()),
        &percent(on.hit_rate()),
        &count(on.hits + on.misses),
    );
}

/// Prints the time of one call of each function.
pub(crate) fn single(singles: &[Single]) {
    println!();
    row("one call of", "from SQLite", "from the cache", "");
    for Single {
        function,
        from_database,
        from_cache,
    } in singles
    {
        row(
            function,
            &us(*from_database),
            &us(*from_cache),
            &less(*from_database, *from_cache),
        );
    }
}

/// Prints the result of checking the answers.
pub(crate) fn verdict(verdict: &Verdict, on: &Outcome) {
    let (compared, checked) = (count(verdict.compared), count(on.checked));
    let (wrong, stale) = (
        count(verdict.wrong.len() as u64),
        count(on.stale.len() as u64),
    );
    println!();
    println!("checked    {compared} cached answers against SQLite: {wrong} differ");
    println!("           {checked} answers that had to show a write just made: {stale} did not");
}

/// Prints the effect of evicting one organization.
pub(crate) fn eviction(org_id: &str, eviction: &Eviction) {
    let Eviction {
        before,
        evicted,
        after,
    } = eviction;
    println!();
    println!(
        "evicted    all of {org_id}: {} entries went",
        count(*evicted)
    );
    row("entries", "before", "after", "");
    row(
        &format!("of {org_id}"),
        &count(before.of_it as u64),
        &count(after.of_it as u64),
        "",
    );
    row(
        "of all others",
        &count(before.of_others as u64),
        &count(after.of_others as u64),
        "",
    );
}

/// Prints how to visit a service that keeps running.
pub(crate) fn serving(address: SocketAddr, visitor: &Visitor) {
    let Visitor {
        org_id,
        user_id,
        session_id,
        ..
    } = visitor;
    let here = format!("http://{address}/organizations");
    println!("serving    {here} until Ctrl-C");
    println!(
        "try        curl -H 'Authorization: Bearer {session_id}' {here}/{org_id}/users/{user_id}/home"
    );
}

fn row(name: &str, off: &str, on: &str, gain: &str) {
    println!(
        "{}",
        format!("{name:<18}{off:>20}{on:>20}{gain:>12}").trim_end()
    );
}

fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

fn ms(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    // such a measurement is not more precise than three digits
    match milliseconds {
        0.0..10.0 => format!("{milliseconds:.2}"),
        10.0..100.0 => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.0}"),
    }
}

fn us(time: Duration) -> String {
    let microseconds = time.as_secs_f64() * 1e6;
    if microseconds < 100.0 {
        format!("{microseconds:.2} µs")
    } else {
        format!("{} µs", HumanFloatCount(microseconds.round()))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// How many times shorter the time is.
fn less(slow: Duration, fast: Duration) -> String {
    let times = slow.as_secs_f64() / fast.as_secs_f64();
    if times < 100.0 {
        format!("{times:.1} x")
    } else {
        format!("{} x", HumanFloatCount(times.round()))
    }
}

/// How many times larger the number is.
#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn more(fast: u64, slow: u64) -> String {
    format!("{:.1} x", fast as f64 / slow as f64)
}
