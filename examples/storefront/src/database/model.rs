//! What the queries return.
//!
//! Serde can write and read all of it. A value must allow that to be cached, because a shared tier may come to stand behind the
//! in-process one.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// The tenant's name in addresses.
    pub org_id: String,
    /// The tenant's name for people.
    pub name: String,
    /// The plan that it pays for.
    pub plan: String,
}

/// A product of an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Unique within the organization.
    pub product_id: i64,
    /// Its name.
    pub name: String,
    /// The price of one, in cents.
    pub price_cents: i64,
}

/// The profile of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Unique over all organizations.
    pub user_id: i64,
    /// The name, which the user can change.
    pub name: String,
    /// The address, which the user can't.
    pub email: String,
}

/// What the holder of a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// May read sales reports.
    pub reports: bool,
    /// May change the organization's settings.
    pub settings: bool,
}

impl Permissions {
    /// What a user of this role may do.
    pub(crate) fn of(role: &str) -> Self {
        Self {
            reports: role != "guest",
            settings: role == "owner",
        }
    }
}

/// The sender of a request: a session, the path of its tenant, and what it may do there.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The organization.
    pub org_id: String,
    /// The user, of this organization.
    pub user_id: i64,
    /// The session, of this user.
    pub session_id: String,
    /// What the session may do.
    pub permissions: Permissions,
}

/// One line of a shopping cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartLine {
    /// The product.
    pub product: Product,
    /// How many of it.
    pub quantity: u32,
}

/// An order that a user has placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Grows with every order.
    pub order_id: i64,
    /// The name of what was ordered.
    pub product: String,
    /// How many of it.
    pub quantity: u32,
    /// What it cost in all, in cents.
    pub total_cents: i64,
    /// The status of the order.
    pub status: Status,
    /// When it was placed, in seconds since 1970.
    pub placed_at: i64,
}

/// The sales of an organization: its orders of one status, and who placed most of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SalesReport {
    /// The status that was asked for.
    pub status: Status,
    /// How many orders.
    pub orders: i64,
    /// What they cost in all, in cents.
    pub total_cents: i64,
    /// The users who spent most, the best first.
    pub best_customers: Vec<Customer>,
}

/// A line of a [`SalesReport`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The user.
    pub user_id: i64,
    /// The user's name. When it changes, a report is out of date.
    pub name: String,
    /// What the user spent, in cents.
    pub total_cents: i64,
}

/// The status of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Placed, not sent.
    Open,
    /// Sent.
    Shipped,
    /// Sent back.
    Returned,
}

impl Status {
    /// Every status, once.
    pub const ALL: [Self; 3] = [Self::Open, Self::Shipped, Self::Returned];

    /// Its text in the database and in addresses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Shipped => "shipped",
            Self::Returned => "returned",
        }
    }
}

impl ToSql for Status {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}
