//! Async functions: one load for many callers, sync and async callers of one key, and operations that are awaited.
//!
//! The cache does not need tokio here; only the tasks and sleeps of this program do. The exception is the last part, which needs the
//! feature `tokio`: a thread of the runtime that waits for an async load tells the runtime first.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado::{Cache, cache, evict, peek};

static QUERIES: AtomicU32 = AtomicU32::new(0);

#[cache(ttl = 60)]
async fn report(month: &str) -> Result<String, std::io::Error> {
    QUERIES.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(50)).await; // a slow query
    Ok(format!("the report of {month}"))
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

/// Hangs on the first attempt.
#[cache(ttl = 60)]
async fn feed() -> String {
    if ATTEMPTS.fetch_add(1, Ordering::Relaxed) == 0 {
        std::future::pending::<()>().await;
    }
    "news".to_owned()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tasks: Vec<_> = (0..1000)
        .map(|_| tokio::spawn(async { report("May").await.unwrap() }))
        .collect();
    for task in tasks {
        assert_eq!(task.await?, "the report of May");
    }
    let queries = QUERIES.load(Ordering::Relaxed);
    println!("1000 callers at once: {queries} query");
    assert_eq!(queries, 1);

    // each verb of an async function is a future
    assert_eq!(
        peek!(report("May")).await?.as_deref(),
        Some("the report of May")
    );
    assert!(evict!(report("May")).await?);

    // if a caller is dropped, its load ends with it, and the next caller loads
    let first = tokio::spawn(feed());
    while ATTEMPTS.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert_eq!(feed().await, "news");
    println!("after a cancelled load the next caller loads");

    let cache = Cache::builder().build()?;
    assert!(
        cache
            .set("answer", &42_u32)
            .ttl(Duration::from_mins(1))
            .await?
    );
    assert_eq!(cache.get("answer").await?, Some(42_u32));
    let loaded: u32 = cache
        .get_or_load("question", || async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            6 * 9
        })
        .await?;
    println!("loaded {loaded}");

    // an async load and a thread that waits for it
    let loading = cache.get_or_load("shared", || async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        QUERIES.fetch_add(1, Ordering::Relaxed)
    });
    let threads = {
        let cache = cache.clone();
        tokio::task::spawn_blocking(move || {
            cache
                .get_or_load("shared", || QUERIES.fetch_add(1, Ordering::Relaxed))
                .run()
        })
    };
    let (here, there) = (loading.await?, threads.await??);
    println!("a future and a thread, one load: {here} and {there}");
    assert_eq!(here, there);
    Ok(())
}
