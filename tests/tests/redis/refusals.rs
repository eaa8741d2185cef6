//! What a server refuses, and how each refusal is classified.

use std::error::Error;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use cacheado_backends::Backend;
use cacheado_backends::backend::{Lookup, Mark, Refused};
use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::coherence::Heard;
use crate::shared::{Asked, BOTH, SECOND, key, patient, scope, text, text_for};

fn is_refused(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.is::<Refused>()
}

/// The mark of a miss.
fn miss(lookup: Lookup) -> Option<Mark> {
    match lookup {
        Lookup::Miss(mark) => Some(mark),
        Lookup::Hit(_) => None,
    }
}

#[test]
fn a_full_server_refuses_and_keeps_no_old_value() {
    let server = servers::Redis::start_with(&["--maxmemory-policy", "noeviction"]);
    for way in BOTH {
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("old")).unwrap();
        store.set(&key("y"), &text("v")).unwrap();
        store.set(&key("z"), &text("v")).unwrap();
        let mark = store.missed(&key("new"));
        server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(store.found(&key("x")).as_deref(), Some("old"));
        let error = store.fill(&key("new"), &text("v"), &mark).unwrap_err();
        assert!(is_refused(&*error), "{error}");
        let error = store.set(&key("x"), &text("newer")).unwrap_err();
        assert!(
            is_refused(&*error) && error.to_string().contains("OOM"),
            "{error}"
        );
        assert_eq!(store.found(&key("x")), None);
        let lifetime = text_for("newer", 10 * SECOND);
        let error = store.put(&key("y"), &lifetime, &store.mark(&key("y")).unwrap());
        assert!(is_refused(&*error.unwrap_err()));
        assert_eq!(store.found(&key("y")), None);
        // operations that free memory work
        assert!(store.evict(&key("z")).unwrap());
        let mark = store.missed(&key("z"));
        assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 0);
        store.clear().unwrap();
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        assert!(!store.fill(&key("z"), &text("old"), &mark).unwrap());
        // a miss for which no mark can be made is still a miss
        server.cli(&["FLUSHALL"]);
        server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        let mark = store.missed(&key("x"));
        server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        assert!(!store.fill(&key("x"), &text("v"), &mark).unwrap());
    }
}

#[test]
fn something_else_under_a_name_is_an_error_until_it_is_overwritten() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("v")).unwrap();
        let entry = server.cli(&["--scan", "--pattern", "{shop:*}:*"]);
        server.cli(&["DEL", &entry]);
        server.cli(&["LPUSH", &entry, "theirs"]);
        let error = store.get(&key("x")).unwrap_err();
        assert!(is_refused(&*error), "{error}");
        // in a bulk lookup only that key fails
        store.set(&key("y"), &text("v")).unwrap();
        let keys = [key("y"), key("x"), key("z")];
        let marks = store.get_many(&keys).unwrap().into_iter().map(miss);
        let [None, Some(x), Some(z)] = &marks.collect::<Vec<_>>()[..] else {
            panic!("the first is there, and no other");
        };
        assert!(!store.fill(&key("x"), &text("w"), x).unwrap());
        assert!(store.fill(&key("z"), &text("w"), z).unwrap());
        store.evict(&key("y")).unwrap();
        store.evict(&key("z")).unwrap();
        store.set(&key("x"), &text("w")).unwrap();
        assert_eq!(store.found(&key("x")).as_deref(), Some("w"));
        server.cli(&["DEL", &entry]);
        server.cli(&["LPUSH", &entry, "theirs"]);
        assert!(store.evict(&key("x")).unwrap());
        assert_eq!(store.found(&key("x")), None);
    }
}

#[test]
fn bytes_of_others_are_found_as_they_are() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    store.set(&key("x"), &text("v")).unwrap();
    let entry = server.cli(&["--scan", "--pattern", "{shop:*}:*"]);
    server.cli(&["SET", &entry, "garbage"]);
    assert_eq!(store.found(&key("x")).as_deref(), Some("garbage"));
    server.cli(&["SET", &entry, ""]);
    assert_eq!(store.found(&key("x")).as_deref(), Some(""));
}

#[test]
fn an_index_that_is_something_else_fails_operations_and_nothing_more() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        store.set(&key("x"), &text("v")).unwrap();
        let mark = store.missed(&key("y"));
        let index = server.cli(&["--scan", "--pattern", "{shop:*}index"]);
        server.cli(&["SET", &index, "theirs"]);
        for error in [
            store.set(&key("x"), &text("w")).unwrap_err(),
            store.fill(&key("y"), &text("w"), &mark).unwrap_err(),
            store.evict_by_scope(&scope(&["acme"])).unwrap_err(),
            store.clear().unwrap_err(),
        ] {
            assert!(is_refused(&*error), "{error}");
        }
        // a value that can't be found by its scope is not stored
        assert_eq!(store.found(&key("x")), None);
        assert_eq!(store.found(&key("y")), None);
        server.cli(&["DEL", &index]);
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 1);
    }
}

