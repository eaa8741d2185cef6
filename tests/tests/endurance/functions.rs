//! The cached functions of a service, which together cover every way in which a value ends, and the place of each in the source of
//! truth.

use std::collections::HashMap;
use std::sync::Arc;

use cacheado::{Cache, cache};

use crate::truth::{Failure, Tenant, Value};

type Answer = Result<Value, Failure>;

pub const PLAIN: usize = 0;
#[cache(ttl = "1h", scope = "user", cache = cache, skip(cache, tenant))]
pub fn plain(
    cache: &Cache,
    tenant: &Tenant,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Result<Arc<Value>, Failure> {
    let _ = (cache, org_id, user_id);
    tenant.body((PLAIN, arg)).map(Arc::new)
}

pub const AGED: usize = 1;
#[cache(ttl = "1h", stale = "1d", refresh_after = 0.5, jitter = 0.2, scope = "user", cache = cache, skip(cache, tenant))]
pub fn aged(cache: &Cache, tenant: &Arc<Tenant>, org_id: &str, user_id: u64, arg: usize) -> Answer {
    let _ = (cache, org_id, user_id);
    tenant.body((AGED, arg))
}

pub const IDLE: usize = 2;
#[cache(ttl = "30d", idle = "1h", max_items = 20, scope = "user", cache = cache, skip(cache, tenant))]
pub fn idle(cache: &Cache, tenant: &Tenant, org_id: &str, user_id: u64, arg: usize) -> Answer {
    let _ = (cache, org_id, user_id);
    tenant.body((IDLE, arg))
}

pub const TIMED: usize = 3;
#[cache(ttl = "1h", stale = "2h", timeout = "1m", hard_timeout = "5m", err_ttl = "1m", scope = "user", cache = cache, skip(cache, tenant))]
pub fn timed(
    cache: &Cache,
    tenant: &Arc<Tenant>,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Answer {
    let _ = (cache, org_id, user_id);
    tenant.body((TIMED, arg))
}

pub const MANY: usize = 4;
#[cache(ttl = "2h", scope = "user", cache = cache, skip(cache, tenant), batch(args))]
pub fn many(
    cache: &Cache,
    tenant: &Tenant,
    org_id: &str,
    user_id: u64,
    args: &[usize],
) -> Result<HashMap<usize, Value>, Failure> {
    let _ = (cache, org_id, user_id);
    let value = |arg: &usize| Ok((*arg, tenant.body((MANY, *arg))?));
    args.iter().map(value).collect()
}

pub const CLUSTERED: usize = 5;
#[cache(ttl = "1h", xfetch = 2.0, none_ttl = "5m", single_flight = "cluster", scope = "user", cache = cache, skip(cache, tenant))]
pub fn clustered(
    cache: &Cache,
    tenant: &Arc<Tenant>,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Option<Value> {
    let _ = (cache, org_id, user_id);
    tenant.body((CLUSTERED, arg)).ok()
}

pub const AWAITED: usize = 6;
#[cache(ttl = "1h", scope = "user", cache = cache, skip(cache, tenant))]
pub async fn awaited(
    cache: &Cache,
    tenant: &Tenant,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Answer {
    let _ = (cache, org_id, user_id);
    let value = tenant.body((AWAITED, arg));
    tokio::task::yield_now().await;
    value
}

pub const AWAITED_AGED: usize = 7;
#[cache(ttl = "1h", stale = "30d", refresh_after = 0.3, jitter = 1.0, timeout = "1m", scope = "user", cache = cache, skip(cache, tenant))]
pub async fn awaited_aged(
    cache: &Cache,
    tenant: &Arc<Tenant>,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Answer {
    let _ = (cache, org_id, user_id);
    let value = tenant.body((AWAITED_AGED, arg));
    tokio::task::yield_now().await;
    value
}

pub const DETACHED: usize = 8;
#[cache(ttl = "30d", idle = "2h", detached, hard_timeout = "5m", scope = "user", cache = cache, skip(cache, tenant))]
pub async fn detached(
    cache: &Cache,
    tenant: &Arc<Tenant>,
    org_id: &str,
    user_id: u64,
    arg: usize,
) -> Answer {
    let _ = (cache, org_id, user_id);
    let value = tenant.body((DETACHED, arg));
    tokio::task::yield_now().await;
    value
}

/// The place of the values that programmatic calls read and change.
pub const PROGRAMMATIC: usize = 9;
