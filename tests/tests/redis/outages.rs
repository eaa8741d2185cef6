//! Servers that are down, that hang, and that come back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cacheado_backends::Backend as _;
use cacheado_backends::backend::Refused;
use cacheado_backends::redis::Redis;
use cacheado_tests::servers;
use tokio::runtime::Runtime;

use crate::shared::{Asked, BOTH, SECOND, key, scope, text};

const LIMIT: Duration = Duration::from_millis(100);
/// `LIMIT` and what a busy machine may add to it.
const BOUND: Duration = Duration::from_millis(400);

/// Checks that each operation fails in time.
fn fails(store: &Asked) {
    type Operation = fn(&Asked) -> Option<Box<dyn std::error::Error + Send + Sync>>;
    let operations: [Operation; 7] = [
        |store| store.get(&key("x")).err(),
        |store| store.mark(&key("x")).err(),
        |store| store.set(&key("x"), &text("v")).err(),
        |store| store.evict(&key("x")).err(),
        |store| store.evict_by_scope(&scope(&["acme"])).err(),
        |store| store.clear().err(),
        |store| store.get_many(&[key("x"), key("y")]).err(),
    ];
    for (nth, operation) in operations.iter().enumerate() {
        let began = Instant::now();
        let error = operation(store).expect("the server is down");
        let took = began.elapsed();
        assert!(took < BOUND, "operation {nth} took {took:?}: {error}");
        assert!(!error.is::<Refused>(), "{error}");
    }
}

/// Checks that operations work again soon.
fn works(store: &Asked) {
    let back = servers::wait_until(5 * SECOND, || store.set(&key("x"), &text("back")).is_ok());
    assert!(back, "{:?}", store.set(&key("x"), &text("back")));
    assert_eq!(store.found(&key("x")).as_deref(), Some("back"));
}

#[test]
fn nobody_there() {
    let server = servers::Redis::start();
    server.kill();
    for way in BOTH {
        let store = Asked::new(Redis::new(&server.url()).unwrap().timeout(LIMIT), way);
        fails(&store);
        server.restart();
        works(&store);
        server.kill();
        fails(&store);
    }
}

#[test]
fn a_restart_that_nobody_noticed_fails_nothing() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(Redis::new(&server.url()).unwrap(), way);
        store.set(&key("x"), &text("v")).unwrap();
        server.kill();
        server.restart();
        assert_eq!(store.found(&key("x")), None);
        store.set(&key("x"), &text("v")).unwrap();
    }
}

#[test]
fn one_that_never_answers() {
    let silent = servers::Silent::start();
    for way in BOTH {
        let url = silent.url("redis");
        let store = Asked::new(Redis::new(&url).unwrap().timeout(LIMIT), way);
        fails(&store);
    }
}

/// However many commands a connection starts with, and whether or not it is encrypted.
#[test]
fn one_that_never_answers_is_waited_for_once() {
    let silent = servers::Silent::start();
    let limit = 5 * LIMIT;
    for way in BOTH {
        for scheme in ["redis", "rediss"] {
            let address = silent.url(scheme);
            let address = address.replace("://", "://user:password@");
            let url = format!("{address}/3");
            let store = Asked::new(Redis::new(&url).unwrap().timeout(limit), way);
            let began = Instant::now();
            let error = store.get(&key("x")).unwrap_err().to_string();
            let took = began.elapsed();
            assert!(took < limit + BOUND - LIMIT, "{way:?} took {took:?}");
            assert_eq!(error, "no answer within 500ms");
        }
    }
}

#[test]
fn one_that_pauses() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(Redis::new(&server.url()).unwrap().timeout(LIMIT), way);
        store.set(&key("x"), &text("v")).unwrap();
        server.pause();
        let error = store.get(&key("x")).unwrap_err().to_string();
        assert_eq!(error, "no answer within 100ms", "{way:?}");
        fails(&store);
        server.resume();
        works(&store);
    }
}

/// However many commands are sent together, they time out once, even on a connection that was in use before.
#[test]
fn many_commands_of_one_that_pauses_are_one_wait() {
    type Operation = fn(&Asked) -> Option<Box<dyn std::error::Error + Send + Sync>>;
    let operations: [Operation; 3] = [
        |store| {
            let keys: Vec<_> = (0..300).map(|n| key(&n.to_string())).collect();
            store.get_many(&keys).err()
        },
        |store| store.clear().err(),
        |store| store.get(&key("x")).err(),
    ];
    let server = servers::Redis::start();
    for way in BOTH {
        for (nth, operation) in operations.iter().enumerate() {
            let store = Asked::new(Redis::new(&server.url()).unwrap().timeout(LIMIT), way);
            store.clear().unwrap();
            server.pause();
            let began = Instant::now();
            operation(&store).expect("the server says nothing");
            let took = began.elapsed();
            server.resume();
            assert!(took < BOUND, "operation {nth} took {took:?}");
        }
    }
}

#[test]
fn a_cable_that_is_pulled_out_and_plugged_in() {
    let server = servers::Redis::start();
    let network = servers::Proxy::start(server.addr());
    for way in BOTH {
        let url = network.url("redis");
        let store = Asked::new(Redis::new(&url).unwrap().timeout(LIMIT), way);
        store.set(&key("x"), &text("v")).unwrap();
        network.stall();
        fails(&store);
        network.restore();
        works(&store);
        network.cut();
        fails(&store);
        network.restore();
        works(&store);
    }
}

