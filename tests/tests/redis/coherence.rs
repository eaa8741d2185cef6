//! Changes made by one process reach the others, and a process knows when they do not.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use cacheado_backends::Backend;
use cacheado_backends::backend::{Change, Changes};
use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};

use crate::shared::{Asked, BOTH, SECOND, key, patient, scope, text};

/// The changes reported to a process.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub fn by(backend: &Redis) -> Self {
        let heard = Self::default();
        let log = Arc::clone(&heard.0);
        let watched = backend.watch(Changes::new(move |change| {
            let text = match change {
                Change::Key(key) => format!("key {key}"),
                Change::Scope(scope) => format!("scope {scope}"),
                other => format!("{other:?}").to_lowercase(),
            };
            log.lock().unwrap().push(text);
        }));
        assert!(watched);
        heard
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// As [`hears`](Self::hears), within a second plus what a busy machine adds.
    pub fn hears_in_time(&self, what: &str) {
        let began = Instant::now();
        self.hears(what);
        let took = began.elapsed();
        assert!(took < Duration::from_millis(1500), "{took:?}");
    }

    /// Waits for the change `what`, and forgets everything up to it.
    pub fn hears(&self, what: &str) {
        let heard = wait_until(20 * SECOND, || {
            self.0.lock().unwrap().iter().any(|it| it == what)
        });
        assert!(heard, "heard {:?}, but not {what}", self.all());
        let mut log = self.0.lock().unwrap();
        let nth = log.iter().position(|it| it == what).unwrap();
        log.drain(..=nth);
    }
}

#[test]
fn changes_are_heard_by_others_alone() {
    let server = servers::Redis::start();
    for way in BOTH {
        let one = Asked::new(patient(&server.url()), way);
        let other = Asked::new(patient(&server.url()), way);
        let mut stranger = patient(&server.url());
        stranger.bind("another shop");
        let (own, others, strangers) = (
            Heard::by(&one.backend),
            Heard::by(&other.backend),
            Heard::by(&stranger),
        );
        for heard in [&own, &others, &strangers] {
            heard.hears("covered");
        }
        let name = "key organization=acme/user=7 (programmatic)(\"x\")";
        one.set(&key("x"), &text("v")).unwrap();
        others.hears(name);
        one.put(&key("x"), &text("v"), &one.mark(&key("x")).unwrap())
            .unwrap();
        others.hears(name);
        one.evict(&key("x")).unwrap();
        others.hears(name);
        one.evict_by_scope(&scope(&["acme"])).unwrap();
        others.hears("scope organization=acme");
        one.evict_by_scope(&scope(&[])).unwrap();
        others.hears("scope global");
        one.clear().unwrap();
        others.hears("all");
        one.set_many(&[(key("x"), text("v"))]).unwrap();
        others.hears(name);
        // the fill of a load is not reported
        let mark = one.missed(&key("y"));
        one.fill(&key("y"), &text("v"), &mark).unwrap();
        one.get(&key("x")).unwrap();
        // reports arrive in order, so anything before this one would have arrived
        other.clear().unwrap();
        own.hears("all");
        assert_eq!(own.all(), [""; 0]);
        assert_eq!(others.all(), [""; 0]);
        assert_eq!(strangers.all(), [""; 0]);
    }
}

/// A process that takes long to apply each change of a scope. Such a change may remove thousands of entries, and runs the destructors
/// of their values.
struct Slow {
    heard: Heard,
    begins: mpsc::Receiver<()>,
    end: mpsc::Sender<()>,
}

impl Slow {
    fn by(backend: &Redis) -> Self {
        let (began, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel();
        let ends = Mutex::new(ends);
        let heard = Heard::default();
        let log = Arc::clone(&heard.0);
        let watched = backend.watch(Changes::new(move |change| match change {
            Change::Scope(_) => {
                began.send(()).unwrap();
                ends.lock().unwrap().recv().unwrap();
            }
            other => log
                .lock()
                .unwrap()
                .push(format!("{other:?}").to_lowercase()),
        }));
        assert!(watched);
        heard.hears("covered");
        Self { heard, begins, end }
    }
}

#[test]
fn operations_go_on_while_a_change_takes_long() {
    let server = servers::Redis::start();
    let one = Asked::new(patient(&server.url()), BOTH[1]);
    let other = Asked::new(patient(&server.url()), BOTH[1]);
    let slow = Slow::by(&one.backend);
    other.evict_by_scope(&scope(&["acme"])).unwrap();
    slow.begins.recv().unwrap();
    for nth in 0..10 {
        let value = nth.to_string();
        one.set(&key("x"), &text(&value)).unwrap();
        assert_eq!(one.found(&key("x")), Some(value));
    }
    slow.end.send(()).unwrap();
    // and the process does not conclude that its reports are lost
    other.clear().unwrap();
    slow.heard.hears("all");
    assert_eq!(slow.heard.all(), [""; 0]);
}

/// Waiting reports take up memory, and the process learns too late that something is wrong.
#[test]
fn whoever_is_too_far_behind_begins_anew() {
    let server = servers::Redis::start();
    let one = Asked::new(patient(&server.url()), BOTH[1]);
    let backend = patient(&server.url()).timeout(10 * SECOND);
    let other = Asked::new(backend, BOTH[1]);
    let slow = Slow::by(&one.backend);
    other.evict_by_scope(&scope(&["acme"])).unwrap();
    slow.begins.recv().unwrap();
    // twice as many as may wait, since some may still be in transit
    let entries: Vec<_> = (0..20_000)
        .map(|nth| (key(&nth.to_string()), text("v")))
        .collect();
    other.set_many(&entries).unwrap();
    let sent = || {
        let clients = server.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        clients.lines().all(|client| client.contains(" omem=0 "))
    };
    assert!(wait_until(20 * SECOND, sent), "the server keeps it back");
    slow.end.send(()).unwrap();
    slow.heard.hears("lost");
    slow.heard.hears("covered");
    other.clear().unwrap();
    slow.heard.hears("all");
}

#[test]
fn a_lost_connection_is_known_and_made_again() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let other = Asked::new(patient(&server.url()), BOTH[0]);
    let heard = Heard::by(&store.backend);
    heard.hears("covered");
    server.kill();
    heard.hears("lost");
    server.restart();
    heard.hears("covered");
    other.evict(&key("x")).unwrap();
    heard.hears("key organization=acme/user=7 (programmatic)(\"x\")");
}