#[test]
fn scripts_that_a_server_forgets_are_sent_again() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        for nth in 0..3 {
            server.cli(&["SCRIPT", "FLUSH"]);
            let value = nth.to_string();
            let entries: Vec<_> = (0..20)
                .map(|nth| (key(&nth.to_string()), text(&value)))
                .collect();
            store.set_many(&entries).unwrap();
            assert_eq!(store.found(&key("19")), Some(value));
            assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 20);
        }
    }
}

#[test]
fn a_wrong_password_is_an_outage_that_names_no_password() {
    let server = servers::Redis::start_with(&["--requirepass", "right-horse"]);
    for way in BOTH {
        let url = server.url();
        let url = url.strip_prefix("redis://").unwrap();
        for given in [
            "",
            "wrong-battery@",
            ":wrong-battery@",
            "someone:wrong-battery@",
        ] {
            for protocol in ["", "?protocol=resp3"] {
                let given = format!("redis://{given}{url}/{protocol}");
                let backend = Redis::new(&given).unwrap();
                let shown = format!("{backend:?}");
                let store = Asked::new(backend, way);
                let error = store.get(&key("x")).unwrap_err();
                assert!(!is_refused(&*error), "{error}");
                for text in [shown, error.to_string(), format!("{error:?}")] {
                    assert!(
                        !text.contains("battery") && !text.contains("horse"),
                        "{text}"
                    );
                }
            }
        }
        let store = Asked::new(
            Redis::new(&format!("redis://:right-horse@{url}")).unwrap(),
            way,
        );
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
    }
}

/// The rest of a well-known message would reveal the part that was taken out.
#[test]
fn an_error_is_whole_or_not_told() {
    let server = servers::Redis::start_with(&["--requirepass", "right-horse"]);
    let address = server.url();
    let address = address.strip_prefix("redis://").unwrap();
    for way in BOTH {
        let error_of = |url: &str| {
            let store = Asked::new(Redis::new(url).unwrap(), way);
            store.get(&key("x")).unwrap_err().to_string()
        };
        let nobody = error_of("redis://u:e@127.0.0.1:1");
        assert!(nobody.contains("refused"), "{nobody}");
        let wrong = error_of(&format!("redis://:wrong@{address}"));
        assert!(wrong.contains("authentication failed"), "{wrong}");
        let quoted = error_of(&format!("redis://:failed@{address}"));
        assert!(quoted.contains("is not told"), "{quoted}");
        assert!(!quoted.contains("authentication"), "{quoted}");
    }
}

#[test]
fn a_user_without_the_right_is_an_outage() {
    let server = servers::Redis::start();
    server.cli(&[
        "ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+get", "+mget", "+pttl",
    ]);
    let url = server.url().replace("redis://", "redis://reader:pw@");
    for way in BOTH {
        let store = Asked::new(Redis::new(&url).unwrap(), way);
        let error = store.set(&key("x"), &text("v")).unwrap_err();
        assert!(!is_refused(&*error), "{error}");
    }
}

/// The rights that a user of the cache `shop` needs.
const RIGHTS: [&str; 11] = [
    "~{shop*",
    "&{shop}changes",
    "-@all",
    "+@read",
    "+@write",
    "+@connection",
    "+@scripting",
    "+time",
    "+publish",
    "+subscribe",
    "+info",
];

#[test]
fn a_user_with_the_rights_that_are_named_may_do_all() {
    let server = servers::Redis::start();
    let user = ["ACL", "SETUSER", "app", "on", ">pw"];
    assert_eq!(server.cli(&[&user[..], &RIGHTS].concat()).trim(), "OK");
    let url = server.url().replace("redis://", "redis://app:pw@");
    for way in BOTH {
        let store = Asked::new(Redis::new(&url).unwrap(), way);
        let other = Asked::new(Redis::new(&url).unwrap(), way);
        let heard = Heard::by(&other.backend);
        heard.hears("covered");
        let mark = store.missed(&key("x"));
        assert!(store.fill(&key("x"), &text("v"), &mark).unwrap());
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
        assert!(store.evict(&key("x")).unwrap());
        heard.hears("key organization=acme/user=7 (programmatic)(\"x\")");
        let mark = store.granted(&key("y"), SECOND);
        store.release(&key("y"), &mark).unwrap();
        store.set_many(&[(key("x"), text("v"))]).unwrap();
        assert_eq!(store.get_many(&[key("x"), key("y")]).unwrap().len(), 2);
        assert_eq!(store.evict_by_scope(&scope(&["acme"])).unwrap(), 1);
        store.clear().unwrap();
        heard.hears("all");
    }
}

