//! A Redis Cluster.

use cacheado_backends::redis::Redis;
use cacheado_backends::{Backend, Key, address as names};
use cacheado_tests::servers::{self, wait_until};

use crate::coherence::Heard;
use crate::shared::{Asked, BOTH, SECOND, Way, key, key_in, scope, text};

fn backend(cluster: &servers::RedisCluster) -> Redis {
    let urls = cluster.urls();
    let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    // for a busy machine
    backend.timeout(SECOND)
}

fn store(cluster: &servers::RedisCluster, way: Way) -> Asked {
    Asked::new(backend(cluster), way)
}

#[test]
fn all_operations_reach_the_nodes_that_they_concern() {
    let cluster = servers::RedisCluster::start();
    for way in BOTH {
        let store = store(&cluster, way);
        let other = self::store(&cluster, way);
        let heard = Heard::by(&other.backend);
        heard.hears("covered");
        // of many tenants, and so on all nodes
        let keys: Vec<_> = (0..60)
            .map(|nth| key_in(&[&nth.to_string(), "7"], "x"))
            .collect();
        let entries: Vec<_> = keys.iter().map(|key| (key.clone(), text("v"))).collect();
        store.set_many(&entries).unwrap();
        let masters = &cluster.nodes()[..3];
        assert!(
            masters
                .iter()
                .all(|node| node.cli(&["--scan"]).lines().count() > 10)
        );
        let found = store.get_many(&keys).unwrap();
        assert!(found.into_iter().all(|lookup| lookup.hit().is_some()));
        assert_eq!(store.evict_by_scope(&scope(&["3"])).unwrap(), 1);
        assert!(store.evict(&keys[4]).unwrap());
        let mark = store.missed(&keys[4]);
        assert!(store.fill(&keys[4], &text("w"), &mark).unwrap());
        let lease = store.granted(&keys[3], 10 * SECOND);
        assert!(other.is_taken(&keys[3]));
        other.evict(&keys[3]).unwrap();
        assert!(!store.fill(&keys[3], &text("w"), &lease).unwrap());
        assert_eq!(store.evict_by_scope(&scope(&[])).unwrap(), 59);
        heard.hears("scope organization=3");
        heard.hears("scope global");
        store.set_many(&entries).unwrap();
        store.clear().unwrap();
        heard.hears("all");
        let found = store.get_many(&keys).unwrap();
        assert!(found.into_iter().all(|lookup| lookup.hit().is_none()));
    }
}

#[test]
fn what_the_nodes_do_not_pass_on_is_heard_all_the_same() {
    let cluster = servers::RedisCluster::start_with_buses();
    let store = store(&cluster, BOTH[0]);
    // of many tenants, and so on all nodes
    let tenants: Vec<_> = (0..60).map(|nth| nth.to_string()).collect();
    let keys = || tenants.iter().map(|tenant| key_in(&[tenant, "7"], "x"));
    let entries: Vec<_> = keys().map(|key| (key, text("v"))).collect();
    store.set_many(&entries).unwrap();
    let other = self::store(&cluster, BOTH[0]);
    let heard = Heard::by(&other.backend);
    heard.hears("covered");
    for bus in &cluster.buses()[..3] {
        bus.stall();
    }
    for key in keys() {
        assert!(store.evict(&key).unwrap());
        heard.hears(&format!("key {key}"));
    }
    for tenant in &tenants {
        store.evict_by_scope(&scope(&[tenant])).unwrap();
        heard.hears(&format!("scope organization={tenant}"));
    }
    store.evict_by_scope(&scope(&[])).unwrap();
    heard.hears("scope global");
    store.clear().unwrap();
    heard.hears("all");
}

