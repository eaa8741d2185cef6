//! A cluster in which one node is out and not replaced: the other nodes' entries are still served, and callers don't wait for the node
//! each time.

use cacheado::Cache;
use cacheado::testing::ManualClock;
use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};
use futures::executor::block_on;

use crate::shared::{BOTH, SECOND, Way, scope};

/// This many failures in a row open the circuit breaker.
const FAILURES: u32 = 3;
const TENANTS: usize = 60;
const KEYS: u32 = 200;

type Outage = (
    &'static str,
    fn(&servers::RedisCluster),
    fn(&servers::RedisCluster),
);

const OUTAGES: [Outage; 2] = [
    (
        "hangs",
        |it| it.nodes()[0].pause(),
        |it| it.nodes()[0].resume(),
    ),
    (
        "is dead",
        |it| it.nodes()[0].kill(),
        |it| it.nodes()[0].restart(),
    ),
];

/// A shared-only cache on the cluster, whose open breaker stays open until its clock is advanced. Each way has a cache name of its
/// own, so it does not receive the other way's last changes: a put that meets their reports would be evicted.
fn cache(cluster: &servers::RedisCluster, clock: &ManualClock, way: Way) -> Cache {
    let urls = cluster.urls();
    let backend = Redis::cluster(urls.iter().map(String::as_str)).unwrap();
    Cache::builder()
        .name(format!("shop-{way:?}"))
        .in_process(false)
        .backend(backend.timeout(SECOND / 5))
        .circuit_breaker(FAILURES, SECOND)
        .clock(clock.clone())
        .build()
        .unwrap()
}

fn of(cache: &Cache, way: Way, tenant: usize) -> Option<u32> {
    let get = cache.get("x").scope(scope(&[&tenant.to_string()]));
    match way {
        Way::Blocking => get.run().unwrap(),
        Way::Async => block_on(get.into_future()).unwrap(),
    }
}

fn store(cache: &Cache) {
    for tenant in 0..TENANTS {
        let scope = scope(&[&tenant.to_string()]);
        let stored = || cache.set("x", &1_u32).scope(scope.clone()).run().is_ok();
        assert!(wait_until(10 * SECOND, stored));
    }
    let stored = || {
        cache
            .set_many((0..KEYS).map(|key| (key, &1_u32)))
            .run()
            .is_ok()
    };
    assert!(wait_until(10 * SECOND, stored));
}

#[test]
fn a_node_that_is_out_costs_what_it_has_alone() {
    for (outage, begin, end) in OUTAGES {
        let cluster = servers::RedisCluster::start_without_failover();
        for way in BOTH {
            let clock = ManualClock::new();
            let cache = cache(&cluster, &clock, way);
            store(&cache);
            assert!((0..TENANTS).all(|tenant| of(&cache, way, tenant) == Some(1)));
            begin(&cluster);
            cache.reset_stats();
            let found: Vec<bool> = (0..TENANTS)
                .map(|tenant| of(&cache, way, tenant).is_some())
                .collect();
            let lost = found.iter().filter(|found| !**found).count();
            assert!((10..TENANTS - 20).contains(&lost), "{lost}, it {outage}");
            for (tenant, found) in found.iter().enumerate() {
                let again = of(&cache, way, tenant).is_some();
                assert_eq!(again, *found, "{tenant}, it {outage}, {way:?}");
            }
            let stats = cache.stats();
            assert_eq!(stats.backend_errors, u64::from(FAILURES), "it {outage}");
            let lost = u64::try_from(lost).unwrap();
            assert_eq!(stats.backend_skips, 2 * lost - u64::from(FAILURES));

            end(&cluster);
            let back = || {
                clock.advance(SECOND);
                (0..TENANTS).all(|tenant| {
                    let scope = scope(&[&tenant.to_string()]);
                    cache.set("x", &1_u32).scope(scope).run().is_ok()
                })
            };
            assert!(wait_until(20 * SECOND, back), "it {outage}, {way:?}");
        }
    }
}

#[test]
fn of_many_keys_those_at_a_node_that_is_out_are_missing_alone() {
    let cluster = servers::RedisCluster::start_without_failover();
    for way in BOTH {
        let clock = ManualClock::new();
        let cache = cache(&cluster, &clock, way);
        store(&cache);
        let many = || {
            let get = cache.get_many::<u32, _>(0..KEYS);
            let found = match way {
                Way::Blocking => get.run(),
                Way::Async => block_on(get.into_future()),
            };
            found.unwrap().iter().filter(|it| it.is_some()).count()
        };
        assert_eq!(many(), 200);
        cluster.nodes()[0].pause();
        // the first call learns which node is out, and loses only that node's entries
        let found = many();
        assert!((50..180).contains(&found), "{found}");
        assert_eq!(many(), found, "{way:?}");
        let put = cache.set_many((0..KEYS).map(|key| (key, &1_u32))).run();
        put.unwrap_err();
        let single = (0..KEYS).filter(|key| {
            let found: Option<u32> = cache.get(key).run().unwrap();
            found.is_some()
        });
        assert_eq!(single.count(), found, "{way:?}");
        assert_eq!(many(), found, "{way:?}");
        cluster.nodes()[0].resume();
        let back = || {
            clock.advance(SECOND);
            let put = cache.set_many((0..KEYS).map(|key| (key, &1_u32))).run();
            put.is_ok() && many() == 200
        };
        assert!(wait_until(20 * SECOND, back), "{way:?}");
    }
}
