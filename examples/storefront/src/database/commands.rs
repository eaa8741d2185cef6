//! The writes. Each names what it makes out of date, and that is evicted once the write has succeeded.

use std::time::{SystemTime, UNIX_EPOCH};

use cacheado::cache_evict;
use rusqlite::params;

use super::model::{Order, Status};
use super::queries::{cart, profile, sales_report, settings};
use super::{Db, Error, Result, rows};

/// Places an order. It shifts every page of the user's orders, and which pages are stored is not known, so everything that is kept for
/// the user is evicted. Of the reports, only the one about open orders changes.
///
/// # Errors
/// [`Error::NotFound`] if the organization does not sell this product.
#[cache_evict(scope = "user", cache = db.cache, sales_report(db, org_id, Status::Open))]
pub async fn place_order(
    db: &Db,
    org_id: &str,
    user_id: i64,
    product_id: i64,
    quantity: u32,
) -> Result<Order> {
    let org_id = org_id.to_owned();
    let placed_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    db.write_off_thread(move |connection| {
        let sql = "
            INSERT INTO purchase (org_id, user_id, product_id, quantity, total_cents, status, placed_at)
            SELECT org_id, ?2, product_id, ?4, price_cents * ?4, ?5, ?6 FROM product WHERE org_id = ?1 AND product_id = ?3";
        let values = params![org_id, user_id, product_id, quantity, Status::Open, placed_at.cast_signed()];
        if connection.prepare_cached(sql)?.execute(values)? == 0 {
            return Err(Error::NotFound("product"));
        }
        let sql = "
            SELECT order_id, product.name, quantity, total_cents, status, placed_at
            FROM purchase JOIN product USING (org_id, product_id) WHERE order_id = ?1";
        Ok(connection.prepare_cached(sql)?.query_row([connection.last_insert_rowid()], rows::order)?)
    })
    .await
}

/// Renames a user. The name is in the profile, and in the reports of every status.
///
/// # Errors
/// [`Error::NotFound`] if the organization has no such user.
#[cache_evict(
    profile(db, org_id, user_id),
    sales_report(db, org_id, Status::Open),
    sales_report(db, org_id, Status::Shipped),
    sales_report(db, org_id, Status::Returned)
)]
pub async fn rename_user(db: &Db, org_id: &str, user_id: i64, name: String) -> Result<()> {
    let org_id = org_id.to_owned();
    db.write_off_thread(move |connection| {
        let changed = connection
            .prepare_cached("UPDATE user SET name = ?3 WHERE org_id = ?1 AND user_id = ?2")?
            .execute(params![org_id, user_id, name])?;
        if changed == 0 {
            Err(Error::NotFound("user"))
        } else {
            Ok(())
        }
    })
    .await
}

/// Changes one setting of an organization. It blocks, so async code calls it on a thread that may.
///
/// # Errors
/// [`Error::NotFound`] if there is no setting of this name.
#[cache_evict(settings(db, org_id))]
pub fn change_setting(db: &Db, org_id: &str, name: &str, value: &str) -> Result<()> {
    db.write(|connection| {
        let changed = connection
            .prepare_cached("UPDATE setting SET value = ?3 WHERE org_id = ?1 AND name = ?2")?
            .execute([org_id, name, value])?;
        if changed == 0 {
            Err(Error::NotFound("setting"))
        } else {
            Ok(())
        }
    })
}

/// Puts some of a product into a session's cart, replacing any earlier quantity of it.
///
/// # Errors
/// [`Error::NotFound`] if the organization does not sell this product.
#[cache_evict(cart(db, org_id, user_id, session_id))]
pub async fn fill_cart(
    db: &Db,
    org_id: &str,
    user_id: i64,
    session_id: &str,
    product_id: i64,
    quantity: u32,
) -> Result<()> {
    let (org_id, session_id) = (org_id.to_owned(), session_id.to_owned());
    db.write_off_thread(move |connection| {
        let sql = "
            REPLACE INTO cart_line (org_id, user_id, session_id, product_id, quantity)
            SELECT org_id, ?2, ?3, product_id, ?5 FROM product WHERE org_id = ?1 AND product_id = ?4";
        let changed = connection.prepare_cached(sql)?.execute(params![org_id, user_id, session_id, product_id, quantity])?;
        if changed == 0 { Err(Error::NotFound("product")) } else { Ok(()) }
    })
    .await
}

/// Opens a session. It may be cached that no session has this id, so the session's scope is evicted.
///
/// # Errors
/// [`Error::NotFound`] if the organization has no such user.
#[cache_evict(scope = "session", cache = db.cache)]
pub async fn log_in(db: &Db, org_id: &str, user_id: i64, session_id: &str) -> Result<()> {
    let (org_id, session_id) = (org_id.to_owned(), session_id.to_owned());
    db.write_off_thread(move |connection| {
        let sql = "
            INSERT INTO session (org_id, user_id, session_id)
            SELECT org_id, user_id, ?3 FROM user WHERE org_id = ?1 AND user_id = ?2";
        let changed = connection
            .prepare_cached(sql)?
            .execute(params![org_id, user_id, session_id])?;
        if changed == 0 {
            Err(Error::NotFound("user"))
        } else {
            Ok(())
        }
    })
    .await
}

/// Ends a session and discards its cart. From then on, nothing that was cached for the session may be served.
///
/// # Errors
/// If the database fails.
#[cache_evict(scope = "session", cache = db.cache)]
pub async fn log_out(db: &Db, org_id: &str, user_id: i64, session_id: &str) -> Result<()> {
    let (org_id, session_id) = (org_id.to_owned(), session_id.to_owned());
    db.write_off_thread(move |connection| {
        for table in ["cart_line", "session"] {
            let sql = format!(
                "DELETE FROM {table} WHERE org_id = ?1 AND user_id = ?2 AND session_id = ?3"
            );
            connection
                .prepare_cached(&sql)?
                .execute(params![org_id, user_id, session_id])?;
        }
        Ok(())
    })
    .await
}
