//! `#[cache_put]` and `#[cache_evict]` on free functions, sync and async, and of one another's functions.
#![deny(warnings)]

use cacheado::{cache, cache_evict, cache_put, peek};

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

struct Db(u64);

#[cache(name = "profile", scope = "user", skip(db))]
async fn profile(db: &Db, org_id: String, user_id: u64) -> Result<u64, String> {
    Ok(db.0 + user_id + org_id.len() as u64)
}

#[cache_put(name = "profile", scope = "user", skip(value))]
async fn set_profile(org_id: String, user_id: u64, value: u64) -> Result<u64, String> {
    let _ = (org_id, user_id);
    Ok(value)
}

#[cache(skip(db))]
fn names(db: impl Fn() -> u64, limit: u64) -> u64 {
    db() + limit
}

fn forty() -> u64 {
    40
}

mod admin {
    use cacheado::{cache_evict, cache_impl};

    /// The arguments that the body needs too are kept for it.
    #[cache_evict(super::profile(org_id, user_id), super::profile(_, org_id, 8))]
    pub(crate) async fn rename(org_id: String, user_id: u64) -> Result<usize, String> {
        if user_id == 0 {
            Err("nobody")?;
        }
        Ok(org_id.len())
    }

    #[cache_evict(super::profile(org_id, user_id), before)]
    pub(crate) fn rename_blocking(org_id: String, user_id: u64) -> Result<(), String> {
        Err(format!("{org_id} {user_id}"))
    }

    pub(crate) struct Service;

    #[cache_impl]
    impl Service {
        #[cache_evict(super::names::<fn() -> u64>(limit))]
        pub(crate) async fn reset(&self, limit: u64) -> Option<()> {
            let _ = limit;
            None
        }
    }
}

#[cache_evict(scope = "organization")]
async fn leave<'a>(org_id: &'a str, fail: bool) -> Result<&'a str, &'a str> {
    if fail {
        return Err(org_id);
    }
    Ok(org_id)
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main]
async fn main() {
    let (db, acme) = (Db(1), || String::from("acme"));
    assert_eq!(profile(&db, acme(), 7).await, Ok(12));
    assert!(admin::rename(acme(), 0).await.is_err());
    assert_eq!(peek!(profile(&db, acme(), 7)).await.unwrap(), Some(12));
    assert_eq!(is_send(admin::rename(acme(), 7)).await, Ok(4));
    assert_eq!(peek!(profile(&db, acme(), 7)).await.unwrap(), None);

    assert_eq!(profile(&db, acme(), 7).await, Ok(12));
    assert!(admin::rename_blocking(acme(), 7).is_err());
    assert_eq!(peek!(profile(&db, acme(), 7)).await.unwrap(), None);

    assert_eq!(is_send(set_profile(acme(), 7, 5)).await, Ok(5));
    assert_eq!(is_send(leave("acme", true)).await, Err("acme"));
    assert_eq!(profile(&db, acme(), 7).await, Ok(5));
    assert_eq!(is_send(leave("acme", false)).await, Ok("acme"));
    assert_eq!(profile(&db, acme(), 7).await, Ok(12));

    let pointer: fn() -> u64 = forty;
    assert_eq!(names(pointer, 2), 42);
    assert_eq!(is_send(admin::Service.reset(2)).await, None);
    assert_eq!(peek!(names(pointer, 2)).unwrap(), None);
}
