//! Loads that were overtaken are not stored, and of several loads one holds the lease.

use std::thread::sleep;
use std::time::Duration;

use cacheado_backends::Key;
use cacheado_backends::backend::{Lookup, Mark};
use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, key_in, patient, scope, text, text_for};

/// The load limit of a process with quick loads.
const LIMIT: Duration = Duration::from_millis(30);

/// More hits in a row than it takes for the next lookup to be expected to hit.
const MANY: usize = 20;

/// Looks up an existing entry this many `times`.
fn find(store: &Asked, times: usize) {
    if times > 0 {
        store.set(&key("there"), &text("v")).unwrap();
    }
    for _ in 0..times {
        assert_eq!(store.found(&key("there")).as_deref(), Some("v"));
    }
}

#[test]
fn a_load_is_stored_unless_something_came_between() {
    type Between = fn(&Asked);
    let overtaking: [Between; 8] = [
        |store| {
            store.evict(&key("x")).unwrap();
        },
        |store| store.set(&key("x"), &text("newer")).unwrap(),
        |store| {
            store.evict_by_scope(&scope(&["acme", "7"])).unwrap();
        },
        |store| {
            store.evict_by_scope(&scope(&["acme"])).unwrap();
        },
        |store| {
            store.evict_by_scope(&scope(&[])).unwrap();
        },
        |store| store.clear().unwrap(),
        |store| {
            let mark = store.mark(&key("x")).unwrap();
            assert!(store.put(&key("x"), &text("newer"), &mark).unwrap());
        },
        |store| store.set(&key("x"), &text_for("", Duration::ZERO)).unwrap(),
    ];
    let harmless: [Between; 4] = [
        |_| (),
        |store| {
            store.evict(&key("y")).unwrap();
        },
        |store| {
            store.evict_by_scope(&scope(&["acme", "70"])).unwrap();
        },
        |store| store.set(&key_in(&["acme"], "x"), &text("other")).unwrap(),
    ];
    let server = servers::Redis::start();
    // another process, which makes the changes in between
    let other = Asked::new(patient(&server.url()), BOTH[0]);
    // a store whose recent lookups missed, and one whose lookups hit
    for (way, hits) in BOTH.into_iter().flat_map(|way| [(way, 0), (way, MANY)]) {
        let store = Asked::new(patient(&server.url()), way);
        let clear = || {
            other.clear().unwrap();
            find(&store, hits);
        };
        for (nth, between) in overtaking.iter().enumerate() {
            clear();
            let mark = store.missed(&key("x"));
            between(&other);
            let meanwhile = store.found(&key("x"));
            assert!(
                !store.fill(&key("x"), &text("old"), &mark).unwrap(),
                "{nth}"
            );
            assert_eq!(store.found(&key("x")), meanwhile, "{nth}");
            clear();
            let mark = store.missed(&key("x"));
            between(&other);
            assert!(!store.put(&key("x"), &text("old"), &mark).unwrap(), "{nth}");
            assert_eq!(store.found(&key("x")), None, "{nth}");
        }
        for (nth, between) in harmless.iter().enumerate() {
            clear();
            let mark = store.missed(&key("x"));
            between(&other);
            assert!(store.fill(&key("x"), &text("v"), &mark).unwrap(), "{nth}");
            assert_eq!(store.found(&key("x")).as_deref(), Some("v"), "{nth}");
            let mark = store.mark(&key("x")).unwrap();
            between(&other);
            assert!(store.put(&key("x"), &text("w"), &mark).unwrap(), "{nth}");
            assert_eq!(store.found(&key("x")).as_deref(), Some("w"), "{nth}");
        }
    }
}

/// A load is known by the mark of the root: without that mark, no load has begun that could still be stored.
#[test]
fn where_no_load_has_begun_nothing_is_left_to_tell_it() {
    let server = servers::Redis::start();
    for way in BOTH {
        server.cli(&["FLUSHALL"]);
        let store = Asked::new(patient(&server.url()), way);
        let marks = || {
            let names = server.cli(&["--scan", "--pattern", "{shop:*}mark:*"]);
            names.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        store.set(&key("x"), &text("v")).unwrap();
        assert!(store.evict(&key("x")).unwrap());
        assert_eq!(marks(), [""; 0]);
        let mark = store.missed(&key("x"));
        let [root] = &marks()[..] else {
            panic!("one of the root's");
        };
        store.set(&key("x"), &text("newer")).unwrap();
        assert_eq!(marks().len(), 2);
        assert!(!store.fill(&key("x"), &text("old"), &mark).unwrap());
        // the root's mark is gone, and with it the load
        let mark = store.missed(&key("y"));
        server.cli(&["DEL", root]);
        store.set(&key("y"), &text("newer")).unwrap();
        assert_eq!(marks().len(), 1);
        let since = store.missed(&key("z"));
        assert!(!store.fill(&key("y"), &text("old"), &mark).unwrap());
        assert!(store.fill(&key("z"), &text("v"), &since).unwrap());
        assert_eq!(store.found(&key("y")).as_deref(), Some("newer"));
    }
}

#[test]
fn of_two_loads_at_once_both_may_store() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let marks = [store.missed(&key("x")), store.missed(&key("x"))];
    for mark in marks {
        assert!(store.fill(&key("x"), &text("v"), &mark).unwrap());
    }
}

