//! The tables. Every row that belongs to a tenant has its `org_id`. All indexes begin with it, and so do all keys but that of
//! `purchase`.

use rusqlite::Connection;

/// Distinguishes the files of this program from those of others, of which many have the version 1 too.
const APPLICATION: i32 = i32::from_be_bytes(*b"SHOP");

/// Incremented when the tables change, so that files of another version are rejected.
const VERSION: i32 = 1;

/// The tables, without the indexes. Those are created once the rows are there, which is several times faster.
pub(super) const TABLES: &str = "
    CREATE TABLE organization (
        org_id TEXT PRIMARY KEY, name TEXT NOT NULL, plan TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE setting (
        org_id TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (org_id, name)
    ) WITHOUT ROWID;
    CREATE TABLE product (
        org_id TEXT NOT NULL, product_id INTEGER NOT NULL, name TEXT NOT NULL, price_cents INTEGER NOT NULL,
        PRIMARY KEY (org_id, product_id)
    ) WITHOUT ROWID;
    CREATE TABLE user (
        org_id TEXT NOT NULL, user_id INTEGER NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL, role TEXT NOT NULL,
        PRIMARY KEY (org_id, user_id)
    ) WITHOUT ROWID;
    CREATE TABLE session (
        org_id TEXT NOT NULL, user_id INTEGER NOT NULL, session_id TEXT NOT NULL,
        PRIMARY KEY (org_id, user_id, session_id)
    ) WITHOUT ROWID;
    CREATE TABLE cart_line (
        org_id TEXT NOT NULL, user_id INTEGER NOT NULL, session_id TEXT NOT NULL, product_id INTEGER NOT NULL,
        quantity INTEGER NOT NULL, PRIMARY KEY (org_id, user_id, session_id, product_id)
    ) WITHOUT ROWID;
    CREATE TABLE purchase (
        order_id INTEGER PRIMARY KEY, org_id TEXT NOT NULL, user_id INTEGER NOT NULL, product_id INTEGER NOT NULL,
        quantity INTEGER NOT NULL, total_cents INTEGER NOT NULL, status TEXT NOT NULL, placed_at INTEGER NOT NULL
    );
";

/// One index for each kind of query on the orders. The second one contains all that a report reads of them.
pub(super) const INDEXES: &str = "
    CREATE INDEX purchase_of_user ON purchase (org_id, user_id, order_id);
    CREATE INDEX purchase_by_status ON purchase (org_id, status, user_id, total_cents);
";

/// Marks the file as complete. This is the last write to it.
pub(super) fn mark_complete(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)
}

/// Whether [`mark_complete`] of this very version has marked the file.
pub(super) fn is_complete(connection: &Connection) -> bool {
    let is = |pragma, expected: i32| {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .is_ok_and(|value: i32| value == expected)
    };
    is("application_id", APPLICATION) && is("user_version", VERSION)
}
