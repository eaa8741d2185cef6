//! `cachelito`: its key is a text that is formatted on each call. The policy is `fifo`, because most others search the whole order of
//! entries on each hit. All of them search it on a store, so it takes part only where there are few entries.

use std::sync::Arc;

use cachelito::cache;

use crate::contender::contender;
use crate::shapes::{
    LongText, NumberText, Numbers, Shape, Slow, TenantBytes, TenantRef, TenantText, TextRef,
};

/// Unbounded.
pub(crate) struct Cachelito;

/// To fill a cache of more entries takes minutes.
pub(crate) const AT_MOST: usize = 10_000;

#[cache(policy = "fifo")]
fn tenant_text(org_id: &str, user_id: &str, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

#[cache(policy = "fifo")]
fn tenant_bytes(org_id: &str, user_id: &str, item: u64) -> Vec<u8> {
    TenantBytes::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

#[cache(policy = "fifo")]
fn numbers(key: u64) -> u64 {
    Numbers::load(key)
}

#[cache(policy = "fifo")]
fn number_text(key: u64) -> Arc<str> {
    NumberText::load(key)
}

#[cache(policy = "fifo")]
fn long_text(key: &str) -> Arc<str> {
    LongText::load(TextRef(key))
}

#[cache(policy = "fifo")]
fn slow(key: u64) -> u64 {
    Slow::load(key)
}

// it has no way to store a value from outside
contender!(Cachelito, TenantText, |key| tenant_text(
    &key.org, &key.user, key.item
),);
contender!(Cachelito, TenantBytes, |key| tenant_bytes(
    &key.org, &key.user, key.item
),);
contender!(Cachelito, Numbers, |key| numbers(*key));
contender!(Cachelito, NumberText, |key| number_text(*key));
contender!(Cachelito, LongText, |key| long_text(key));
contender!(Cachelito, Slow, |key| slow(*key));