#[test]
fn a_load_that_a_server_has_forgotten_is_not_stored() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let mark = store.missed(&key("x"));
        // the server no longer knows what was evicted since
        server.cli(&["FLUSHALL"]);
        assert!(!store.fill(&key("x"), &text("old"), &mark).unwrap());
        assert_eq!(store.found(&key("x")), None);
        let mark = store.missed(&key("x"));
        assert!(store.fill(&key("x"), &text("v"), &mark).unwrap());
        store.clear().unwrap();
    }
}

#[test]
fn a_load_that_takes_too_long_is_not_stored() {
    let server = servers::Redis::start();
    let limit = Duration::from_millis(40);
    for way in BOTH {
        let backend = patient(&server.url()).load_limit(limit);
        let store = Asked::new(backend, way);
        let mark = store.missed(&key("x"));
        assert!(store.fill(&key("x"), &text("v"), &mark).unwrap());
        store.evict(&key("x")).unwrap();
        let mark = store.missed(&key("x"));
        sleep(2 * limit);
        assert!(!store.fill(&key("x"), &text("v"), &mark).unwrap());
        store.set(&key("x"), &text("w")).unwrap();
        assert!(!store.put(&key("x"), &text("v"), &mark).unwrap());
        assert_eq!(store.found(&key("x")), None);
        // marks live twice as long as the limit, so by now none is left, only the index
        sleep(2 * limit);
        assert_eq!(server.cli(&["--scan", "--pattern", "*mark:*"]), "");
        // and loads can be told apart again
        let mark = store.missed(&key("x"));
        store.evict(&key("x")).unwrap();
        assert!(!store.fill(&key("x"), &text("v"), &mark).unwrap());
    }
}

#[test]
fn the_server_itself_refuses_what_outlasted_the_marks() {
    let server = servers::Redis::start();
    let short = Asked::new(patient(&server.url()).load_limit(LIMIT), BOTH[0]);
    // a process without a limit, like one whose request was under way for long
    let long = Asked::new(patient(&server.url()), BOTH[0]);
    let mark = short.missed(&key("x"));
    short.evict(&key("x")).unwrap();
    sleep(4 * LIMIT);
    assert_eq!(server.cli(&["--scan", "--pattern", "*mark:*"]), "");
    assert!(!long.fill(&key("x"), &text("old"), &mark).unwrap());
    assert_eq!(long.found(&key("x")), None);
}

/// An evicting process need not know how long loads may take in other processes.
#[test]
fn a_load_that_may_take_longer_than_where_it_was_overtaken_is_not_stored() {
    type Invalidation = fn(&Asked);
    let invalidations: [Invalidation; 5] = [
        |quick| {
            quick.evict(&key("x")).unwrap();
        },
        |quick| quick.set(&key("x"), &text_for("v", LIMIT)).unwrap(),
        |quick| {
            quick.evict_by_scope(&scope(&["acme", "7"])).unwrap();
        },
        |quick| {
            quick.evict_by_scope(&scope(&["acme"])).unwrap();
        },
        |quick| quick.clear().unwrap(),
    ];
    let server = servers::Redis::start();
    for way in BOTH {
        let slow = Asked::new(patient(&server.url()), way);
        let quick = patient(&server.url()).load_limit(LIMIT);
        let quick = Asked::new(quick, way);
        for (nth, invalidate) in invalidations.into_iter().enumerate() {
            let mark = slow.missed(&key("x"));
            invalidate(&quick);
            // the value that `quick` set has expired, and so would marks by its load limit
            sleep(3 * LIMIT);
            let stored = slow.fill(&key("x"), &text("old"), &mark).unwrap();
            assert!(!stored, "of {nth}");
            server.cli(&["FLUSHALL"]);
        }
    }
}

/// Marks are most of what a lookup requests, and a hit has no use for them.
#[test]
fn where_look_ups_hit_they_ask_for_no_marks() {
    let server = servers::Redis::start();
    let calls_of = |command: &str| {
        let stats = server.cli(&["INFO", "commandstats"]);
        let calls = stats
            .split(&format!("cmdstat_{command}:calls="))
            .nth(1)
            .map_or("0", |calls| calls.split(',').next().unwrap());
        calls.parse::<usize>().unwrap()
    };
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        find(&store, MANY);
        let before = calls_of("mget");
        find(&store, MANY);
        assert_eq!(calls_of("mget"), before, "{way:?}");
        // an unexpected miss requests the marks separately, and the next lookups request them with the value; by now the marks exist
        store.mark(&key("x")).unwrap();
        let before = [calls_of("get"), calls_of("mget")];
        for _ in 0..3 {
            store.missed(&key("x"));
        }
        let asked = [calls_of("get"), calls_of("mget")];
        assert_eq!(asked, [before[0] + 1, before[1] + 3], "{way:?}");
    }
}

