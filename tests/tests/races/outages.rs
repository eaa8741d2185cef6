//! Servers that are killed with SIGKILL and restarted while two processes make calls without a pause.

use std::time::{Duration, Instant};

use cacheado_tests::servers::{self, Server, wait_until};

use crate::accounts::{WAYS, slot};
use crate::process::{Directory, Process, Settings, Store};
use crate::storm::USERS;
use cacheado_tests::random::seed;

/// The time limit of an operation, set to its default.
const TIMEOUT: Duration = Duration::from_millis(200);
const COHERENCE: Duration = Duration::from_millis(800);
/// By then a process notices that it receives no reports, and drops all copies.
const NOTICED: Duration = Duration::from_millis(1_500);
/// What a busy machine may add.
const MARGIN: Duration = Duration::from_millis(500);
/// A read calls the server three times at most: for the value, to store it, and to take it back. A caller that waited for a load that
/// was overtaken loads once more.
const READ: Duration = Duration::from_millis(2 * 3 * 200 + 500);
/// A change is three puts, each of which may be taken back.
const CHANGE: Duration = Duration::from_millis(3 * 2 * 200 + 500);
/// Unsent evictions are retried each second; a copy made before then lives for [`COHERENCE`].
const CONVERGED: Duration = Duration::from_millis(1_000 + 200 + 800 + 2_000);

#[test]
fn of_redis() {
    let server = servers::Redis::start();
    killed(Store::Redis, "memory", &server, &server.url());
}

#[test]
fn of_redis_with_a_log() {
    let server = servers::Redis::start_durable();
    killed(Store::Redis, "log", &server, &server.url());
}

#[test]
fn of_mongodb() {
    let server = servers::Mongo::start();
    killed(Store::MongoDb, "journal", &server, &server.url());
}

#[test]
fn of_memcached() {
    let server = servers::Memcached::start();
    killed(Store::Memcached, "memory", &server, &server.url());
}

/// Waits until both processes use the server.
fn uses(processes: &mut [Process]) {
    for (process, user) in processes.iter_mut().zip([1, 4]) {
        let change = format!("change {} 6 1", slot(0, user));
        let told = wait_until(CONVERGED, || process.ask(&*change) == [1]);
        assert!(told, "a process does not use the server");
    }
}

/// Waits until the server has accepted more changes from both processes.
fn goes_on(processes: &mut [Process]) {
    for process in processes {
        let before = process.ask("told")[0];
        let enough = wait_until(Duration::from_secs(30), || {
            process.ask("told")[0] >= before + 40
        });
        assert!(enough, "the server is not told of changes any more");
    }
}

fn killed(store: Store, kept: &str, server: &Server, url: &str) {
    let test = format!("kill of {store:?} with {kept}");
    let seed = seed(&test);
    let directory = Directory::new(&format!("kill-{store:?}-{kept}"));
    let settings = Settings {
        store,
        url: url.to_owned(),
        directory: directory.path().to_owned(),
        timeout: TIMEOUT,
        coherence: COHERENCE,
        flight_timeout: Duration::from_secs(5),
        slowness: Duration::from_millis(1),
    };
    let mut processes: Vec<Process> = (0..2).map(|_| Process::start(&settings)).collect();
    let observer = settings.accounts(false);
    uses(&mut processes);
    processes[0].ask(format!("storm 1 2 3 {seed}"));
    processes[1].ask(format!("storm 4 5 6 {}", seed + 100));
    goes_on(&mut processes);
    // first a quick restart, as by a supervisor, and then a longer outage
    server.kill();
    server.restart();
    goes_on(&mut processes);
    server.kill();
    let versions = || -> Vec<u64> {
        let slots = (1..=USERS).map(|user| slot(0, user));
        slots.map(|slot| observer.truth.version(slot)).collect()
    };
    let before = versions();
    let enough = wait_until(Duration::from_secs(30), || {
        let mut grown = versions().into_iter().zip(&before);
        grown.all(|(version, before)| version > before + 2)
    });
    assert!(enough, "{test}: nothing goes on without the server");
    let untold: u64 = processes
        .iter_mut()
        .map(|process| process.ask("calm")[0])
        .sum();
    // each slot was changed, and the server received none of these changes
    assert_eq!(untold, u64::from(USERS), "{test}");
    server.restart();
    let back = Instant::now();
    let settle = |processes: &mut [Process]| {
        let settle = |process: &mut Process, slot| process.ask(format!("settle {slot}"))[0];
        let settled = (1..=USERS).map(|user| slot(0, user));
        let settled =
            settled.filter_map(|slot| processes.iter_mut().map(|it| settle(it, slot)).max());
        Duration::from_nanos(settled.max().expect("some"))
    };
    settle(&mut processes);
    let converged = back.elapsed();
    assert!(converged < CONVERGED, "{test}: it took {converged:?}");
    let kept = |slot| {
        let newest = observer.truth.version(slot);
        let stored = |way| observer.stored(slot, way);
        (0..WAYS).all(|way| stored(way).is_ok_and(|it| it.is_none_or(|it| it == newest)))
    };
    for slot in (1..=USERS).map(|user| slot(0, user)) {
        let clean = wait_until(CONVERGED, || kept(slot));
        assert!(clean, "{test}: the server has an old value of slot {slot}");
    }
    // both processes use the server again, and changes are reported
    uses(&mut processes);
    let after = settle(&mut processes);
    let bound = match store {
        Store::Memcached => COHERENCE,
        Store::Redis | Store::MongoDb => NOTICED.max(COHERENCE),
    };
    for (nth, process) in processes.iter_mut().enumerate() {
        let numbers = process.ask("end");
        process.assert_well();
        let [stale, read, change] = [0, 1, 2].map(|nth| Duration::from_nanos(numbers[nth]));
        let [reads, changes, failed] = [numbers[3], numbers[4], numbers[5]];
        let errors = process.ask("errors")[0];
        println!(
            "{test}, process {nth}: {reads} reads, {changes} changes, {failed} of them untold, {errors} errors; longest staleness \
             {stale:?}, read {read:?}, change {change:?}; converged in {converged:?}"
        );
        assert!(stale <= bound + MARGIN, "{test}: served after {stale:?}");
        assert!(read <= READ, "{test}: a read took {read:?}");
        assert!(change <= CHANGE, "{test}: a change took {change:?}");
        assert!(errors > 0 && failed > 0, "{test}: {errors}, {failed}");
    }
    assert!(after <= bound + MARGIN, "{test}: served after {after:?}");
}
