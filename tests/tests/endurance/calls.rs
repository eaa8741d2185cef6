//! How a service uses one cache: calls of all kinds, and changes of the values behind them. Each result is checked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use cacheado::{Cache, evict, expire, peek, put, refresh};
use cacheado_tests::random::Random;
use futures::executor::block_on;

use crate::functions::{
    AGED, AWAITED, AWAITED_AGED, CLUSTERED, DETACHED, IDLE, MANY, PLAIN, PROGRAMMATIC, TIMED, aged,
    awaited, awaited_aged, clustered, detached, idle, many, plain, timed,
};
use crate::scope;
use crate::truth::{ARGS, Failure, Place, Tenant, Value, everything};

const DAY: Duration = Duration::from_hours(24);

/// A cache, and the number of lookups in it.
pub struct Asked {
    pub name: &'static str,
    pub cache: Cache,
    looks: AtomicU64,
}

impl Asked {
    pub fn new(name: &'static str, cache: Cache) -> Self {
        let looks = AtomicU64::new(0);
        Self { name, cache, looks }
    }

    fn looks(&self, count: usize) {
        self.looks.fetch_add(count as u64, SeqCst);
    }

    /// Every lookup was counted, as a hit or as a miss.
    pub fn has_counted(&self) {
        let stats = self.cache.stats();
        let looks = self.looks.load(SeqCst);
        assert_eq!(stats.hits + stats.misses, looks, "{}: {stats}", self.name);
    }
}

/// The result of `call`, or `None` if it panics.
fn returned<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

fn answer(returned: Result<Value, Failure>) -> Option<Value> {
    match returned {
        Ok(value) | Err(Failure::Body(value)) => Some(value),
        Err(Failure::Cache) => None,
    }
}

/// A call for a tenant.
pub struct Call<'a> {
    pub asked: &'a Asked,
    pub tenant: &'a Arc<Tenant>,
    pub arg: usize,
}

impl<'a> Call<'a> {
    pub fn any(asked: &'a Asked, tenants: &'a [Arc<Tenant>], random: &mut Random) -> Self {
        Self {
            asked,
            tenant: &tenants[random.index(tenants.len())],
            arg: random.index(ARGS),
        }
    }

    fn ask(&self, function: usize, call: impl FnOnce() -> Option<Value>) {
        self.asked.looks(1);
        let call = || returned(call).flatten();
        self.tenant.check((function, self.arg), call);
    }

    fn ask_all<I>(&self, function: usize, call: impl FnOnce() -> I)
    where
        I: IntoIterator<Item = (usize, Value)>,
    {
        self.asked.looks(ARGS);
        let known: Vec<u64> = (0..ARGS)
            .map(|arg| self.tenant.known((function, arg)))
            .collect();
        for (arg, value) in returned(call).into_iter().flatten() {
            self.tenant.is_right((function, arg), &value, known[arg]);
        }
    }

    /// Reads a value, blocking.
    pub fn read(&self, random: &mut Random) {
        let Self { asked, tenant, arg } = *self;
        let (cache, org, user) = (&asked.cache, tenant.org.as_str(), tenant.user);
        let scope = || scope::user(org, user);
        let args: Vec<usize> = (0..ARGS).collect();
        match random.below(11) {
            0 => self.ask(PLAIN, || {
                let value = plain(cache, tenant, org, user, arg);
                answer(value.map(|value| (*value).clone()))
            }),
            1 => self.ask(AGED, || answer(aged(cache, tenant, org, user, arg))),
            2 => self.ask(IDLE, || answer(idle(cache, tenant, org, user, arg))),
            3 => self.ask(TIMED, || answer(timed(cache, tenant, org, user, arg))),
            4 => self.ask_all(MANY, || {
                many(cache, tenant, org, user, &args).unwrap_or_default()
            }),
            5 => self.ask(CLUSTERED, || clustered(cache, tenant, org, user, arg)),
            6 => self.ask(PROGRAMMATIC, || {
                let body = || answer(tenant.body((PROGRAMMATIC, arg)));
                let load = cache.get_or_load(arg, body).scope(scope()).ttl(DAY);
                load.run().unwrap()
            }),
            7 => self.ask_all(PROGRAMMATIC, || {
                let found = cache.get_many::<Option<Value>, _>(args).scope(scope());
                let found = found.run().unwrap_or_default().into_iter().enumerate();
                found.filter_map(|(arg, value)| Some((arg, value??)))
            }),
            8 => tenant.check((AGED, arg), || {
                peek!(aged(cache, tenant, org, user, arg)).ok().flatten()
            }),
            9 => tenant.check((AGED, arg), || {
                returned(|| refresh!(aged(cache, tenant, org, user, arg))).and_then(answer)
            }),
            _ => {
                // its effect shows in later calls
                let _ = expire!(timed(cache, tenant, org, user, arg));
            }
        }
    }

