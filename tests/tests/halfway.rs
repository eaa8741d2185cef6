//! A scope is evicted entry by entry. A load that begins meanwhile may read an entry about to be evicted, through another function
//! that its body calls. The value it derives is as old as that entry, and is not kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use cacheado::{Cache, cache, cache_evict, scopes};
use cacheado_tests::store::Client;
use futures::executor::block_on;

scopes! {
    organization(org_id) { user(user_id) }
}

struct World {
    cache: Cache,
    source: AtomicU32,
}

#[cache(cache = w.cache, skip(w), scope = "user")]
fn part(w: &World, org_id: &str, user_id: u32) -> u32 {
    w.source.load(Ordering::SeqCst)
}

#[cache(cache = w.cache, skip(w), scope = "organization")]
fn whole(w: &World, org_id: &str) -> u32 {
    part(w, org_id, 7)
}

#[cache(cache = w.cache, skip(w), scope = "organization", single_flight = false)]
async fn whole_async(w: &World, org_id: &str) -> u32 {
    part(w, org_id, 7)
}

#[cache(cache = w.cache, skip(w), scope = "organization", batch(ids))]
fn wholes(w: &World, org_id: &str, ids: &[u32]) -> std::collections::HashMap<u32, u32> {
    ids.iter().map(|&id| (id, part(w, org_id, 7))).collect()
}

#[cache_evict(cache = w.cache, scope = "organization")]
fn written(w: &World, org_id: &str) {}

#[cache_evict(whole(w, org_id), part(w, org_id, 7))]
fn rewritten(w: &World, org_id: &str) {}

#[cache_evict(whole_async(w, org_id), part(w, org_id, 7))]
fn rewritten_async(w: &World, org_id: &str) {}

#[cache_evict(whole(w, org_id), part(w, org_id, 7))]
async fn rewritten_by_async(w: &World, org_id: &str) {}

/// Runs `load` in the middle of `evict`. Afterwards only new values are left.
fn comes_upon_a_load(load: fn(&World) -> u32, way: &str, evict: fn(&Cache, &World)) {
    let client = Client::new();
    let cache = client.builder().scopes(scope::hierarchy()).build();
    let w = Arc::new(World {
        cache: cache.expect("a cache"),
        source: AtomicU32::new(1),
    });
    assert_eq!(load(&w), 1);
    w.source.store(2, Ordering::SeqCst);
    let meanwhile = Arc::clone(&w);
    let halfway = move || {
        let loaded = thread::spawn(move || load(&meanwhile)).join();
        assert_eq!(loaded.expect("no panic"), 1, "the part is there still");
    };
    *client.store().halfway.lock().expect("unpoisoned") = Some(Box::new(halfway));
    evict(&w.cache, &w);
    assert!(client.store().halfway.lock().expect("unpoisoned").is_none());
    assert_eq!(load(&w), 2, "{way}");
    assert_eq!(part(&w, "acme", 7), 2, "{way}");
    // values loaded from then on are kept
    w.source.store(3, Ordering::SeqCst);
    assert_eq!(load(&w), 2, "{way}");
}

#[test]
fn what_a_load_makes_of_what_is_about_to_go_does_not_stay() {
    let loads: [fn(&World) -> u32; 3] = [
        |w| whole(w, "acme"),
        |w| block_on(whole_async(w, "acme")),
        |w| wholes(w, "acme", &[1])[&1],
    ];
    for load in loads {
        comes_upon_a_load(load, "by scope", |cache, _| {
            let evicted = cache.evict_by_scope(scope::organization("acme")).run();
            evicted.expect("evicted");
        });
        comes_upon_a_load(load, "by scope, async", |cache, _| {
            let evict = async { cache.evict_by_scope(scope::organization("acme")).await };
            block_on(evict).expect("evicted");
        });
        comes_upon_a_load(load, "by attribute", |_, w| written(w, "acme"));
        comes_upon_a_load(load, "clear", |cache, _| {
            cache.clear().run().expect("cleared");
        });
        comes_upon_a_load(load, "clear, async", |cache, _| {
            block_on(async { cache.clear().await }).expect("cleared");
        });
    }
}

#[test]
fn a_load_of_another_tenant_stays() {
    let client = Client::new();
    let cache = client.builder().scopes(scope::hierarchy()).build();
    let w = Arc::new(World {
        cache: cache.expect("a cache"),
        source: AtomicU32::new(1),
    });
    let meanwhile = Arc::clone(&w);
    let halfway = move || assert_eq!(whole(&meanwhile, "globex"), 1);
    *client.store().halfway.lock().expect("unpoisoned") = Some(Box::new(halfway));
    let evicted = w.cache.evict_by_scope(scope::organization("acme")).run();
    assert_eq!(evicted.expect("evicted"), 0);
    w.source.store(2, Ordering::SeqCst);
    assert_eq!(whole(&w, "globex"), 1);
}

#[test]
fn nor_does_it_of_one_of_several_calls_that_are_evicted() {
    let whole: fn(&World) -> u32 = |w| whole(w, "acme");
    comes_upon_a_load(whole, "calls", |_, w| rewritten(w, "acme"));
    comes_upon_a_load(whole, "calls, async", |_, w| {
        block_on(rewritten_by_async(w, "acme"));
    });
    let whole: fn(&World) -> u32 = |w| block_on(whole_async(w, "acme"));
    comes_upon_a_load(whole, "calls of async", |_, w| rewritten_async(w, "acme"));
}
