//! The futures of operations, and of async functions that await them, can be spawned, even where they borrow.
//!
//! It is not enough that each is `Send` by itself: inside an async function whose arguments are references, the compiler requires this
//! for all lifetimes at once.

use cacheado::{Cache, Result, Scope, cache, cache_evict};

cacheado::scopes! { organization(org_id) { user(user_id) } }

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

async fn operations(cache: &Cache, key: &str) -> Result<()> {
    assert!(cache.set(key, &1_u32).await?);
    assert_eq!(cache.get(key).await?, Some(1_u32));
    assert_eq!(cache.keys().await?.len(), 1);
    assert!(cache.evict(key).await?);
    assert_eq!(cache.get_or_load(key, || async { 2_u32 }).await?, 2);
    let loaded = cache.try_get_or_load("other", || async { Ok::<_, ()>(3_u32) });
    assert_eq!(loaded.await, Ok(3));
    assert_eq!(cache.evict_by_scope(Scope::global()).await?, 2);
    cache.clear().await
}

#[tokio::test]
async fn an_async_function_that_awaits_operations_can_be_spawned() {
    async fn task(cache: Cache, key: String) -> Result<()> {
        operations(&cache, &key).await
    }
    tokio::spawn(task(cache(), "key".to_owned()))
        .await
        .unwrap()
        .unwrap();
}

#[cache(scope = "user", cache = cache, skip(cache))]
async fn name(cache: &Cache, org_id: &str, user_id: &str) -> String {
    let _ = cache;
    format!("{user_id}@{org_id}")
}

#[cache_evict(name(cache, org_id, user_id))]
async fn rename(cache: &Cache, org_id: &str, user_id: &str) {
    let _ = (cache, org_id, user_id);
}

#[cache_evict(scope = "organization", cache = cache)]
async fn close(cache: &Cache, org_id: &str) {
    let _ = (cache, org_id);
}

#[tokio::test]
async fn annotated_functions_can_be_spawned() {
    async fn task(cache: Cache, org_id: String, user_id: String) -> Cache {
        name(&cache, &org_id, &user_id).await;
        rename(&cache, &org_id, &user_id).await;
        name(&cache, &org_id, &user_id).await;
        close(&cache, &org_id).await;
        cache
    }
    let cache = tokio::spawn(task(cache(), "acme".to_owned(), "7".to_owned()))
        .await
        .unwrap();
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.evictions, stats.total_keys), (2, 2, 0));
}

/// The part that waits is boxed, and so is the load around a body, so the future holds its body once. Such futures are nested, and
/// each one also takes its room on the stack.
#[test]
fn the_future_of_a_call_is_little_more_than_its_body() {
    #[cache(cache = cache, skip(cache))]
    async fn large(cache: &Cache, byte: u8) -> usize {
        let _ = cache;
        let held = [byte; 4096];
        tokio::task::yield_now().await;
        held.len()
    }

    let cache = cache();
    let size = size_of_val(&name(&cache, "acme", "ada"));
    assert!(size <= 1024, "{size} bytes");
    let size = size_of_val(&large(&cache, 1));
    assert!(size <= 4096 + 1024, "{size} bytes");
}