    /// Reads a value, async. The future may be dropped at any point.
    pub async fn read_async(&self, function: usize) {
        let Self { asked, tenant, arg } = *self;
        let (cache, org, user) = (&asked.cache, tenant.org.as_str(), tenant.user);
        let known = tenant.known((function, arg));
        asked.looks(1);
        let found = match function {
            AWAITED => awaited(cache, tenant, org, user, arg).await,
            AWAITED_AGED => awaited_aged(cache, tenant, org, user, arg).await,
            _ => detached(cache, tenant, org, user, arg).await,
        };
        if let Some(value) = answer(found) {
            tenant.is_right((function, arg), &value, known);
        }
    }

    /// Changes a value in the source and then invalidates it in the cache, by an eviction of the call or the tenant, or by a put.
    /// Whether or not the shared tier receives that at once, no caller here is given an older value.
    pub fn change(&self, random: &mut Random) {
        let Self { asked, tenant, arg } = *self;
        let (cache, org, user) = (&asked.cache, tenant.org.as_str(), tenant.user);
        let scope = || scope::user(org, user);
        let alone = |function: usize| [(function, arg)];
        match random.below(10) {
            0 => tenant.change(&alone(PLAIN), || {
                let value = Arc::new(tenant.value((PLAIN, arg)));
                _ = put!(plain(cache, tenant, org, user, arg), value);
            }),
            1 => tenant.change(&alone(AGED), || {
                _ = evict!(aged(cache, tenant, org, user, arg));
            }),
            2 => tenant.change(&alone(IDLE), || {
                let value = tenant.value((IDLE, arg));
                _ = put!(idle(cache, tenant, org, user, arg), value);
            }),
            3 => tenant.change(&alone(TIMED), || {
                _ = evict!(timed(cache, tenant, org, user, arg));
            }),
            4 => tenant.change(&alone(CLUSTERED), || {
                _ = evict!(clustered(cache, tenant, org, user, arg));
            }),
            5 => tenant.change(&alone(AWAITED), || {
                _ = block_on(evict!(awaited(cache, tenant, org, user, arg)));
            }),
            6 => tenant.change(&alone(AWAITED_AGED), || {
                let value = tenant.value((AWAITED_AGED, arg));
                _ = block_on(put!(awaited_aged(cache, tenant, org, user, arg), value));
            }),
            7 => tenant.change(&alone(DETACHED), || {
                _ = block_on(evict!(detached(cache, tenant, org, user, arg)));
            }),
            8 => {
                let places: Vec<Place> = (0..ARGS).map(|arg| (PROGRAMMATIC, arg)).collect();
                tenant.change(&places, || {
                    let values = places.iter().map(|place| Some(tenant.value(*place)));
                    let values: Vec<Option<Value>> = values.collect();
                    let set = cache.set_many(values.iter().enumerate());
                    _ = set.scope(scope()).ttl(DAY).run();
                });
            }
            _ => tenant.change(&everything(), || _ = cache.evict_by_scope(scope()).run()),
        }
    }
}
