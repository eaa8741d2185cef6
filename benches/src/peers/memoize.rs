//! `memoize`, with `SharedCache`: its default is a cache for each thread, which is something else. Arguments are owned, so the caller
//! clones a text on each call.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the attribute keeps what it is called with, so it has to be owned"
)]

use std::sync::Arc;

use memoize::memoize;

use crate::contender::contender;
use crate::shapes::{
    LongText, NumberText, Numbers, Shape, Slow, TenantBytes, TenantRef, TenantText, TextRef,
};

/// Unbounded.
pub(crate) struct Memoize;

/// The least recently used entry makes room.
pub(crate) struct Bounded;

#[memoize(SharedCache)]
fn tenant_text(org_id: String, user_id: String, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: &org_id,
        user: &user_id,
        item,
    })
}

#[memoize(SharedCache)]
fn tenant_bytes(org_id: String, user_id: String, item: u64) -> Vec<u8> {
    TenantBytes::load(TenantRef {
        org: &org_id,
        user: &user_id,
        item,
    })
}

#[memoize(SharedCache)]
fn numbers(key: u64) -> u64 {
    Numbers::load(key)
}

#[memoize(SharedCache)]
fn number_text(key: u64) -> Arc<str> {
    NumberText::load(key)
}

#[memoize(SharedCache)]
fn long_text(key: String) -> Arc<str> {
    LongText::load(TextRef(&key))
}

#[memoize(SharedCache)]
fn slow(key: u64) -> u64 {
    Slow::load(key)
}

#[memoize(SharedCache, Capacity: 100000)]
fn bounded_numbers(key: u64) -> u64 {
    Numbers::load(key)
}

#[memoize(SharedCache, Capacity: 100000)]
fn bounded_tenant_text(org_id: String, user_id: String, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: &org_id,
        user: &user_id,
        item,
    })
}

const _: () = assert!(super::BOUND == 100_000);

// it has no way to store a value from outside
contender!(Memoize, TenantText, |key| tenant_text(
    key.org.to_string(),
    key.user.to_string(),
    key.item
),);
contender!(Memoize, TenantBytes, |key| tenant_bytes(
    key.org.to_string(),
    key.user.to_string(),
    key.item
),);
contender!(Memoize, Numbers, |key| numbers(*key));
contender!(Memoize, NumberText, |key| number_text(*key));
contender!(Memoize, LongText, |key| long_text(key.to_string()),);
contender!(Memoize, Slow, |key| slow(*key));
contender!(Bounded, Numbers, |key| bounded_numbers(*key));
contender!(Bounded, TenantText, |key| bounded_tenant_text(
    key.org.to_string(),
    key.user.to_string(),
    key.item
),);
