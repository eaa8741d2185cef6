//! The caches of a service: bounded and unbounded, with rules in several orders, alone and in front of a failing store.

use std::time::Duration;

use cacheado::rules::{Lru, MaxItems, Ttl, WTinyLfu};
use cacheado::testing::{Chaos, ChaosHandle, ManualClock};
use cacheado::{Cache, CacheBuilder, Weighed};
use cacheado_tests::store::Client;

use crate::calls::Asked;
use crate::truth::Value;

const DAY: Duration = Duration::from_hours(24);

/// The number of kinds of caches.
pub const KINDS: usize = 10;

/// What all caches share.
pub struct Fleet {
    /// The store behind some of the caches.
    pub client: Client,
    pub clock: ManualClock,
    /// The long-lived caches.
    pub caches: Vec<Asked>,
    pub chaos: Vec<ChaosHandle>,
}

fn weigh(it: &Weighed<'_>) -> u32 {
    it.value::<Value>().map_or(1, |_| 3)
}

/// The limit of bodies in the background, per cache.
pub const BACKGROUND: usize = 4;

impl Fleet {
    pub fn new() -> Self {
        let client = Client::new();
        let clock = client.store().clock.clone();
        let mut fleet = Self {
            client,
            clock,
            caches: Vec::new(),
            chaos: Vec::new(),
        };
        for kind in 0..KINDS {
            let (asked, chaos) = fleet.cache(kind);
            fleet.caches.push(asked);
            fleet.chaos.extend(chaos);
        }
        fleet
    }

    /// Makes a cache, and returns it with the handle of the faults behind it, if any.
    pub fn cache(&self, kind: usize) -> (Asked, Option<ChaosHandle>) {
        let mut chaos = None;
        let mut failing = || {
            let failing = Chaos::new(self.client.clone()).seed(kind as u64);
            chaos = Some(failing.handle());
            failing.fail(0.05).refuse(0.05).corrupt(0.05).lose(0.02)
        };
        let builder = Cache::builder()
            .flight_timeout(Duration::from_millis(50))
            .background_limit(BACKGROUND);
        // one kind runs on the real clock
        let builder = |manual: bool| -> CacheBuilder {
            let builder = builder;
            if manual {
                builder.clock(self.clock.clone())
            } else {
                builder
            }
        };
        let short = Ttl::new().max(Duration::from_millis(5));
        let (name, builder) = match kind {
            0 => ("unbounded", builder(true)),
            1 => {
                let lru = builder(true).rule(Lru::new(40));
                ("Lru, Ttl", lru.rule(Ttl::new().max(DAY)))
            }
            2 => {
                let ttl = builder(true).rule(Ttl::new().default(DAY));
                ("Ttl, MaxItems", ttl.rule(MaxItems::new(60)))
            }
            3 => {
                let bounded = builder(true).max_items(50);
                ("max_items, stale", bounded.stale(2 * DAY).jitter(0.1))
            }
            4 => ("max_bytes", builder(true).max_bytes(16 << 10)),
            5 => {
                let ttl = builder(true).rule(Ttl::new().max(3 * DAY));
                let weighed = ttl.rule(WTinyLfu::new(200)).weigher(weigh);
                ("Ttl, WTinyLfu, weigher", weighed)
            }
            6 => {
                let rules = builder(false).rule(MaxItems::new(80)).rule(Lru::new(60));
                let swept = short.sweep(Duration::from_millis(5));
                ("MaxItems, Lru, Ttl, real time", rules.rule(swept))
            }
            7 => ("shared", builder(true).backend(failing())),
            8 => {
                let shared = builder(true).backend(failing()).in_process(false);
                ("shared only, Lru", shared.rule(Lru::new(60)))
            }
            _ => {
                let shared = builder(true).backend(failing()).compress_above(16);
                let shared = shared.coherence(Duration::ZERO).max_items(40);
                ("shared, max_items", shared)
            }
        };
        let cache = builder.name(format!("kind {kind}")).build().unwrap();
        (Asked::new(name, cache), chaos)
    }
}