/// What was sent into an interrupted network is delivered when the network is back. A command given up meanwhile is older than those
/// on the next connection.
#[test]
fn what_was_given_up_is_not_sent_later() {
    let server = servers::Redis::start();
    for way in BOTH {
        let network = servers::Proxy::start(server.addr());
        let url = network.url("redis");
        let store = Asked::new(Redis::new(&url).unwrap().timeout(LIMIT), way);
        store.set(&key("before"), &text("v")).unwrap();
        network.stall();
        store.set(&key("x"), &text(&large())).unwrap_err();
        assert!(given_up(&network), "{way:?}");
        network.restore();
        assert!(alone(&server), "{way:?}");
        assert!(store.found(&key("x")).is_none(), "it was sent, {way:?}");
        assert_eq!(store.found(&key("before")).as_deref(), Some("v"));
    }
}

/// If the connection stayed open for its other users, it would deliver commands older than those on the next one.
#[test]
fn a_connection_is_given_up_for_all_that_share_it() {
    let server = servers::Redis::start();
    let network = servers::Proxy::start(server.addr());
    let mut store = Redis::new(&network.url("redis"))
        .unwrap()
        .timeout(2 * SECOND);
    store.bind("shop");
    let store = Arc::new(store);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        store.set_async(&key("before"), &text("v")).await.unwrap();
        network.stall();
        let later = Arc::clone(&store);
        let later = tokio::spawn(async move {
            // in flight when the other command is given up
            tokio::time::sleep(SECOND).await;
            later.get_async(&key("before")).await
        });
        let x = key("x");
        store.set_async(&x, &text(&large())).await.unwrap_err();
        assert!(given_up(&network));
        assert!(!later.is_finished(), "it was closed by itself");
        network.restore();
        later.await.unwrap().unwrap().hit().unwrap();
        assert!(store.get_async(&x).await.unwrap().hit().is_none());
    });
}

/// Later commands on another connection are newer than the set whose caller was dropped.
#[test]
fn what_a_caller_who_went_away_had_not_sent_is_not_sent_later() {
    let server = servers::Redis::start();
    let runtime = Runtime::new().unwrap();
    for many in [false, true] {
        let network = servers::Proxy::start(server.addr());
        let mut store = Redis::new(&network.url("redis"))
            .unwrap()
            .timeout(10 * SECOND);
        store.bind("shop");
        runtime.block_on(async {
            let (x, large) = (key("x"), text(&large()));
            store.clear_async().await.unwrap();
            network.stall();
            let entries = [(x.clone(), large.clone())];
            let set = if many {
                store.set_many_async(&entries)
            } else {
                store.set_async(&x, &large)
            };
            tokio::time::timeout(SECOND / 10, set).await.unwrap_err();
            assert!(given_up(&network), "{many}");
            network.restore();
            assert!(alone(&server), "{many}");
            assert!(store.get_async(&x).await.unwrap().hit().is_none(), "{many}");
        });
    }
}

/// Lookups that run late do no harm, and a new connection would cost others a round trip.
#[test]
fn a_look_up_whose_caller_went_away_costs_no_connection() {
    let server = servers::Redis::start();
    let mut store = Redis::new(&server.url()).unwrap().timeout(10 * SECOND);
    store.bind("shop");
    let connections = || {
        let stats = server.cli(&["info", "stats"]);
        let received = stats
            .lines()
            .find(|it| it.starts_with("total_connections_received:"));
        received
            .unwrap()
            .trim_end()
            .rsplit_once(':')
            .unwrap()
            .1
            .parse::<u32>()
            .unwrap()
    };
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let (x, v) = (key("x"), text("v"));
        store.set_async(&x, &v).await.unwrap();
        let before = connections();
        for _ in 0..10 {
            server.pause();
            tokio::time::timeout(SECOND / 100, store.get_async(&x))
                .await
                .unwrap_err();
            server.resume();
            store.get_async(&x).await.unwrap().hit().unwrap();
        }
        // the call that reads the count is a connection itself
        assert_eq!(connections(), before + 1);
    });
}

/// More than the other end buffers unread, and less than this end buffers unsent.
fn large() -> String {
    "v".repeat(256 * 1024)
}

fn given_up(network: &servers::Proxy) -> bool {
    servers::wait_until(10 * SECOND, || network.given_up() == 1)
}

/// Whether the call that asks is the only client left.
fn alone(server: &servers::Redis) -> bool {
    let alone = || {
        let clients = server.cli(&["info", "clients"]);
        clients.contains("connected_clients:1\r")
    };
    servers::wait_until(10 * SECOND, alone)
}

#[test]
fn answers_are_never_another_operations() {
    let server = servers::Redis::start();
    for way in BOTH {
        let store = Asked::new(Redis::new(&server.url()).unwrap().timeout(LIMIT), way);
        for nth in 0..10 {
            store
                .set(&key(&nth.to_string()), &text(&nth.to_string()))
                .unwrap();
        }
        server.pause();
        assert!(store.get(&key("0")).is_err());
        server.resume();
        for nth in (1..10).cycle().take(100) {
            let found = store.get(&key(&nth.to_string()));
            if let Ok(found) = found {
                assert_eq!(&*found.hit().unwrap().bytes, nth.to_string().as_bytes());
            }
        }
    }
}
