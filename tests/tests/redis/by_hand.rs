//! Entries changed by another client: no caller is served what it wrote.

use std::sync::atomic::{AtomicU64, Ordering};

use cacheado::{Cache, cache};
use cacheado_tests::servers;
use tokio::runtime::Runtime;

use super::shared::patient;
use crate::scope;

/// Returns a text that names its tenant, and counts its runs.
#[cache(cache = cache, skip(cache, runs), scope = "user", ttl = "1h", name = "note")]
fn note(cache: &Cache, runs: &AtomicU64, org_id: &str, user_id: u64) -> String {
    let _ = cache;
    runs.fetch_add(1, Ordering::Relaxed);
    format!("the note of {org_id}, {user_id}")
}

/// Shares the entries of `note`.
#[cache(cache = cache, skip(cache, runs), scope = "user", ttl = "1h", name = "note")]
async fn note_async(cache: &Cache, runs: &AtomicU64, org_id: &str, user_id: u64) -> String {
    let _ = cache;
    runs.fetch_add(1, Ordering::Relaxed);
    format!("the note of {org_id}, {user_id}")
}

/// For the scripts: changes a byte, whatever it is.
const CHANGE: &str = "local function change(at) \
    local byte = redis.call('GETRANGE', KEYS[1], at, at) \
    redis.call('SETRANGE', KEYS[1], at, byte == 'x' and 'y' or 'x') \
    end";

/// Changes of an entry, as scripts that receive its name and the name of another tenant's entry.
const SPOILT: [&str; 10] = [
    "redis.call('SET', KEYS[1], '')",
    "redis.call('SET', KEYS[1], 'something else')",
    "redis.call('SET', KEYS[1], string.rep('\\255', 300))",
    "redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, -2))",
    "redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, 9))",
    "redis.call('APPEND', KEYS[1], 'x')",
    "change(redis.call('STRLEN', KEYS[1]) - 1)",
    "change(12)",
    // another tenant's whole value, copied in two ways
    "redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]))",
    "redis.call('COPY', KEYS[2], KEYS[1], 'REPLACE')",
];

/// Values that are not strings; they are left in place, since they may belong to someone else.
const OTHERS: [&str; 4] = [
    "redis.call('RPUSH', KEYS[1], 'x')",
    "redis.call('HSET', KEYS[1], 'x', 'y')",
    "redis.call('ZADD', KEYS[1], 1, 'x')",
    "redis.call('XADD', KEYS[1], '*', 'x', 'y')",
];

#[test]
fn what_another_client_writes_is_given_to_nobody() {
    let server = servers::Redis::start();
    let runtime = Runtime::new().unwrap();
    let cache = || {
        let backend = patient(&server.url());
        let builder = Cache::builder().name("shop").backend(backend);
        builder.in_process(false).build().unwrap()
    };
    let (writer, reader) = (cache(), cache());
    let runs = AtomicU64::new(0);
    let ask = |cache: &Cache, org: &str, is_async: bool| {
        let value = if is_async {
            runtime.block_on(note_async(cache, &runs, org, 7))
        } else {
            note(cache, &runs, org, 7)
        };
        assert_eq!(value, format!("the note of {org}, 7"));
        runs.swap(0, Ordering::Relaxed)
    };
    let spoil = |script: &str| {
        let named = |org: &str| {
            let names = server.cli(&["--scan", "--pattern", &format!("*}}:organization={org}/*")]);
            names.trim().to_owned()
        };
        let (mine, theirs) = (named("acme"), named("globex"));
        assert!(
            mine.contains("user=7/") && theirs.contains("user=7/"),
            "{mine} {theirs}"
        );
        let script = format!("{CHANGE} {script}");
        let said = server.cli(&["EVAL", &script, "2", &mine, &theirs]);
        assert!(!said.contains("ERR"), "{script}: {said}");
    };
    for is_async in [false, true] {
        for script in SPOILT {
            ask(&writer, "acme", is_async);
            ask(&writer, "globex", is_async);
            spoil(script);
            let before = reader.stats().backend_errors;
            assert_eq!(ask(&reader, "acme", is_async), 1, "{script}");
            assert!(reader.stats().backend_errors > before, "{script}");
            assert_eq!(
                ask(&writer, "acme", is_async),
                0,
                "{script}: the new one is stored"
            );
            assert_eq!(ask(&reader, "globex", is_async), 0, "{script}");
        }
        for script in OTHERS {
            ask(&writer, "acme", is_async);
            spoil(&format!("redis.call('DEL', KEYS[1]) {script}"));
            let before = reader.stats().backend_errors;
            assert_eq!(ask(&reader, "acme", is_async), 1, "{script}");
            assert!(reader.stats().backend_errors > before, "{script}");
            assert_eq!(
                ask(&writer, "acme", is_async),
                1,
                "{script}: it lies there still"
            );
            assert_eq!(
                writer
                    .evict_by_scope(scope::organization("acme"))
                    .run()
                    .unwrap(),
                1
            );
            assert_eq!(
                ask(&writer, "acme", is_async),
                1,
                "{script}: it went with its scope"
            );
            assert_eq!(ask(&reader, "acme", is_async), 0, "{script}");
        }
        // a lifetime that another client removed or cut short
        spoil("redis.call('PERSIST', KEYS[1])");
        assert_eq!(ask(&reader, "acme", is_async), 0);
        spoil("redis.call('PEXPIRE', KEYS[1], 0)");
        assert_eq!(ask(&reader, "acme", is_async), 1);
    }
}
