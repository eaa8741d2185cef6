//! The indexes: evictions of any size, and nothing left of what has gone.

use std::thread::sleep;
use std::time::Duration;

use cacheado_backends::redis::Redis;
use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, key_in, scope, text, text_for};

/// The keys of a kind, of which there is one a bucket.
fn names(server: &servers::Redis, kind: &str) -> Vec<String> {
    let found = server.cli(&["--scan", "--pattern", &format!("{{shop:*}}{kind}")]);
    found.lines().map(str::to_owned).collect()
}

fn entered(server: &servers::Redis, kind: &str) -> u64 {
    let counts = names(server, kind).into_iter();
    counts
        .map(|name| server.cli(&["ZCARD", &name]).parse::<u64>().unwrap())
        .sum()
}

#[test]
fn a_scope_of_thousands_is_removed_and_counted() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(Redis::new(&server.url()).unwrap(), way);
        let entries: Vec<_> = (0..2500)
            .map(|nth| (key(&format!("{nth}")), text_for("v", 60 * SECOND)))
            .collect();
        store.set_many(&entries).unwrap();
        store.set(&key_in(&["acme", "8"], "x"), &text("v")).unwrap();
        assert_eq!(entered(&server, "index"), 2501);
        assert_eq!(store.evict_by_scope(&scope(&["acme", "7"])).unwrap(), 2500);
        assert_eq!(entered(&server, "index"), 1);
        assert_eq!(entered(&server, "deadlines"), 0);
        // as many as one part holds
        store.set_many(&entries[..1000]).unwrap();
        assert_eq!(store.evict_by_scope(&scope(&["acme", "7"])).unwrap(), 1000);
        assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 1);
        assert_eq!(entered(&server, "index"), 0);
    }
}

#[test]
fn an_index_goes_with_its_last_entry() {
    let server = servers::Redis::start();
    let store = Asked::new(Redis::new(&server.url()).unwrap(), BOTH[0]);
    store.set(&key("x"), &text("v")).unwrap();
    store.evict(&key("x")).unwrap();
    assert_eq!(names(&server, "index").len(), 0);
    store.set(&key("x"), &text_for("v", SECOND)).unwrap();
    store.set(&key("y"), &text_for("v", 30 * SECOND)).unwrap();
    store.set(&key("z"), &text_for("v", SECOND)).unwrap();
    for kind in ["index", "deadlines"] {
        let [name] = &names(&server, kind)[..] else {
            panic!("one bucket");
        };
        let left: u64 = server.cli(&["PTTL", name]).parse().unwrap();
        // not before the last entry, and not much later
        assert!(left > 29_000 && left < 37_000, "{left}");
    }
}

#[test]
fn an_index_with_an_entry_that_never_expires_stays() {
    let server = servers::Redis::start();
    let store = Asked::new(Redis::new(&server.url()).unwrap(), BOTH[0]);
    let ttl = || -> i64 {
        let index = names(&server, "index").remove(0);
        server.cli(&["PTTL", &index]).parse().unwrap()
    };
    store.set(&key("x"), &text_for("v", SECOND)).unwrap();
    assert!(ttl() > 0);
    store.set(&key("y"), &text("v")).unwrap();
    assert_eq!(ttl(), -1);
    store.set(&key("z"), &text_for("v", SECOND)).unwrap();
    assert_eq!(ttl(), -1);
    // the last of that kind goes, or gets an end
    store.set(&key("y"), &text_for("v", SECOND)).unwrap();
    assert!(ttl() > 0);
    store.set(&key("y"), &text("v")).unwrap();
    store.evict(&key("y")).unwrap();
    store.set(&key("z"), &text_for("v", SECOND)).unwrap();
    assert!(ttl() > 0);
    assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 2);
}

#[test]
fn what_expired_leaves_the_index_as_others_are_stored() {
    let server = servers::Redis::start();
    let store = Asked::new(Redis::new(&server.url()).unwrap(), BOTH[0]);
    let short = Duration::from_millis(20);
    for nth in 0..40 {
        store
            .set(&key(&nth.to_string()), &text_for("v", short))
            .unwrap();
    }
    store.set(&key("stays"), &text("v")).unwrap();
    assert_eq!(entered(&server, "index"), 41);
    // past the grace that they have
    sleep(SECOND + 2 * short);
    let mut left = 41;
    while left > 2 {
        store
            .set(&key("another"), &text_for("v", 60 * SECOND))
            .unwrap();
        let now = entered(&server, "index");
        assert!(now < left, "{now}");
        left = now;
    }
    assert_eq!(entered(&server, "deadlines"), 1);
    assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 2);
}
