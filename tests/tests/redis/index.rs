//! The indexes: evictions of any size, and no traces of removed entries.

use std::thread::sleep;
use std::time::Duration;

use cacheado_tests::random::Random;
use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, key_in, patient, scope, text, text_for};

/// The keys of a kind, one per bucket.
fn names(server: &servers::Redis, kind: &str) -> Vec<String> {
    let found = server.cli(&["--scan", "--pattern", &format!("{{shop:*}}{kind}")]);
    let mut names: Vec<_> = found.lines().map(str::to_owned).collect();
    // `SCAN` may return a key twice while the server's table shrinks
    names.sort_unstable();
    names.dedup();
    names
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
        let store = Asked::new(patient(&server.url()), way);
        let entries: Vec<_> = (0..2500)
            .map(|nth| (key(&format!("{nth}")), text_for("v", 60 * SECOND)))
            .collect();
        store.set_many(&entries).unwrap();
        store.set(&key_in(&["acme", "8"], "x"), &text("v")).unwrap();
        // and one member that is no entry: until when entries with a lifetime may last
        assert_eq!(entered(&server, "index"), 2502);
        assert_eq!(store.evict_by_scope(&scope(&["acme", "7"])).unwrap(), 2500);
        assert_eq!(entered(&server, "index"), 2);
        assert_eq!(entered(&server, "deadlines"), 1);
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
    let store = Asked::new(patient(&server.url()), BOTH[0]);
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
        // no earlier than the last entry, and not much later
        assert!(left > 29_000 && left < 37_000, "{left}");
    }
}

#[test]
fn an_index_with_an_entry_that_never_expires_stays() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
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
    // the last entry without a lifetime gets one, or is evicted
    store.set(&key("y"), &text_for("v", SECOND)).unwrap();
    assert!(ttl() > 0);
    store.set(&key("y"), &text("v")).unwrap();
    store.evict(&key("y")).unwrap();
    store.set(&key("z"), &text_for("v", SECOND)).unwrap();
    assert!(ttl() > 0);
    assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 2);
}

#[test]
fn an_index_ends_once_nothing_without_an_end_is_left_in_it() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let left = |kind| -> i64 {
            let name = names(&server, kind).remove(0);
            server.cli(&["PTTL", &name]).parse().unwrap()
        };
        let ends = || ["index", "deadlines"].map(left);
        let among = 20_000..=36_000;
        // the last entry without a lifetime is evicted by key
        store.set(&key("x"), &text_for("v", 30 * SECOND)).unwrap();
        store.set(&key("y"), &text("v")).unwrap();
        store.set(&key("z"), &text("v")).unwrap();
        store.evict(&key("y")).unwrap();
        assert_eq!(ends(), [-1, -1]);
        store.evict(&key("z")).unwrap();
        assert!(ends().iter().all(|end| among.contains(end)), "{:?}", ends());
        // or with its scope
        store.set(&key_in(&["acme", "8"], "y"), &text("v")).unwrap();
        assert_eq!(ends(), [-1, -1]);
        assert_eq!(store.evict_by_scope(&scope(&["acme", "8"])).unwrap(), 1);
        assert!(ends().iter().all(|end| among.contains(end)), "{:?}", ends());
        assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 1);
    }
}

#[test]
fn what_expired_leaves_the_index_as_others_are_stored() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let short = Duration::from_secs(1);
    store.set(&key("stays"), &text("v")).unwrap();
    for nth in 0..40 {
        store
            .set(&key(&nth.to_string()), &text_for("v", short))
            .unwrap();
    }
    assert_eq!(entered(&server, "index"), 41);
    sleep(2 * short);
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

#[test]
fn what_expired_leaves_an_index_that_stays() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let short = text_for("v", Duration::from_millis(20));
    store.set(&key("a"), &short).unwrap();
    // its deadline is later than the noted one
    store.set(&key("again"), &short).unwrap();
    store
        .set(&key("again"), &text_for("v", Duration::from_millis(600)))
        .unwrap();
    store.set(&key("stays"), &text("v")).unwrap();
    store.set(&key("b"), &short).unwrap();
    // longer than the index would have lived without `stays`
    sleep(Duration::from_millis(3300));
    store.set(&key("c"), &text_for("v", 60 * SECOND)).unwrap();
    assert_eq!(entered(&server, "index"), 2);
    assert_eq!(entered(&server, "deadlines"), 1);
    assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 2);
}

#[test]
fn an_index_outlives_what_was_stored_again_beside_an_entry_without_an_end() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let set = |name: &str, span: Duration| store.set(&key(name), &text_for("v", span)).unwrap();
    let short = Duration::from_millis(300);
    set("c", 100 * SECOND);
    set("a", short);
    // the noted deadline does not change
    set("a", 60 * SECOND);
    store.set(&key("endless"), &text("v")).unwrap();
    store.evict(&key("c")).unwrap();
    set("endless", short);
    let index = names(&server, "index").remove(0);
    let left: i64 = server.cli(&["PTTL", &index]).parse().unwrap();
    assert!(!(0..59_000).contains(&left), "{left}");
    sleep(4 * short);
    assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 1);
    assert_eq!(store.found(&key("a")), None);
}