/// Records each event about the channel of the cache `deaf`, with its level.
#[derive(Clone, Default)]
struct Scribe(Arc<Mutex<Vec<(Level, String)>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        of.target().contains("watch")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        if line.0.contains("{deaf}") {
            let level = *event.metadata().level();
            self.0.lock().unwrap().push((level, line.0));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_user_without_the_channel_is_an_outage_that_is_said_once() {
    let server = servers::Redis::start();
    // what Redis gives a user that is granted no channels
    server.cli(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">pw",
        "~*",
        "resetchannels",
        "+@all",
    ]);
    let url = server.url().replace("redis://", "redis://app:pw@");
    for way in BOTH {
        let store = Asked::new(Redis::new(&url).unwrap(), way);
        let error = store.evict(&key("x")).unwrap_err();
        assert!(!is_refused(&*error), "{error}");
        assert!(error.to_string().contains("channel"), "{error}");
    }
    let scribe = Scribe::default();
    tracing::subscriber::set_global_default(scribe.clone()).unwrap();
    let mut deaf = Redis::new(&url).unwrap();
    deaf.bind("deaf");
    let _heard = Heard::by(&deaf);
    let tried = || scribe.0.lock().unwrap().len() >= 4;
    assert!(wait_until(20 * SECOND, tried), "it is tried again");
    let lines = scribe.0.lock().unwrap().clone();
    let mut warnings = lines.iter().filter(|(level, _)| *level == Level::WARN);
    let (_, warning) = warnings.next().expect("it is said");
    assert!(warning.contains("channels"), "{warning}");
    assert_eq!(warnings.next(), None, "and once");
}

#[test]
fn a_replica_is_read_from_and_not_written_to() {
    let master = servers::Redis::start();
    let port = master.port().to_string();
    let replica = servers::Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
    let writer = Asked::new(Redis::new(&master.url()).unwrap(), BOTH[0]);
    writer.set(&key("x"), &text("v")).unwrap();
    assert!(servers::wait_until(10 * SECOND, || !replica
        .cli(&["--scan"])
        .is_empty()));
    for way in BOTH {
        let store = Asked::new(Redis::new(&replica.url()).unwrap(), way);
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
        let error = store.set(&key("x"), &text("w")).unwrap_err();
        assert!(!is_refused(&*error), "{error}");
        let error = store.evict(&key("x")).unwrap_err();
        assert!(!is_refused(&*error), "{error}");
    }
}

#[test]
fn what_is_no_url_is_said_at_once() {
    let wrong = [
        "",
        "127.0.0.1",
        "http://127.0.0.1",
        "redis://",
        "redis://h/x",
        "redis://u:secret@h:port",
    ];
    for url in wrong {
        let error = Redis::new(url).unwrap_err().to_string();
        assert!(error.contains("redis://user:password@host"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    // a part of the password would be taken for the host, and be shown as such
    for url in [
        "redis://user:4711#secret@h",
        "redis://secret?x@h",
        "rediss://secret/x@h",
        "redis://user:secret#x@h",
        // every scheme that the driver accepts, however written
        "valkey://user:4711/2?secret@h:1",
        "valkeys://user:4711/2?secret@h:1",
        "REDIS://user:4711/2?secret@h:1",
        " redis://user:4711/2?secret@h:1",
        "redis:/\t/user:4711/2?secret@h:1",
    ] {
        let error = Redis::new(url).unwrap_err().to_string();
        assert!(error.contains("percent-encoded"), "{error}");
        assert!(
            !error.contains("secret") && !error.contains("4711"),
            "{error}"
        );
    }
    // a socket is no host, and its path may contain `@`
    Redis::new("redis+unix:///run/redis@1.sock").unwrap();
    assert!(Redis::cluster([""; 0]).is_err());
    assert!(Redis::sentinel([""; 0], "mymaster").is_err());
    let nameless = Redis::sentinel(vec!["redis://127.0.0.1".to_owned()], "");
    let error = nameless.unwrap_err().to_string();
    assert!(error.contains("sentinel monitor"), "{error}");
    assert!(Redis::cluster(["redis://:a@127.0.0.1:1", "redis://:b@127.0.0.1:2"]).is_err());
    assert!(
        Redis::new("redis://127.0.0.1")
            .unwrap()
            .root_certificate("no PEM")
            .is_err()
    );
}