#[test]
fn a_master_that_the_others_have_replaced_is_trusted_no_more() {
    let cluster = servers::RedisCluster::start_with_buses();
    let (nodes, buses) = (cluster.nodes(), cluster.buses());
    let store = store(&cluster, BOTH[0]);
    let heard = Heard::by(&store.backend);
    heard.hears("covered");
    for old in 0..3 {
        let new = cluster.replica_of(old);
        // the old master does not learn of it
        buses[old].stall();
        buses[new].stall();
        assert_eq!(nodes[new].cli(&["CLUSTER", "FAILOVER", "TAKEOVER"]), "OK");
        heard.hears_in_time("lost");
        assert!(nodes[old].cli(&["ROLE"]).starts_with("master"));
        let info = nodes[old].cli(&["CLUSTER", "INFO"]);
        assert!(info.contains("cluster_state:ok"), "{info}");
        heard.hears("covered");
        let subscribers = nodes[new].cli(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        assert_eq!(subscribers.lines().count(), 1, "{subscribers}");
        nodes[new].cli(&["PUBLISH", "{shop}changes", "somebody's own message"]);
        heard.hears("all");
        buses[old].restore();
        buses[new].restore();
        let follows = || nodes[old].cli(&["ROLE"]).starts_with("slave");
        assert!(wait_until(20 * SECOND, follows));
    }
}

#[test]
fn a_node_that_dies_is_replaced_by_its_replica() {
    let cluster = servers::RedisCluster::start();
    let stores = BOTH.map(|way| store(&cluster, way));
    let heard = Heard::by(&stores[0].backend);
    heard.hears("covered");
    for store in &stores {
        store.set(&key("x"), &text("v")).unwrap();
    }
    // the node that has the entry
    let has = |node: &&servers::Redis| node.cli(&["--scan"]).contains("organization=acme");
    let node = cluster.nodes()[..3].iter().find(has).unwrap();
    node.kill();
    heard.hears_in_time("lost");
    for store in &stores {
        let back = wait_until(20 * SECOND, || store.set(&key("x"), &text("back")).is_ok());
        assert!(back, "{:?}", store.set(&key("x"), &text("back")));
        assert_eq!(store.found(&key("x")).as_deref(), Some("back"));
    }
    heard.hears("covered");
    stores[1].evict(&key("x")).unwrap();
    heard.hears("key organization=acme/user=7 (programmatic)(\"x\")");
}

/// As with a single server. Commands to other nodes are not given up.
#[test]
fn what_was_given_up_is_not_sent_later() {
    for way in BOTH {
        let cluster = servers::RedisCluster::start_with_fronts();
        let (node, fronts) = (&cluster.nodes()[0], cluster.fronts());
        let store = Asked::new(backend(&cluster).timeout(SECOND / 5), way);
        let keys: Vec<_> = (0..60)
            .map(|nth| key_in(&[&nth.to_string(), "7"], "x"))
            .collect();
        for key in &keys {
            assert!(wait_until(10 * SECOND, || store
                .set(key, &text("v"))
                .is_ok()));
        }
        let stored = node.cli(&["--scan"]);
        let is_there = |key: &&Key| stored.contains(&names::scope(&key.scope()));
        let (there, elsewhere): (Vec<_>, Vec<_>) = keys.iter().partition(is_there);
        let clients = || {
            node.cli(&["CLIENT", "LIST", "TYPE", "normal"])
                .lines()
                .count()
        };
        let before = clients();
        fronts[0].stall();
        let large = text(&"w".repeat(256 * 1024));
        store.set(there[0], &large).unwrap_err();
        let closed = wait_until(10 * SECOND, || fronts[0].given_up() == 1);
        assert!(closed, "{way:?}");
        for key in elsewhere {
            assert_eq!(store.found(key).as_deref(), Some("v"), "{way:?}");
        }
        assert!(fronts[1..].iter().all(|it| it.given_up() == 0), "{way:?}");
        fronts[0].restore();
        assert!(wait_until(10 * SECOND, || store.get(there[0]).is_ok()));
        // and a new connection has replaced the one that was given up
        assert!(wait_until(10 * SECOND, || clients() == before), "{way:?}");
        let found = store.found(there[0]);
        assert_eq!(found.as_deref(), Some("v"), "it was sent, {way:?}");
    }
}

/// As with a single server, whether the call goes to one node or to several at once.
#[test]
fn what_a_caller_who_went_away_had_not_sent_is_not_sent_later() {
    let cluster = servers::RedisCluster::start_with_fronts();
    let (node, fronts) = (&cluster.nodes()[0], cluster.fronts());
    let mut store = backend(&cluster).timeout(10 * SECOND);
    store.bind("shop");
    let keys: Vec<_> = (0..60)
        .map(|nth| key_in(&[&nth.to_string(), "7"], "x"))
        .collect();
    for key in &keys {
        assert!(wait_until(10 * SECOND, || store
            .set(key, &text("v"))
            .is_ok()));
    }
    let stored = node.cli(&["--scan"]);
    let is_there = |key: &&Key| stored.contains(&names::scope(&key.scope()));
    let (there, elsewhere): (Vec<_>, Vec<_>) = keys.iter().partition(is_there);
    let large = text(&"w".repeat(4 * 1024 * 1024));
    let entries = [there[0].clone(), elsewhere[0].clone()].map(|key| (key, large.clone()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (nth, many) in [false, true].into_iter().enumerate() {
        runtime.block_on(async {
            store.get_async(there[0]).await.unwrap();
            fronts[0].stall();
            let set = if many {
                store.set_many_async(&entries)
            } else {
                store.set_async(there[0], &large)
            };
            tokio::time::timeout(SECOND / 10, set).await.unwrap_err();
        });
        let given_up = || fronts[0].given_up() == nth + 1;
        assert!(wait_until(10 * SECOND, given_up), "{many}");
        fronts[0].restore();
        assert!(wait_until(10 * SECOND, || store.get(there[0]).is_ok()));
        let found = store.get(there[0]).unwrap().hit().unwrap();
        assert_eq!(*found.bytes, *text("v").bytes, "it was sent, {many}");
    }
}

#[test]
fn nobody_there() {
    let cluster = servers::RedisCluster::start();
    for node in cluster.nodes() {
        node.kill();
    }
    for way in BOTH {
        let store = store(&cluster, way);
        let error = store.get(&key("x")).unwrap_err();
        assert!(
            !error.is::<cacheado_backends::backend::Refused>(),
            "{error}"
        );
    }
}
