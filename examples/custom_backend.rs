//! A custom backend behind the in-process tier: `examples/custom-backend` stores entries as files in a directory.
//!
//! Two caches share it, as two processes would.

use cacheado::{Cache, Error, cache, scopes};
use custom_backend::Files;

scopes! { organization(org_id) { user(user_id) } }

/// Takes its cache as an argument, so that this program can call it as two processes would.
#[cache(ttl = "1h", scope = "user", cache = cache, skip(cache))]
fn greeting(cache: &Cache, org_id: &str, user_id: u64) -> String {
    println!("  the body runs for user {user_id} of {org_id}");
    format!("Welcome back, user {user_id} of {org_id}")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("cacheado-example-{}", std::process::id()));
    let files = Files::new(&directory)?;
    // both caches have the same name, so each finds what the other stores
    let first = Cache::builder().backend(files.clone()).build()?;
    let second = Cache::builder().backend(files).build()?;

    println!("one cache computes, the other finds what it stored:");
    for user_id in 1..=3 {
        assert_eq!(
            greeting(&first, "acme", user_id),
            greeting(&second, "acme", user_id)
        );
    }
    greeting(&first, "globex", 1);
    assert_eq!((first.stats().loads, second.stats().loads), (4, 0));

    println!("one evicts an organization, in its process and in the directory:");
    let evicted = first.evict_by_scope(scope::organization("acme")).run()?;
    println!("  {evicted} entries");
    assert_eq!(evicted, 3);
    greeting(&first, "acme", 1);
    greeting(&first, "globex", 1);
    assert_eq!(first.stats().loads, 5);

    println!(
        "a backend that fails fails no function; it is counted, and told to who asks for it by hand:"
    );
    std::fs::remove_dir_all(&directory)?;
    std::fs::write(&directory, "a file where the directory was")?;
    greeting(&first, "initech", 1);
    greeting(&first, "initech", 1);
    let failed = first.set("by hand", &1_u32).run();
    println!("  {}", failed.as_ref().unwrap_err());
    assert!(matches!(failed, Err(Error::Backend { .. })));
    let stats = first.stats();
    println!(
        "  {}: {} failures",
        stats.storage_type, stats.backend_errors
    );
    // the lookup of the first greeting (which is not written to the backend after that), and the `set`; the second greeting came from
    // the process
    assert_eq!(stats.backend_errors, 2);

    std::fs::remove_file(&directory)?;
    Ok(())
}