#[test]
fn what_a_snapshot_brings_back_is_gone_before_anything_is_trusted() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(patient(&server.url()), way);
        let heard = Heard::by(&store.backend);
        heard.hears("covered");
        store.set(&key("x"), &text("old")).unwrap();
        server.cli(&["SET", "theirs", "v"]);
        assert_eq!(server.cli(&["SAVE"]), "OK");
        assert!(store.evict(&key("x")).unwrap());
        server.restart();
        heard.hears("lost");
        heard.hears("covered");
        assert_eq!(store.found(&key("x")), None);
        assert_eq!(server.cli(&["GET", "theirs"]), "v");
    }
}

#[test]
fn one_process_clears_what_a_snapshot_brought_back() {
    let server = servers::Redis::start();
    let network = servers::Proxy::start(server.addr());
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let late = Asked::new(Redis::new(&network.url("redis")).unwrap(), BOTH[0]);
    let (heard, late) = (Heard::by(&store.backend), Heard::by(&late.backend));
    for heard in [&heard, &late] {
        heard.hears("covered");
    }
    network.cut();
    server.restart();
    heard.hears("lost");
    heard.hears("covered");
    store.set(&key("x"), &text("v")).unwrap();
    network.restore();
    late.hears("lost");
    late.hears("covered");
    assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
}

#[test]
fn what_a_server_remembers_as_it_was_stays() {
    let forgets = servers::Redis::start();
    let network = servers::Proxy::start(forgets.addr());
    let remembers = servers::Redis::start_durable();
    let cut_off = || {
        network.cut();
        network.restore();
    };
    let restart = || remembers.restart();
    let ways: [(String, &dyn Fn()); 2] = [
        (network.url("redis"), &cut_off),
        (remembers.url(), &restart),
    ];
    for (url, interrupt) in ways {
        let store = Asked::new(Redis::new(&url).unwrap(), BOTH[0]);
        let heard = Heard::by(&store.backend);
        heard.hears("covered");
        store.set(&key("x"), &text("v")).unwrap();
        store.set(&key("y"), &text("old")).unwrap();
        store.evict(&key("y")).unwrap();
        interrupt();
        heard.hears("lost");
        heard.hears("covered");
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
        assert_eq!(store.found(&key("y")), None);
    }
}

#[test]
fn one_that_hangs_is_known_within_a_second() {
    let server = servers::Redis::start();
    let network = servers::Proxy::start(server.addr());
    let backend = Redis::new(&network.url("redis")).unwrap();
    let heard = Heard::by(&backend);
    heard.hears("covered");
    network.stall();
    heard.hears_in_time("lost");
    network.restore();
    heard.hears("covered");
}

#[test]
fn what_can_not_be_read_is_everything() {
    let server = servers::Redis::start();
    let store = Asked::new(patient(&server.url()), BOTH[0]);
    let heard = Heard::by(&store.backend);
    heard.hears("covered");
    server.cli(&["PUBLISH", "{shop}changes", "short"]);
    heard.hears("all");
    server.cli(&["PUBLISH", "{shop}changes", "somebody's own message"]);
    heard.hears("all");
}

#[test]
fn a_watch_begins_once_there_is_a_server_and_ends_with_the_backend() {
    let server = servers::Redis::start();
    server.kill();
    let backend = patient(&server.url());
    let heard = Heard::by(&backend);
    server.restart();
    heard.hears("covered");
    let subscribers = || server.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    assert_eq!(subscribers().lines().count(), 1);
    drop(backend);
    assert!(wait_until(10 * SECOND, || subscribers().is_empty()));
    assert_eq!(heard.all(), [""; 0]);
}
