//! Months of a service's life in seconds. Tenants, threads, futures and caches come by the hundred and never return, bodies fail and
//! panic, the store fails in every way, and time advances by hours and months. No call returns a wrong value, and memory use levels
//! off.

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

/// How much more memory may be held after many rounds than after a few. It allows for tables that by chance held more at once than
/// before, and for what the tests' store knows of each cache that ever used it, which is a quarter of it. A leak of a hundred bytes
/// per call would be nine times as much; a leak of each thread's counters, or of what each cache allocates, more than ten times.
const SLACK: i64 = 512 << 10;

/// Waits for something that happens in the background.
#[track_caller]
fn comes(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}: it never came");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The number of threads and open files, where the system reports it.
fn threads_and_files() -> (usize, usize) {
    let count = |of: &str| std::fs::read_dir(format!("/proc/self/{of}")).map_or(0, Iterator::count);
    (count("task"), count("fd"))
}

/// An idle service that has had its peak load.
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
    // besides the threads of background bodies: a few that the caches share, and those that send unsent evictions
    let most = service.fleet.caches.len() * BACKGROUND + 30;
    comes("few threads", || threads_and_files().0 <= most);
    assert!(threads_and_files().1 <= files + 2, "open files");
}

#[test]
fn a_service_levels_off_and_answers_right_for_months() {
    within(Duration::from_secs(120), || {
        let mut random = Random::new(seed("endurance"));
        // so what a dropped cache leaves for the next one exists already
        drop(after_a_rush(Random::new(random.number())));
        let before = live_bytes();
        months(random);
        comes("the end of all that was held", || {
            live_bytes() - before <= SLACK
        });
    });
}
