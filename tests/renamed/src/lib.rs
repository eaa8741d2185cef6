//! A crate that has renamed the library: generated code names it as this crate does, and names no other crate at all.

use cache_lib::{cache, cache_evict, cache_impl, cache_put, scopes};

scopes! {
    pub mod tenancy;
    organization(org_id) {
        user(user_id)
    }
}

/// Cached at a level of the hierarchy.
#[cache(ttl = "1m", scope = "user", scopes = crate::tenancy)]
#[must_use]
pub fn greeting(org_id: &str, user_id: u64) -> String {
    format!("{user_id} of {org_id}")
}

/// Puts in the place of what [`greeting`] says.
#[cache_put(name = "renamed", ttl = 60)]
#[must_use]
pub fn put(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Evicts what [`greeting`] said.
///
/// # Errors
///
/// None.
#[cache_evict(greeting(org_id, user_id))]
pub async fn forget(org_id: &str, user_id: u64) -> Result<(), std::convert::Infallible> {
    std::future::ready(()).await;
    Ok(())
}

/// Has cached functions.
#[derive(Clone, Copy, Debug)]
pub struct Square;

#[cache_impl]
impl Square {
    /// Without a receiver.
    #[cache(max_items = 10)]
    #[must_use]
    pub fn of(x: u64) -> u64 {
        x * x
    }
}
