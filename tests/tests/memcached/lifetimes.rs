//! How long stored values stay, by the clocks of server and process.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cacheado_backends::Backend;
use cacheado_backends::backend::{Lease, Payload};
use cacheado_tests::servers;

use crate::shared::{backend, keep, kept, key, lasting, miss, name, payload, raw, value};

#[test]
fn the_server_itself_lets_go_also_past_thirty_days() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let day = 24 * 3_600;
    // an expired value stays this long, for loads that began before
    let limit = 60;
    for seconds in [60, 30 * day - 62, 30 * day, 31 * day, 365 * day] {
        let lifetime = Duration::from_secs(seconds);
        backend.set(&key, &lasting("v", lifetime)).unwrap();
        let (seconds, left) = (seconds + limit, kept(&server, &key));
        assert!((seconds..seconds + 6).contains(&left), "{seconds}: {left}");
    }
    // memcached knows no dates past 2038: the item has no expiry then, and the value itself says when it ends
    let lifetime = Duration::from_secs(50 * 365 * day);
    backend.set(&key, &lasting("v", lifetime)).unwrap();
    assert_eq!(
        raw(server.addr(), &format!("mg {} t\r\n", name(&key))),
        "HD t-1"
    );
}

/// The second process of the next test: reads until there is a miss, and prints the number of hits.
#[test]
#[ignore = "it is the second process of the next test"]
fn child_reads_until_a_miss() {
    let address = std::env::var("CACHEADO_TEST_SERVER").expect("the next test says which");
    let backend = backend(&address);
    let key = key("k");
    let mut hits = 0;
    while let Some(found) = backend.get(&key).unwrap().hit() {
        assert!(found.lifetime.unwrap() <= Duration::from_secs(5));
        hits += 1;
        thread::sleep(Duration::from_millis(5));
    }
    println!("hits {hits}");
}

#[test]
fn another_process_is_never_served_past_a_lifetime() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    // observe the server's clock for a while
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_millis(1_100) {
        miss(backend.get(&key));
        thread::sleep(Duration::from_millis(5));
    }
    let lifetime = Duration::from_secs(5);
    backend
        .set(
            &key,
            &Payload {
                lifetime: Some(lifetime),
                ..payload("v")
            },
        )
        .unwrap();
    let stored = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--ignored",
        "--exact",
        "lifetimes::child_reads_until_a_miss",
        "--nocapture",
    ]);
    child
        .env("CACHEADO_TEST_SERVER", server.url())
        .stdout(Stdio::piped());
    let output = child.spawn().unwrap().wait_with_output().unwrap();
    let took = stored.elapsed();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("hits ") && !said.contains("hits 0"), "{said}");
    // including the time to start and end a process
    assert!(took < lifetime + Duration::from_millis(100), "{took:?}");
    assert!(took > Duration::from_millis(2_000), "{took:?}");
}

#[test]
fn limits_of_any_length_are_kept() {
    let server = servers::Memcached::start();
    for limit in [Duration::from_secs(1 << 40), Duration::MAX] {
        for endless in [
            backend(&server.url()).timeout(limit),
            backend(&server.url()).load_limit(limit),
        ] {
            let key = key("k");
            endless.evict(&key).unwrap();
            let mark = miss(endless.get(&key));
            assert!(endless.fill(&key, &payload("v"), &mark).unwrap());
            assert_eq!(value(&endless, &key).as_deref(), Some(&b"v"[..]));
            let lease = endless.lease(&self::key("claimed"), limit).unwrap();
            assert!(
                matches!(lease, Lease::Granted(mark) if endless.release(&self::key("claimed"), &mark).is_ok())
            );
        }
    }
}

#[test]
fn what_stands_for_loads_under_way_is_kept_for_those_that_begin_now() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let limit = 60;
    for over in [false, true] {
        let key = key(&format!("{over}"));
        if over {
            backend.set(&key, &lasting("v", Duration::ZERO)).unwrap();
        }
        let before = miss(backend.get(&key));
        // as if some time had passed
        keep(&server, &key, 20);
        let now = miss(backend.get(&key));
        assert_eq!(before.bytes(), now.bytes());
        assert!(kept(&server, &key) > limit);
        keep(&server, &key, 20);
        assert_eq!(backend.mark(&key).unwrap().bytes(), now.bytes());
        assert!(kept(&server, &key) > limit);
        assert!(backend.fill(&key, &payload("w"), &before).unwrap());
        assert_eq!(value(&backend, &key).as_deref(), Some(&b"w"[..]));
    }
}

#[test]
fn a_value_that_the_server_was_to_let_go_early_is_kept_for_its_lifetime() {
    let server = servers::Memcached::start();
    let backend = backend(&server.url());
    let key = key("k");
    let hour = Duration::from_secs(3_600);
    backend.set(&key, &lasting("v", hour)).unwrap();
    let whole = kept(&server, &key);
    keep(&server, &key, 20);
    let mark = backend.mark(&key).unwrap();
    assert!((whole - 10..=whole).contains(&kept(&server, &key)));
    assert!(backend.put(&key, &payload("w"), &mark).unwrap());
}
