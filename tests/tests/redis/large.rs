//! Large values, which are uploaded before a script stores them.

use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, patient, scope, text, text_for};

fn large(of: &str) -> String {
    of.repeat(100_000)
}

fn keys(server: &servers::Redis, pattern: &str) -> Vec<String> {
    let found = server.cli(&["--scan", "--pattern", pattern]);
    found.lines().map(str::to_owned).collect()
}

#[test]
fn large_values_are_stored_under_the_same_conditions_and_leave_nothing_behind() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let (x, y) = (key("x"), key("y"));
        let ttl = || -> i64 {
            let entry = keys(&server, "{shop:*}:*").remove(0);
            server.cli(&["PTTL", &entry]).parse().unwrap()
        };
        store.set(&x, &text(&large("a"))).unwrap();
        assert_eq!(ttl(), -1);
        store.set(&x, &text_for(&large("b"), 60 * SECOND)).unwrap();
        assert_eq!(store.found(&x), Some(large("b")));
        assert!(ttl() > 50_000);

        let mark = store.missed(&y);
        assert!(store.fill(&y, &text(&large("c")), &mark).unwrap());
        assert_eq!(store.found(&y), Some(large("c")));
        store.evict(&y).unwrap();
        assert!(!store.fill(&y, &text(&large("old")), &mark).unwrap());
        assert_eq!(store.found(&y), None);

        let mark = store.mark(&x).unwrap();
        assert!(store.put(&x, &text(&large("d")), &mark).unwrap());
        assert!(!store.put(&x, &text(&large("old")), &mark).unwrap());
        assert_eq!(store.found(&x), None);

        let lease = store.granted(&y, 10 * SECOND);
        assert!(store.fill(&y, &text(&large("e")), &lease).unwrap());
        assert!(!store.fill(&y, &text(&large("f")), &lease).unwrap());
        assert_eq!(store.found(&y), Some(large("e")));

        let marks = [store.missed(&x), lease];
        let entries = [(x.clone(), "g"), (y.clone(), "old")];
        let entries = entries.into_iter().zip(marks);
        let entries: Vec<_> = entries
            .map(|((key, of), mark)| (key, text(&large(of)), mark))
            .collect();
        assert_eq!(store.fill_many(&entries).unwrap(), [true, false]);
        assert_eq!(store.found(&x), Some(large("g")));

        assert_eq!(keys(&server, "{shop:*}new:*"), [""; 0]);
        assert_eq!(store.evict_by_scope(&scope(&["acme", "7"])).unwrap(), 2);
    }
}

#[test]
fn a_full_server_refuses_large_values_and_keeps_no_old_one() {
    let server = servers::Redis::start_with(&["--maxmemory-policy", "noeviction"]);
    for way in BOTH {
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("old")).unwrap();
        store.set(&key("y"), &text("old")).unwrap();
        let before = store.mark(&key("x")).unwrap();
        let mark = store.missed(&key("new"));
        server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        let newer = text(&large("a"));
        for error in [
            store.set(&key("x"), &newer).unwrap_err(),
            store.fill(&key("new"), &newer, &mark).unwrap_err(),
            store
                .put(&key("y"), &newer, &store.mark(&key("y")).unwrap())
                .unwrap_err(),
        ] {
            assert!(error.to_string().contains("OOM"), "{error}");
        }
        for gone in ["x", "y", "new"] {
            assert_eq!(store.found(&key(gone)), None, "{gone}");
        }
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        // a refused value outdates loads that began before it
        assert!(!store.fill(&key("x"), &text("old"), &before).unwrap());
        store.clear().unwrap();
    }
}

#[test]
fn large_values_are_stored_by_scripts_that_a_server_forgets() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        for of in ["a", "b"] {
            server.cli(&["SCRIPT", "FLUSH"]);
            let entries = ["x", "y"].map(|it| (key(it), text(&large(of))));
            store.set_many(&entries).unwrap();
            assert_eq!(store.found(&key("y")), Some(large(of)));
        }
        store.clear().unwrap();
    }
}
