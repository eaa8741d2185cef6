//! Months of a service's life, in seconds: tenants, threads, futures and caches come by the hundred and never return, bodies fail and panic,
//! a store does its worst, and time goes by in hours and months. Nothing wrong is answered meanwhile, and what is held levels off.

mod allocator;
mod calls;
mod fleet;
mod functions;
mod service;
mod truth;

use std::thread;
use std::time::{Duration, Instant};

use cacheado::scopes;
use cacheado_tests::random::{Random, seed};
use cacheado_tests::within;

use allocator::live_bytes;
use fleet::BACKGROUND;
use service::Service;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

/// How much more may be held after many rounds than after a few: room of tables that by chance have had more in them at once than before,
/// and what the store of these tests knows of each cache that was ever before it. That is a quarter of it. A hundred bytes left behind by
/// each call would be nine times as much, and what each thread counts in, or each cache has made, more than ten times.
const SLACK: i64 = 512 << 10;

/// Waits for what comes about in the background.
#[track_caller]
fn comes(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}: it never came");
        thread::sleep(Duration::from_millis(1));
    }
}

/// How many threads and open files there are, where that can be told.
fn threads_and_files() -> (usize, usize) {
    let count = |of: &str| std::fs::read_dir(format!("/proc/self/{of}")).map_or(0, Iterator::count);
    (count("task"), count("fd"))
}

/// A service that has been as busy as it ever is, and is idle.
fn after_a_rush(random: Random) -> Service {
    let mut service = Service::new(random);
    service.rush();
    service.rounds(3);
    service.settle();
    service
}

fn months(random: Random) {
    let mut service = after_a_rush(random);
    let begin = live_bytes();
    let (_, files) = threads_and_files();
    service.rounds(40);
    let more = service.settle() - begin;
    assert!(more <= SLACK, "{more} bytes more");
    // beside those of bodies in the background a few that the caches share, and those that send what was not sent
    let most = service.fleet.caches.len() * BACKGROUND + 30;
    comes("few threads", || threads_and_files().0 <= most);
    assert!(threads_and_files().1 <= files + 2, "open files");
}

#[test]
fn a_service_levels_off_and_answers_right_for_months() {
    within(Duration::from_secs(120), || {
        let mut random = Random::new(seed("endurance"));
        // what is kept for the next cache when one goes is there already
        drop(after_a_rush(Random::new(random.number())));
        let before = live_bytes();
        months(random);
        comes("the end of all that was held", || {
            live_bytes() - before <= SLACK
        });
    });
}
