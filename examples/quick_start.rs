//! One attribute, two tenants, one eviction: a slightly longer version of the README's program.

use std::sync::atomic::{AtomicU32, Ordering};

use cacheado::{cache, evict, scopes};
use serde::{Deserialize, Serialize};

// at the crate root: makes `mod scope`
scopes! {
    organization(org_id) {
        user(user_id)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
}

#[derive(Debug)]
struct NoSuchUser;

#[derive(Default)]
struct Db {
    queries: AtomicU32,
}

impl Db {
    fn queries(&self) -> u32 {
        self.queries.load(Ordering::Relaxed)
    }
}

#[cache(ttl = "10m", scope = "user", skip(db))]
fn profile(db: &Db, org_id: &str, user_id: u64) -> Result<Profile, NoSuchUser> {
    db.queries.fetch_add(1, Ordering::Relaxed);
    if user_id == 0 {
        return Err(NoSuchUser);
    }
    Ok(Profile {
        name: format!("user {user_id} of {org_id}"),
    })
}

fn main() -> cacheado::Result<()> {
    let db = Db::default();

    let first = profile(&db, "acme", 7).unwrap();
    let again = profile(&db, "acme", 7).unwrap();
    assert_eq!(first, again);
    assert_eq!(db.queries(), 1);
    println!("{first:?}: two calls, one query");

    let other = profile(&db, "globex", 7).unwrap();
    assert_ne!(first, other);
    assert_eq!(db.queries(), 2);
    println!("{other:?}: the same user id in another organization is another entry");

    assert!(profile(&db, "acme", 0).is_err());
    assert!(profile(&db, "acme", 0).is_err());
    assert_eq!(db.queries(), 4);
    println!("an Err is not stored: two calls, two queries");

    assert!(evict!(profile(&db, "acme", 7))?);
    profile(&db, "acme", 7).unwrap();
    assert_eq!(db.queries(), 5);
    println!("after evict!(profile(&db, \"acme\", 7)) the next call queries again");

    let cache = cacheado::default_cache();
    let evicted = cache.evict_by_scope(scope::organization("globex")).run()?;
    assert_eq!(evicted, 1);
    println!(
        "evicting the organization globex removed {evicted} entry\n\n{}",
        cache.stats()
    );
    Ok(())
}
