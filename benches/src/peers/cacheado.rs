//! cacheado: annotated functions with a lifetime and, where there are tenants, a scope. Statistics and single flight are on,
//! since they are by default.

use std::sync::{Arc, LazyLock};

use cacheado::rules::WTinyLfu;
use cacheado::{Cache, cache, put};

use crate::contender::{contender, now};
use crate::peers::BOUND;
use crate::shapes::{
    LongText, NumberText, Numbers, Shape, Slow, TenantBytes, TenantRef, TenantText, TextRef,
};

/// Uses the process-wide cache, which is unbounded.
pub(crate) struct Cacheado;

/// The same function, async.
pub(crate) struct CacheadoAsync;

/// Uses a cache of at most [`BOUND`] entries.
pub(crate) struct Bounded;

/// A bounded cache, with the rule that the `miss` command measures.
fn bounded() -> Cache {
    Cache::builder()
        .rule(WTinyLfu::new(BOUND as u64))
        .build()
        .expect("a rule alone is always accepted")
}

static BOUNDED_NUMBERS: LazyLock<Cache> = LazyLock::new(bounded);
static BOUNDED_TENANTS: LazyLock<Cache> = LazyLock::new(bounded);

#[cache(ttl = 3600, scope = "user")]
fn tenant_text(org_id: &str, user_id: &str, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

#[cache(ttl = 3600, scope = "user")]
async fn tenant_text_async(org_id: &str, user_id: &str, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

#[cache(ttl = 3600, scope = "user")]
fn tenant_bytes(org_id: &str, user_id: &str, item: u64) -> Vec<u8> {
    TenantBytes::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

#[cache(ttl = 3600)]
fn numbers(key: u64) -> u64 {
    Numbers::load(key)
}

#[cache(ttl = 3600)]
fn number_text(key: u64) -> Arc<str> {
    NumberText::load(key)
}

#[cache(ttl = 3600)]
fn long_text(key: &str) -> Arc<str> {
    LongText::load(TextRef(key))
}

#[cache(ttl = 3600)]
fn slow(key: u64) -> u64 {
    Slow::load(key)
}

#[cache(ttl = 3600, cache = &*BOUNDED_NUMBERS)]
fn bounded_numbers(key: u64) -> u64 {
    Numbers::load(key)
}

#[cache(ttl = 3600, scope = "user", cache = &*BOUNDED_TENANTS)]
fn bounded_tenant_text(org_id: &str, user_id: &str, item: u64) -> Arc<str> {
    TenantText::load(TenantRef {
        org: org_id,
        user: user_id,
        item,
    })
}

contender!(
    Cacheado,
    TenantText,
    |key| tenant_text(&key.org, &key.user, key.item),
    |key, value| put!(tenant_text(&key.org, &key.user, key.item), value).is_ok_and(|stored| stored),
);
contender!(
    Cacheado,
    TenantBytes,
    |key| tenant_bytes(&key.org, &key.user, key.item),
    |key, value| put!(tenant_bytes(&key.org, &key.user, key.item), value)
        .is_ok_and(|stored| stored),
);
contender!(Cacheado, Numbers, |key| numbers(*key), |key, value| put!(
    numbers(*key),
    value
)
.is_ok_and(|stored| stored),);
contender!(
    Cacheado,
    NumberText,
    |key| number_text(*key),
    |key, value| put!(number_text(*key), value).is_ok_and(|stored| stored),
);
contender!(Cacheado, LongText, |key| long_text(key), |key, value| put!(
    long_text(key),
    value
)
.is_ok_and(|stored| stored),);
contender!(Cacheado, Slow, |key| slow(*key), |key, value| put!(
    slow(*key),
    value
)
.is_ok_and(|stored| stored),);
contender!(
    CacheadoAsync,
    TenantText,
    |key| now(tenant_text_async(&key.org, &key.user, key.item)),
    |key, value| now(put!(
        tenant_text_async(&key.org, &key.user, key.item),
        value
    ))
    .is_ok_and(|stored| stored),
);
contender!(
    Bounded,
    Numbers,
    |key| bounded_numbers(*key),
    |key, value| put!(bounded_numbers(*key), value).is_ok_and(|stored| stored),
);
contender!(
    Bounded,
    TenantText,
    |key| bounded_tenant_text(&key.org, &key.user, key.item),
    |key, value| put!(bounded_tenant_text(&key.org, &key.user, key.item), value)
        .is_ok_and(|stored| stored),
);
