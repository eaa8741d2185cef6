//! The reads. Each is a query of `rows` with a lifetime and a tenant: caching it takes no more than that.
//!
//! `skip(db)` leaves the handle out of the key, and `cache = db.cache` takes the cache from it. The arguments that place a call in the
//! tenant hierarchy (`org_id`, `user_id`, `session_id`) are found by their names. The remaining ones (`page`, `status`) distinguish
//! the entries of one tenant.
//!
//! Lookups by key take microseconds and are plain functions. Functions that read many rows are async and don't block the thread.

#![expect(
    clippy::missing_errors_doc,
    reason = "each fails where the database does"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cacheado::cache;

use super::model::{
    CartLine, Order, Organization, Permissions, Product, Profile, SalesReport, Status,
};
use super::{Db, Result, rows};

/// All organizations. The list belongs to no tenant, so its scope is the global one.
#[cache(ttl = "1h", skip(db), cache = db.cache)]
pub async fn organizations(db: &Db) -> Result<Arc<[Organization]>> {
    db.read_off_thread(rows::organizations).await
}

/// The settings of an organization.
#[cache(ttl = "10m", scope = "organization", skip(db), cache = db.cache)]
pub fn settings(db: &Db, org_id: &str) -> Result<Arc<BTreeMap<String, String>>> {
    db.read(|connection| rows::settings(connection, org_id))
}

/// A page of an organization's products, counted from 0.
#[cache(ttl = "10m", scope = "organization", skip(db), cache = db.cache)]
pub async fn catalog(db: &Db, org_id: &str, page: u32) -> Result<Arc<[Product]>> {
    let org_id = org_id.to_owned();
    db.read_off_thread(move |connection| rows::catalog(connection, &org_id, page))
        .await
}

/// The totals of an organization's orders of one status. This reads all of them, and is by far the most expensive query.
#[cache(ttl = "10m", scope = "organization", skip(db), cache = db.cache)]
pub async fn sales_report(db: &Db, org_id: &str, status: Status) -> Result<Arc<SalesReport>> {
    let org_id = org_id.to_owned();
    db.read_off_thread(move |connection| rows::sales_report(connection, &org_id, status))
        .await
}

/// The profile of a user. A user that does not exist is an error, [`Error::NotFound`](super::Error::NotFound), and errors are not
/// cached.
#[cache(ttl = "10m", scope = "user", skip(db), cache = db.cache)]
pub fn profile(db: &Db, org_id: &str, user_id: i64) -> Result<Profile> {
    db.read(|connection| rows::profile(connection, org_id, user_id))
}

/// A page of a user's orders, the newest first, counted from 0.
#[cache(ttl = "10m", scope = "user", skip(db), cache = db.cache)]
pub async fn recent_orders(db: &Db, org_id: &str, user_id: i64, page: u32) -> Result<Arc<[Order]>> {
    let org_id = org_id.to_owned();
    db.read_off_thread(move |connection| rows::recent_orders(connection, &org_id, user_id, page))
        .await
}

/// What the holder of a session may do; `None` if there is no such session, which is cached as well.
#[cache(ttl = "10m", scope = "session", skip(db), cache = db.cache)]
pub fn permissions(
    db: &Db,
    org_id: &str,
    user_id: i64,
    session_id: &str,
) -> Result<Option<Permissions>> {
    db.read(|connection| rows::permissions(connection, org_id, user_id, session_id))
}

/// The contents of a session's shopping cart.
#[cache(ttl = "10m", scope = "session", skip(db), cache = db.cache)]
pub async fn cart(
    db: &Db,
    org_id: &str,
    user_id: i64,
    session_id: &str,
) -> Result<Arc<[CartLine]>> {
    let (org_id, session_id) = (org_id.to_owned(), session_id.to_owned());
    db.read_off_thread(move |connection| rows::cart(connection, &org_id, user_id, &session_id))
        .await
}
