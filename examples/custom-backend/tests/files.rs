//! What a cache can rely on when its shared tier is a directory.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado::{Cache, Hierarchy, Result, Scope, cache};
use custom_backend::Files;

/// A cache over `files` that keeps nothing in the process, so that every answer comes from the files.
fn over(files: &Files) -> Cache {
    let hierarchy = Hierarchy::builder()
        .level("organization", "org_id")
        .level_under("organization", "user", "user_id")
        .build()
        .unwrap();
    Cache::builder()
        .scopes(hierarchy)
        .backend(files.clone())
        .in_process(false)
        .build()
        .unwrap()
}

fn user(cache: &Cache, organization: &str, user: &str) -> Scope {
    cache
        .scope("user", [("org_id", organization), ("user_id", user)])
        .unwrap()
}

fn files() -> (tempfile::TempDir, Files) {
    let directory = tempfile::tempdir().unwrap();
    let files = Files::new(directory.path().join("cache")).unwrap();
    (directory, files)
}

#[test]
fn what_one_cache_stores_another_reads() -> Result<()> {
    let (_directory, files) = files();
    let scope = user(&over(&files), "acme", "7");
    assert!(
        over(&files)
            .set("theme", &7_u32)
            .scope(scope.clone())
            .run()?
    );

    assert_eq!(
        over(&files).get("theme").scope(scope.clone()).run()?,
        Some(7_u32)
    );
    assert!(over(&files).evict("theme").scope(scope.clone()).run()?);
    assert!(!over(&files).evict("theme").scope(scope.clone()).run()?);
    assert_eq!(over(&files).get::<u32>("theme").scope(scope).run()?, None);
    Ok(())
}

#[test]
fn ids_that_look_like_paths_stay_apart() -> Result<()> {
    let (_directory, files) = files();
    let cache = over(&files);
    let ids = ["..", ".", "a/b", "a", "b", "", "a\0b", "ä"];
    for organization in ids {
        for id in ids {
            let value = format!("{organization} {id}");
            assert!(
                cache
                    .set("k", &value)
                    .scope(user(&cache, organization, id))
                    .run()?
            );
        }
    }
    for organization in ids {
        for id in ids {
            let found = cache
                .get::<String>("k")
                .scope(user(&cache, organization, id));
            assert_eq!(found.run()?, Some(format!("{organization} {id}")));
        }
    }
    Ok(())
}

#[test]
fn evicting_a_scope_removes_what_is_below_it_and_nothing_else() -> Result<()> {
    let (_directory, files) = files();
    let cache = over(&files);
    for (organization, id) in [("1", "1"), ("1", "2"), ("10", "1")] {
        cache
            .set("k", &0_u8)
            .scope(user(&cache, organization, id))
            .run()?;
    }
    cache.set("k", &0_u8).run()?;
    let organization = cache.scope("organization", [("org_id", "1")])?;
    assert_eq!(cache.evict_by_scope(organization.clone()).run()?, 2);
    assert_eq!(cache.evict_by_scope(organization).run()?, 0);
    assert_eq!(cache.evict_by_scope(Scope::global()).run()?, 2);
    assert_eq!(cache.stats().backend_errors, 0);
    Ok(())
}

#[test]
fn an_entry_whose_time_is_over_is_no_entry() -> Result<()> {
    let (_directory, files) = files();
    let cache = over(&files);
    cache
        .set("k", &1_u8)
        .ttl(Duration::from_nanos(1))
        .scope(user(&cache, "acme", "7"))
        .run()?;
    // deadlines are whole milliseconds, so this waits for the next one
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_millis(2) {
        std::hint::spin_loop();
    }
    let found = cache.get::<u8>("k").scope(user(&cache, "acme", "7"));
    assert_eq!(found.run()?, None);
    let evicted = cache.evict_by_scope(cache.scope("organization", [("org_id", "acme")])?);
    assert_eq!(evicted.run()?, 0);
    Ok(())
}

#[test]
fn clearing_leaves_a_store_that_works() -> Result<()> {
    let (_directory, files) = files();
    let cache = over(&files);
    cache.set("k", &1_u8).run()?;
    cache.clear().run()?;
    assert_eq!(cache.get::<u8>("k").run()?, None);
    assert!(cache.set("k", &2_u8).run()?);
    assert_eq!(cache.get("k").run()?, Some(2_u8));
    Ok(())
}

#[tokio::test]
async fn async_operations_do_the_same() -> Result<()> {
    let (_directory, files) = files();
    let cache = over(&files);
    let scope = user(&cache, "acme", "7");
    assert!(cache.set("k", &1_u8).scope(scope.clone()).await?);
    assert_eq!(cache.get("k").scope(scope.clone()).await?, Some(1_u8));
    assert!(cache.evict("k").scope(scope.clone()).await?);
    assert!(cache.set("k", &2_u8).scope(scope.clone()).await?);
    assert_eq!(cache.evict_by_scope(scope.clone()).await?, 1);
    cache.clear().await?;
    assert_eq!(cache.get::<u8>("k").scope(scope).await?, None);
    Ok(())
}

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cache(ttl = 60, cache = cache, skip(cache))]
fn length(cache: &Cache, text: &str) -> usize {
    let _ = cache;
    RUNS.fetch_add(1, Ordering::Relaxed);
    text.len()
}

#[test]
fn a_directory_that_has_gone_wrong_fails_no_function() {
    let (directory, files) = files();
    let cache = over(&files);
    // a file where the directory should be
    std::fs::remove_dir_all(directory.path().join("cache")).unwrap();
    std::fs::write(directory.path().join("cache"), "in the way").unwrap();

    assert_eq!(length(&cache, "four"), 4);
    assert_eq!(length(&cache, "four"), 4);
    assert_eq!(RUNS.load(Ordering::Relaxed), 2);
    // each lookup fails, and a value whose lookup failed is not written
    assert_eq!(cache.stats().backend_errors, 2);
    assert!(cache.set("k", &1_u8).run().is_err());
}

#[test]
fn caches_of_two_names_have_nothing_in_common() -> Result<()> {
    let (_directory, files) = files();
    let named = |name: &str| {
        let cache = Cache::builder().name(name).backend(files.clone());
        cache.in_process(false).build()
    };
    let (shop, staging) = (named("shop")?, named("staging")?);
    shop.set("theme", &7_u32).run()?;
    assert_eq!(staging.get::<u32>("theme").run()?, None);
    staging.set("theme", &8_u32).run()?;
    staging.clear().run()?;
    assert_eq!(shop.get("theme").run()?, Some(7_u32));
    Ok(())
}
