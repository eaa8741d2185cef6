//! What a body learns about its own load, and what it can say about its value.

use std::collections::HashMap;
use std::time::Duration;

use cacheado::{Cache, LoadContext, bypass, cache, peek, put, refresh};

use crate::source::{NANO, SECOND, Source, cache, comes};

#[cache(ttl = 60, stale = "1h", cache = cache, skip(cache, source))]
fn counted(cache: &Cache, source: &Source) -> Result<String, String> {
    let load = LoadContext::current().unwrap();
    let before = load.previous::<String>();
    assert_eq!(load.previous::<u64>(), None);
    let number = source.load()?;
    Ok(match before {
        Some(before) => format!("{number} after {} of {:?}", before.value, before.age),
        None => format!("{number}"),
    })
}

#[test]
fn the_value_before_and_its_age() {
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(counted(&cache, &source).unwrap(), "1");
    clock.advance(30 * SECOND);
    assert_eq!(
        refresh!(counted(&cache, &source)).unwrap(),
        "2 after 1 of 30s"
    );
    clock.advance(70 * SECOND);
    counted(&cache, &source).unwrap();
    let peeked = || peek!(counted(&cache, &source)).unwrap();
    let expected = "3 after 2 after 1 of 30s of 70s";
    comes("the new one", || peeked().as_deref() == Some(expected));
}

#[test]
fn a_lifetime_of_its_own() {
    #[cache(ttl = 60, cache = cache, skip(cache, source))]
    fn chosen(cache: &Cache, source: &Source, seconds: u64) -> Result<u64, String> {
        let load = LoadContext::current().unwrap();
        load.set_ttl(Duration::MAX);
        load.set_ttl(Duration::from_secs(seconds));
        source.load()
    }
    let source = Source::default();
    let (cache, clock) = cache();
    assert_eq!(chosen(&cache, &source, 100), Ok(1));
    clock.advance(100 * SECOND - NANO);
    assert_eq!(chosen(&cache, &source, 100), Ok(1));
    clock.advance(NANO);
    assert_eq!(chosen(&cache, &source, 100), Ok(2));
    assert_eq!(chosen(&cache, &source, 0), Ok(3));
    assert_eq!(chosen(&cache, &source, 0), Ok(4));
}

#[tokio::test]
async fn not_to_be_stored_as_known_at_the_end_of_a_body_that_waited() {
    #[cache(ttl = 60, cache = cache, skip(cache, source))]
    async fn skipped(cache: &Cache, source: &Source) -> Result<u64, String> {
        let load = LoadContext::current().unwrap();
        tokio::task::yield_now().await;
        let number = source.load_async().await?;
        assert!(LoadContext::current().is_some());
        if number < 3 {
            load.skip_store();
        }
        Ok(number)
    }
    let source = Source::default();
    let (cache, _clock) = cache();
    for number in [1, 2, 3, 3] {
        assert_eq!(skipped(&cache, &source).await, Ok(number));
    }
}

#[test]
fn what_the_options_refuse_is_not_stored_whatever_lifetime_it_has() {
    #[cache(ttl = 60, when = |value| *value > 1, cache = cache, skip(cache, source))]
    fn large(cache: &Cache, source: &Source) -> Result<u64, String> {
        LoadContext::current().unwrap().set_ttl(100 * SECOND);
        source.load()
    }
    let source = Source::default();
    let (cache, _clock) = cache();
    for number in [1, 2, 2] {
        assert_eq!(large(&cache, &source), Ok(number));
    }
}

#[test]
fn of_several_loads_it_is_the_innermost_and_outside_of_all_there_is_none() {
    #[cache(ttl = 60, cache = cache, skip(cache))]
    fn inner(cache: &Cache) -> bool {
        let load = LoadContext::current();
        if let Some(load) = &load {
            load.skip_store();
        }
        load.is_some()
    }
    #[cache(ttl = 60, cache = cache, skip(cache))]
    fn outer(cache: &Cache) -> bool {
        let before = LoadContext::current().unwrap();
        assert!(inner(cache));
        let after = LoadContext::current().unwrap();
        format!("{before:?}") == format!("{after:?}")
    }
    let (cache, _clock) = cache();
    assert!(outer(&cache));
    assert_eq!(peek!(outer(&cache)).unwrap(), Some(true));
    assert_eq!(peek!(inner(&cache)).unwrap(), None);
    assert!(LoadContext::current().is_none());
    assert!(!bypass!(inner(&cache)));
    assert!(!inner(&Cache::disabled()));
}

#[test]
fn loaders_of_the_cache_itself_have_one_too() {
    let (cache, clock) = cache();
    let load = || {
        LoadContext::current().unwrap().set_ttl(5 * SECOND);
        1_u8
    };
    cache.get_or_load("key", load).run().unwrap();
    clock.advance(5 * SECOND);
    assert_eq!(cache.get::<u8>("key").run().unwrap(), None);
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, fresh), bypass = fresh)]
fn page(cache: &Cache, url: &str, fresh: bool) -> String {
    let _ = (cache, fresh);
    match LoadContext::current().and_then(|load| load.previous::<String>()) {
        Some(page) => page.value,
        None => format!("page {url}"),
    }
}

#[cache(ttl = 60, cache = cache, skip(cache), batch(ids))]
fn pages(cache: &Cache, ids: &[u32]) -> HashMap<u32, bool> {
    let _ = cache;
    let inside = LoadContext::current().is_some();
    ids.iter().map(|id| (*id, inside)).collect()
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache))]
fn site(cache: &Cache, url: &str) -> String {
    let off = Cache::disabled();
    let many = pages(cache, &[1])[&1];
    let (bypassed, disabled) = (page(cache, url, true), page(&off, url, false));
    format!("[{bypassed}] [{disabled}] {many}")
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache))]
async fn site_async(cache: &Cache, url: &str) -> String {
    page_async(cache, url, true).await
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, fresh), bypass = fresh)]
async fn page_async(cache: &Cache, url: &str, fresh: bool) -> String {
    let _ = (cache, fresh);
    let before = LoadContext::current().and_then(|load| load.previous::<String>());
    before.map_or_else(|| format!("page {url}"), |page| page.value)
}

/// The load around it is another one, with another previous value.
#[tokio::test]
async fn a_body_that_is_no_load_of_one_key_has_none() {
    let (cache, _) = cache();
    let expected = "[page /] [page /] false";
    assert_eq!(site(&cache, "/"), expected);
    cache
        .evict_by_scope(cacheado::Scope::global())
        .run()
        .unwrap();
    put!(site(&cache, "/"), "old".to_owned()).unwrap();
    assert_eq!(refresh!(site(&cache, "/")), expected);
    assert!(
        put!(site_async(&cache, "/"), "old".to_owned())
            .await
            .unwrap()
    );
    assert_eq!(refresh!(site_async(&cache, "/")).await, "page /");
}

#[test]
fn tasks_that_a_body_drives_have_none() {
    #[cache(cache = cache, skip(cache, runtime))]
    fn drives(cache: &Cache, runtime: &tokio::runtime::Runtime) -> [bool; 3] {
        let _ = cache;
        let has_one = || LoadContext::current().is_some();
        let spawned = runtime.block_on(async move { tokio::spawn(async move { has_one() }).await });
        [has_one(), spawned.unwrap(), has_one()]
    }
    let (cache, _) = cache();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(drives(&cache, &runtime), [true, false, true]);
}
