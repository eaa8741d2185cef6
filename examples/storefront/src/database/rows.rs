//! The SQL of the reads, without a cache.
//!
//! It is separate from the cached functions, so that cached answers can be checked against answers in which the cache has no part.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::model::{
    CartLine, Customer, Order, Organization, Permissions, Product, Profile, SalesReport, Status,
    Visitor,
};
use super::{Error, Result};

/// The rows of a page, whatever it shows.
const PAGE: u32 = 20;

/// The number of users in a sales report.
const BEST_CUSTOMERS: u32 = 5;

pub(crate) fn organizations(connection: &Connection) -> Result<Arc<[Organization]>> {
    list(
        connection,
        "SELECT org_id, name, plan FROM organization ORDER BY org_id",
        [],
        |row| {
            Ok(Organization {
                org_id: row.get(0)?,
                name: row.get(1)?,
                plan: row.get(2)?,
            })
        },
    )
}

pub(crate) fn settings(
    connection: &Connection,
    org_id: &str,
) -> Result<Arc<BTreeMap<String, String>>> {
    let mut statement =
        connection.prepare_cached("SELECT name, value FROM setting WHERE org_id = ?1")?;
    let rows = statement.query_map([org_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Arc::new(rows.collect::<rusqlite::Result<_>>()?))
}

pub(crate) fn catalog(connection: &Connection, org_id: &str, page: u32) -> Result<Arc<[Product]>> {
    let sql = "SELECT product_id, name, price_cents FROM product WHERE org_id = ?1 ORDER BY product_id LIMIT ?2 OFFSET ?3";
    list(
        connection,
        sql,
        params![org_id, PAGE, offset(page)],
        product,
    )
}

pub(crate) fn sales_report(
    connection: &Connection,
    org_id: &str,
    status: Status,
) -> Result<Arc<SalesReport>> {
    let (orders, total_cents) = connection
        .prepare_cached("SELECT count(*), ifnull(sum(total_cents), 0) FROM purchase WHERE org_id = ?1 AND status = ?2")?
        .query_row(params![org_id, status], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sql = "
        SELECT user_id, name, spent FROM (
            SELECT user_id, sum(total_cents) AS spent FROM purchase
            WHERE org_id = ?1 AND status = ?2 GROUP BY user_id ORDER BY spent DESC, user_id LIMIT ?3
        ) JOIN user USING (user_id) WHERE org_id = ?1 ORDER BY spent DESC, user_id";
    let best_customers = connection
        .prepare_cached(sql)?
        .query_map(params![org_id, status, BEST_CUSTOMERS], |row| {
            Ok(Customer {
                user_id: row.get(0)?,
                name: row.get(1)?,
                total_cents: row.get(2)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Arc::new(SalesReport {
        status,
        orders,
        total_cents,
        best_customers,
    }))
}

pub(crate) fn profile(connection: &Connection, org_id: &str, user_id: i64) -> Result<Profile> {
    connection
        .prepare_cached("SELECT user_id, name, email FROM user WHERE org_id = ?1 AND user_id = ?2")?
        .query_row(params![org_id, user_id], |row| {
            Ok(Profile {
                user_id: row.get(0)?,
                name: row.get(1)?,
                email: row.get(2)?,
            })
        })
        .map_err(Error::missing("user"))
}

pub(crate) fn recent_orders(
    connection: &Connection,
    org_id: &str,
    user_id: i64,
    page: u32,
) -> Result<Arc<[Order]>> {
    let sql = "
        SELECT order_id, product.name, quantity, total_cents, status, placed_at
        FROM purchase JOIN product USING (org_id, product_id)
        WHERE org_id = ?1 AND user_id = ?2 ORDER BY order_id DESC LIMIT ?3 OFFSET ?4";
    list(
        connection,
        sql,
        params![org_id, user_id, PAGE, offset(page)],
        order,
    )
}

pub(crate) fn permissions(
    connection: &Connection,
    org_id: &str,
    user_id: i64,
    session_id: &str,
) -> Result<Option<Permissions>> {
    let sql = "
        SELECT role FROM session JOIN user USING (org_id, user_id)
        WHERE org_id = ?1 AND user_id = ?2 AND session_id = ?3";
    let role: Option<String> = connection
        .prepare_cached(sql)?
        .query_row(params![org_id, user_id, session_id], |row| row.get(0))
        .optional()?;
    Ok(role.as_deref().map(Permissions::of))
}

pub(crate) fn cart(
    connection: &Connection,
    org_id: &str,
    user_id: i64,
    session_id: &str,
) -> Result<Arc<[CartLine]>> {
    let sql = "
        SELECT product_id, name, price_cents, quantity FROM cart_line JOIN product USING (org_id, product_id)
        WHERE org_id = ?1 AND user_id = ?2 AND session_id = ?3 ORDER BY product_id";
    list(
        connection,
        sql,
        params![org_id, user_id, session_id],
        |row| {
            Ok(CartLine {
                product: product(row)?,
                quantity: row.get(3)?,
            })
        },
    )
}

/// All sessions, by organization. The organizations with the most orders come first.
pub(crate) fn visitors(connection: &Connection) -> Result<Vec<Visitor>> {
    let sql = "
        SELECT org_id, user_id, session_id, role
        FROM session JOIN user USING (org_id, user_id)
        LEFT JOIN (SELECT org_id, count(*) AS orders FROM purchase GROUP BY org_id) USING (org_id)
        ORDER BY orders DESC, org_id, user_id, session_id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let role: String = row.get(3)?;
        Ok(Visitor {
            org_id: row.get(0)?,
            user_id: row.get(1)?,
            session_id: row.get(2)?,
            permissions: Permissions::of(&role),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The numbers of organizations, users and orders.
pub(crate) fn counts(connection: &Connection) -> Result<[u32; 3]> {
    let sql = "SELECT (SELECT count(*) FROM organization), (SELECT count(*) FROM user), (SELECT count(*) FROM purchase)";
    let counts =
        connection.query_row(sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
    Ok(counts)
}

pub(crate) fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        order_id: row.get(0)?,
        product: row.get(1)?,
        quantity: row.get(2)?,
        total_cents: row.get(3)?,
        status: row.get(4)?,
        placed_at: row.get(5)?,
    })
}

fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        product_id: row.get(0)?,
        name: row.get(1)?,
        price_cents: row.get(2)?,
    })
}

fn list<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Arc<[T]>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn offset(page: u32) -> i64 {
    i64::from(page) * i64::from(PAGE)
}
