//! One process changes the source and invalidates while two others load: two hundred rounds on each server.

use std::time::Duration;

use cacheado_tests::servers::{self, wait_until};

use crate::accounts::{INVALIDATIONS, WAYS, is_clear, is_of_organization, slot};
use crate::process::{Answer, Directory, Process, Settings, Store};
use cacheado_tests::random::{Random, seed};

const ROUNDS: u64 = 200;
/// Reports of changes take milliseconds, longer on a busy server; the longest time is printed.
const COHERENCE: Duration = Duration::from_secs(5);
/// What a busy machine may add between a lookup and the copy made of its result.
const MARGIN: Duration = Duration::from_millis(250);

#[test]
fn on_redis() {
    let server = servers::Redis::start();
    rounds(Store::Redis, &server.url(), COHERENCE, COHERENCE);
}

#[test]
fn on_mongodb() {
    let server = servers::Mongo::start();
    rounds(Store::MongoDb, &server.url(), COHERENCE, COHERENCE);
}

#[test]
fn on_memcached() {
    let server = servers::Memcached::start();
    // no changes are reported: copies live this long
    let coherence = Duration::from_millis(40);
    rounds(
        Store::Memcached,
        &server.url(),
        coherence,
        coherence + MARGIN,
    );
}

fn rounds(store: Store, url: &str, coherence: Duration, bound: Duration) {
    let test = format!("invalidations on {store:?}");
    let seed = seed(&test);
    let mut random = Random::new(seed);
    let directory = Directory::new(&format!("{store:?}"));
    let settings = Settings {
        coherence,
        slowness: Duration::from_micros(600),
        ..Settings::new(store, url, &directory)
    };
    let mut processes: Vec<Process> = (0..3).map(|_| Process::start(&settings)).collect();
    // sees only the shared tier
    let observer = settings.accounts(false);
    // other organizations, with the same user id as the changed user and with another
    let strangers: Vec<u32> = (1..4)
        .flat_map(|org| [slot(org, 1), slot(org, 10)])
        .collect();
    let neighbour = slot(0, 10);
    let list = |slots: &[u32]| {
        let slots: Vec<String> = slots.iter().map(u32::to_string).collect();
        format!("others {}", slots.join(" "))
    };
    let everybody = list(&[&strangers[..], &[neighbour]].concat());
    for process in &mut processes {
        process.ask(&*everybody);
    }
    let mut longest = Duration::ZERO;
    for round in 0..ROUNDS {
        let slot = slot(0, 1 + random.below(3) as u32);
        let invalidation = random.below(INVALIDATIONS);
        let changer = random.below(3) as usize;
        let what = format!("{test}, seed {seed}, round {round}, invalidation {invalidation}");
        let mut changed = None;
        let mut reads = Vec::new();
        for (nth, process) in processes.iter_mut().enumerate() {
            let seed = random.number();
            if nth == changer {
                changed = Some(process.tell(format!("change {slot} {invalidation} {seed}")));
            } else {
                reads.push(process.tell(format!("read {slot} 10 {seed}")));
            }
        }
        assert_eq!(changed.map(Answer::numbers), Some(vec![1]), "{what}");
        let newest = observer.truth.version(slot);
        for way in 0..WAYS {
            let stored = observer.stored(slot, way).expect("the server is well");
            assert!(
                stored.is_none_or(|version| version == newest),
                "{what}: the server has {stored:?}, not {newest}"
            );
        }
        for read in reads {
            let stale = Duration::from_nanos(read.numbers()[0]);
            assert!(stale <= bound, "{what}: served after {stale:?}");
            longest = longest.max(stale);
        }
        for process in &mut processes {
            let stale = Duration::from_nanos(process.ask(format!("settle {slot}"))[0]);
            assert!(stale <= bound, "{what}: served after {stale:?}");
            longest = longest.max(stale);
        }
        let stayed = if is_clear(invalidation) {
            String::new()
        } else if is_of_organization(invalidation) {
            list(&strangers)
        } else {
            everybody.clone()
        };
        for process in &mut processes {
            if !stayed.is_empty() {
                assert_eq!(process.ask(&*stayed), [0], "{what}: another tenant's went");
            }
            // what was rightly evicted is loaded again for the next round
            process.ask(&*everybody);
            process.assert_well();
        }
    }
    for slot in (1..=3).map(|user| slot(0, user)) {
        let newest = observer.truth.version(slot);
        for process in &mut processes {
            process.ask(format!("settle {slot}"));
        }
        let clean = wait_until(bound, || {
            (0..WAYS).all(|way| {
                let stored = observer.stored(slot, way).expect("the server is well");
                stored.is_none_or(|version| version == newest)
            })
        });
        assert!(clean, "the server has kept an old value of slot {slot}");
    }
    println!("{test}: longest staleness {longest:?}");
}