/// Whatever the server has forgotten, a bulk lookup takes a few round trips.
#[test]
fn many_keys_without_marks_are_asked_for_at_once() {
    let server = servers::Redis::start();
    let reads = || {
        let stats = server.cli(&["INFO", "stats"]);
        let reads = stats.split("total_reads_processed:").nth(1).unwrap();
        reads.lines().next().unwrap().parse::<u32>().unwrap()
    };
    let keys: Vec<_> = (0..300).map(|nth| key(&nth.to_string())).collect();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        store.evict(&key("connects")).unwrap();
        for forget in ["FLUSHALL", "SCRIPT"] {
            server.cli(&["FLUSHALL"]);
            if forget == "SCRIPT" {
                server.cli(&["SCRIPT", "FLUSH"]);
            }
            let before = reads();
            let found = store.get_many(&keys).unwrap();
            // one read of the server takes in some kilobytes
            let took = reads() - before;
            assert!(took < 150, "{took} reads after {forget}, {way:?}");
            let entry = |(key, found): (&Key, Lookup)| match found {
                Lookup::Miss(mark) => (key.clone(), text("v"), mark),
                Lookup::Hit(_) => panic!("there is nothing"),
            };
            let entries: Vec<_> = keys.iter().zip(found).map(entry).collect();
            assert_eq!(store.fill_many(&entries).unwrap(), [true; 300]);
        }
    }
}

#[test]
fn no_mark_stores_nothing() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("v")).unwrap();
        for mark in [
            Mark::none(),
            Mark::new(*b"not ours", std::time::Instant::now()),
        ] {
            assert!(!store.fill(&key("y"), &text("v"), &mark).unwrap());
            assert_eq!(store.found(&key("y")), None);
            assert!(!store.put(&key("x"), &text("w"), &mark).unwrap());
            assert_eq!(store.found(&key("x")), None);
        }
    }
}

#[test]
fn a_lease_is_one_loads_alone() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let other = Asked::new(patient(&server.url()), way);
        let mark = store.granted(&key("x"), 10 * SECOND);
        assert!(store.is_taken(&key("x")) && other.is_taken(&key("x")));
        assert!(!other.is_taken(&key("y")));
        // a fill under a lease stores the value and ends the lease
        assert!(store.fill(&key("x"), &text("v"), &mark).unwrap());
        assert!(!store.fill(&key("x"), &text("again"), &mark).unwrap());
        let mine = other.granted(&key("x"), 10 * SECOND);
        // releasing a lease that is over releases nothing
        store.release(&key("x"), &mark).unwrap();
        assert!(store.is_taken(&key("x")));
        other.release(&key("x"), &mine).unwrap();
        other.release(&key("x"), &mine).unwrap();
        assert!(!store.is_taken(&key("x")));
        store.release(&key("x"), &Mark::none()).unwrap();
        server.cli(&["FLUSHALL"]);
    }
}

#[test]
fn a_slow_owner_can_not_overwrite() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let short = Duration::from_millis(30);
        let slow = store.granted(&key("x"), short);
        sleep(2 * short);
        let quick = store.granted(&key("x"), 10 * SECOND);
        assert!(!store.fill(&key("x"), &text("slow"), &slow).unwrap());
        assert!(store.fill(&key("x"), &text("quick"), &quick).unwrap());
        assert!(!store.fill(&key("x"), &text("slow"), &slow).unwrap());
        assert_eq!(store.found(&key("x")).as_deref(), Some("quick"));
        // a lease that has ended is over even if nobody took it since
        let slow = store.granted(&key("y"), short);
        sleep(2 * short);
        assert!(!store.fill(&key("y"), &text("slow"), &slow).unwrap());
        server.cli(&["FLUSHALL"]);
    }
}

#[test]
fn a_load_that_was_overtaken_holds_up_nobody() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let old = store.granted(&key("x"), 10 * SECOND);
        store.evict_by_scope(&scope(&["acme"])).unwrap();
        let new = store.granted(&key("x"), 10 * SECOND);
        assert!(!store.fill(&key("x"), &text("old"), &old).unwrap());
        store.release(&key("x"), &old).unwrap();
        assert!(store.is_taken(&key("x")));
        assert!(store.fill(&key("x"), &text("new"), &new).unwrap());
        store.clear().unwrap();
    }
}
