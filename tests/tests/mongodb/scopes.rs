//! Scopes too large to evict in one piece.

use std::thread;
use std::time::{Duration, Instant};

use cacheado_backends::backend::{Backend, Lookup, Payload, Refused};
use cacheado_backends::{Key, Scope};
use mongodb::bson::doc;

use super::server::{RUNTIME, documents};
use super::{backend, forever, fresh, key_in, missed, organization, payload, user, value};

const MANY: usize = 50_000;

fn fill(backend: &impl Backend, scope: &Scope) {
    let entries: Vec<(Key, Payload)> = (0..MANY)
        .map(|nth| (key_in(scope, &nth.to_string()), forever("1")))
        .collect();
    for entries in entries.chunks(1000) {
        backend.set_many(entries).unwrap();
    }
}

#[test]
fn a_large_one_goes_whole_and_is_counted_however_short_the_time_for_a_round_trip() {
    let database = fresh();
    let patient = backend(&database);
    let (scope, beside) = (user("acme", "7"), user("acme", "70"));
    fill(&patient, &scope);
    // loads under way and expired values whose names lie between the entries, and so in the same parts
    let names: Vec<Key> = (0..MANY)
        .step_by(5000)
        .map(|nth| key_in(&scope, &format!("{nth} too")))
        .collect();
    let marks: Vec<_> = names.iter().map(|name| missed(&patient, name)).collect();
    let over = payload("over", Some(Duration::ZERO));
    patient.set(&key_in(&scope, "over"), &over).unwrap();
    patient.set(&key_in(&beside, "1"), &forever("1")).unwrap();

    // a fraction of the time that the whole eviction takes
    let evicting = backend(&database).timeout(Duration::from_millis(500));
    assert_eq!(evicting.evict_by_scope(&scope).unwrap(), MANY as u64);
    for (name, mark) in names.iter().zip(&marks) {
        assert!(
            !patient.fill(name, &forever("old"), mark).unwrap(),
            "{name}"
        );
    }
    assert_eq!(patient.evict_by_scope(&scope).unwrap(), 0);
    assert_eq!(value(&patient, &key_in(&beside, "1")).unwrap(), "1");
}

#[test]
fn one_that_takes_longer_than_it_may_is_an_outage_in_time_and_the_next_attempt_goes_on() {
    let limit = Duration::from_millis(20);
    let database = fresh();
    let patient = backend(&database);
    fill(&patient, &organization("acme"));
    let documents = documents(&database);
    let left = || RUNTIME.block_on(documents.count_documents(doc! {}).into_future());
    let hasty = backend(&database).timeout(limit);
    let deadline = Instant::now() + Duration::from_secs(180);
    let mut attempts = 0;
    loop {
        let started = Instant::now();
        let evicted = hasty.evict_by_scope(&organization("acme"));
        let took = started.elapsed();
        let Err(error) = evicted else {
            break;
        };
        assert!(took < limit * 25 + Duration::from_millis(500), "{took:?}");
        assert!(!error.is::<Refused>(), "{error}");
        assert!(Instant::now() < deadline, "{:?} are left", left());
        attempts += 1;
    }
    assert!(attempts > 0, "it was fast enough");
    assert_eq!(left().unwrap(), 0);
}

#[test]
fn what_a_load_makes_of_what_is_about_to_go_goes_as_well() {
    let database = fresh();
    let (evicting, loading) = (backend(&database), backend(&database));
    let whole = key_in(&organization("acme"), "whole");
    let parts: Vec<(Key, Payload)> = (0..4000)
        .map(|nth| (key_in(&user("acme", "7"), &nth.to_string()), forever("old")))
        .collect();
    // the last entry to be evicted
    let part = key_in(&user("acme", "8"), "1");
    let mut made = false;
    // on a busy machine the loading thread may get no turn
    for _ in 0..20 {
        for parts in parts.chunks(1000) {
            evicting.set_many(parts).unwrap();
        }
        evicting.set(&part, &forever("old")).unwrap();
        evicting.set(&whole, &forever("old")).unwrap();
        thread::scope(|scope| {
            let load = scope.spawn(|| {
                let mut made = false;
                loop {
                    let looked = loading.get(&whole).unwrap();
                    if value(&loading, &part).is_none() {
                        return made;
                    }
                    if let Lookup::Miss(mark) = looked {
                        made |= loading.fill(&whole, &forever("old"), &mark).unwrap();
                    }
                }
            });
            evicting.evict_by_scope(&organization("acme")).unwrap();
            made |= load.join().unwrap();
        });
        assert_eq!(value(&evicting, &whole), None);
        if made {
            return;
        }
    }
    panic!("no load came upon an eviction");
}
