//! The cost of an operation to the server: the commands it executes for it, including those in scripts.

use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, patient, text_for};

/// The commands executed since the last call, by name.
fn commands(server: &servers::Redis) -> Vec<String> {
    let stats = server.cli(&["INFO", "commandstats"]);
    server.cli(&["CONFIG", "RESETSTAT"]);
    let counts = stats.lines().filter_map(|line| {
        let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = counts.split_once(',')?;
        let own = !matches!(name, "info" | "command|docs" | "config|resetstat");
        own.then(|| format!("{calls} {name}"))
    });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable();
    counts
}

#[test]
fn an_operation_is_so_many_commands() {
    let server = servers::Redis::start();
    for way in BOTH {
        server.cli(&["FLUSHALL"]);
        let store = Asked::new(patient(&server.url()), way);
        let value = text_for("v", 60 * SECOND);
        // the connection and the index exist, and both scripts are loaded
        store.set(&key("x"), &value).unwrap();
        store.set(&key("y"), &value).unwrap();
        let mark = store.missed(&key("w"));
        assert!(store.fill(&key("w"), &value, &mark).unwrap());
        commands(&server);

        store.set(&key("x"), &value).unwrap();
        let set = ["1 evalsha", "1 publish", "1 zadd", "2 psetex", "2 pttl"];
        assert_eq!(commands(&server), set, "{way:?}");
        let mark = store.missed(&key("z"));
        assert_eq!(commands(&server), ["1 mget", "1 pttl"], "{way:?}");
        assert!(store.fill(&key("z"), &value, &mark).unwrap());
        let fill = [
            "1 evalsha",
            "1 mget",
            "1 psetex",
            "1 pttl",
            "1 time",
            "1 zrangebyscore",
            "2 zadd",
        ];
        assert_eq!(commands(&server), fill, "{way:?}");
        for _ in 0..10 {
            store.get(&key("x")).unwrap();
        }
        commands(&server);
        store.get(&key("x")).unwrap();
        assert_eq!(commands(&server), ["1 get", "1 pttl"], "{way:?}");
        store.get_value(&key("x")).unwrap();
        assert_eq!(commands(&server), ["1 get"], "{way:?}");
        store.get_many(&[key("x"), key("y")]).unwrap();
        assert_eq!(commands(&server), ["1 mget", "2 pttl"], "{way:?}");
        store.get_values(&[key("x"), key("y")]).unwrap();
        assert_eq!(commands(&server), ["1 mget"], "{way:?}");
        store.get_many(&[key("x"), key("u"), key("v")]).unwrap();
        assert_eq!(commands(&server), ["3 mget", "3 pttl"], "{way:?}");
        store.get_values(&[key("x"), key("u"), key("v")]).unwrap();
        assert_eq!(commands(&server), ["2 pttl", "3 mget"], "{way:?}");
    }
}