#[test]
fn what_is_stored_again_after_its_end_is_in_the_index() {
    let server = servers::Redis::start();
    let short = Duration::from_millis(20);
    for (nth, way) in BOTH.into_iter().enumerate() {
        let store = Asked::new(patient(&server.url()), way);
        let tenant = nth.to_string();
        let (again, forever) = (key_in(&[&tenant], "again"), key_in(&[&tenant], "forever"));
        let of_tenant = scope(&[&tenant]);
        let store_again = || {
            let mark = store.missed(&again);
            let value = text_for("new", 60 * SECOND);
            assert!(store.fill(&again, &value, &mark).unwrap());
        };
        store.set(&forever, &text("v")).unwrap();
        store.set(&again, &text_for("old", short)).unwrap();
        // past its grace period in the index
        sleep(SECOND + 2 * short);
        store_again();
        let index = names(&server, "index");
        let ttl = |name| server.cli(&["PTTL", name]).parse::<i64>().unwrap();
        assert!(index.iter().all(|name| ttl(name) == -1), "one has no end");
        assert_eq!(store.evict_by_scope(&of_tenant).unwrap(), 2);
        assert!(store.found(&again).is_none());

        store.set(&again, &text_for("old", short)).unwrap();
        sleep(SECOND + 2 * short);
        store_again();
        store.clear().unwrap();
        assert!(store.found(&again).is_none());
    }
}

#[test]
fn what_is_stored_again_before_its_end_stays_in_the_index() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let (short, long) = (SECOND, 60 * SECOND);
    store.set(&key("lasts"), &text_for("v", long)).unwrap();
    for nth in 0..20 {
        let key = key(&nth.to_string());
        store.set(&key, &text_for("old", short)).unwrap();
        if nth % 2 == 0 {
            store.set(&key, &text_for("new", long)).unwrap();
        }
    }
    // past all first deadlines and the grace period
    sleep(2 * SECOND + short / 10);
    for nth in 0..2 {
        let another = key(&format!("another {nth}"));
        store.set(&another, &text_for("v", long)).unwrap();
    }
    // expired entries have left the index, and the later deadlines are noted
    assert_eq!(entered(&server, "index"), 13);
    assert_eq!(entered(&server, "deadlines"), 13);
    assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 13);
    assert_eq!(store.found(&key("0")), None);
}

/// Whatever operations run, and whenever, every live entry is in the index with its deadline, and the index lives as long.
#[test]
fn the_index_has_all_that_lives() {
    const CHECK: &str = "local wrong = {} \
        for _, index in ipairs(redis.call('KEYS', '{shop:*}index')) do \
          local tag = string.sub(index, 1, -6) \
          local deadlines, left = tag .. 'deadlines', redis.call('PTTL', index) \
          for _, entry in ipairs(redis.call('KEYS', tag .. ':*')) do \
            local name, life = string.sub(entry, #tag + 2), redis.call('PTTL', entry) \
            local noted = redis.call('ZSCORE', deadlines, name) \
            if not redis.call('ZSCORE', index, name) then table.insert(wrong, 'not in the index: ' .. name) end \
            if (life == -1) == (noted and true or false) then table.insert(wrong, 'its end is not noted: ' .. name) end \
            if left >= 0 and (life == -1 or life > left) then table.insert(wrong, 'outlives the index: ' .. name) end \
          end \
        end \
        return wrong";
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let mut random = Random::new(7);
    for nth in 0..1000 {
        // the next operation in a bucket often concerns an entry that has just left the index
        let tenant = random.below(40).to_string();
        let key = key_in(&[&tenant], &random.below(3).to_string());
        let value = match random.below(8) {
            0 => text("v"),
            1 => text_for("v", 60 * SECOND),
            _ => text_for("v", Duration::from_millis(1 + random.below(400))),
        };
        match random.below(20) {
            0 => {
                store.evict_by_scope(&scope(&[&tenant])).unwrap();
            }
            1 | 2 => {
                store.evict(&key).unwrap();
            }
            3..=10 => store.set(&key, &value).unwrap(),
            _ => {
                let mark = store.mark(&key).unwrap();
                assert!(store.fill(&key, &value, &mark).unwrap());
            }
        }
        random.pause(Duration::from_millis(8));
        if nth % 10 == 0 {
            let wrong = server.cli(&["EVAL", CHECK, "0"]);
            assert_eq!(wrong, "", "after {nth}");
        }
    }
}
