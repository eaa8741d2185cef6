//! What the processes cache: the version of a slot, by a sync function, by an async one, and by programmatic calls. Each slot belongs
//! to one tenant.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheado::{Cache, cache, evict, peek, put, refresh};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::scope;
use crate::truth::{Truth, now};
use cacheado_tests::random::Random;

/// Ids that are easily confused, and parts of each other.
pub const ORGANIZATIONS: [&str; 4] = ["1", "10", "1/user=1", ""];
/// The number of users per organization; the first is 1.
pub const USERS: u32 = 12;

pub fn slot(organization: u32, user: u32) -> u32 {
    organization * USERS + user - 1
}

fn tenant(slot: u32) -> (&'static str, u32) {
    let organization = ORGANIZATIONS[(slot / USERS) as usize];
    (organization, slot % USERS + 1)
}

/// A value states its tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    org: String,
    user: u32,
    version: u64,
}

/// The cache of a process and what it works with.
pub struct Accounts {
    pub cache: Cache,
    pub truth: Truth,
    pub runtime: Runtime,
    loads: Vec<AtomicU64>,
    /// The longest time a body takes.
    pub slowness: Duration,
}

#[cache(cache = accounts.cache, skip(accounts), scope = "user", ttl = 600)]
fn account(accounts: &Accounts, org_id: &str, user_id: u32) -> Account {
    accounts.loaded(org_id, user_id)
}

#[cache(cache = accounts.cache, skip(accounts), scope = "user", ttl = 600)]
async fn account_async(accounts: &Accounts, org_id: &str, user_id: u32) -> Account {
    let account = accounts.truth_of(org_id, user_id);
    tokio::time::sleep(accounts.slow()).await;
    account
}

/// The number of ways to read a slot.
pub const WAYS: u64 = 3;
/// The number of ways to invalidate a slot.
pub const INVALIDATIONS: u64 = 9;
/// The invalidations that remove all entries of all tenants.
const CLEAR: [u64; 2] = [4, 5];
/// The invalidations that remove all entries of the organization.
const OF_ORGANIZATION: [u64; 2] = [2, 3];

pub fn is_clear(invalidation: u64) -> bool {
    CLEAR.contains(&invalidation)
}

pub fn is_of_organization(invalidation: u64) -> bool {
    is_clear(invalidation) || OF_ORGANIZATION.contains(&invalidation)
}

impl Accounts {
    pub fn new(cache: Cache, truth: Truth, slowness: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let slots = ORGANIZATIONS.len() * USERS as usize;
        Self {
            cache,
            truth,
            runtime: runtime.expect("a runtime"),
            loads: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            slowness,
        }
    }

    fn truth_of(&self, org: &str, user: u32) -> Account {
        let organization = ORGANIZATIONS.iter().position(|it| *it == org);
        let slot = slot(organization.expect("one of them") as u32, user);
        self.loads[slot as usize].fetch_add(1, Ordering::Relaxed);
        Account {
            org: org.to_owned(),
            user,
            version: self.truth.version(slot),
        }
    }

    fn slow(&self) -> Duration {
        let most = u64::try_from(self.slowness.as_micros()).expect("a short time");
        Duration::from_micros(Random::new(now()).below(most + 1))
    }

    /// Reads the source, and returns to the caller after a delay.
    fn loaded(&self, org: &str, user: u32) -> Account {
        let account = self.truth_of(org, user);
        std::thread::sleep(self.slow());
        account
    }

    /// How often the source of `slot` was read.
    pub fn loads(&self, slot: u32) -> u64 {
        self.loads[slot as usize].load(Ordering::Relaxed)
    }

    fn version(slot: u32, account: &Account) -> u64 {
        let (org, user) = tenant(slot);
        assert!(
            account.org == org && account.user == user,
            "user {user} of {org:?} was served {account:?}"
        );
        account.version
    }

    /// The version of `slot`, from the cache or loaded, blocking.
    pub fn get(&self, slot: u32, way: u64) -> u64 {
        if way == 1 {
            return self.runtime.block_on(self.get_async(slot, way));
        }
        let (org, user) = tenant(slot);
        let account = if way == 0 {
            account(self, org, user)
        } else {
            let load = || self.loaded(org, user);
            let get = self.cache.get_or_load("account", load);
            get.scope(scope::user(org, user)).run().expect("a value")
        };
        Self::version(slot, &account)
    }

    /// The same with `.await`; a sync function still blocks.
    pub async fn get_async(&self, slot: u32, way: u64) -> u64 {
        let (org, user) = tenant(slot);
        let account = match way {
            0 => account(self, org, user),
            1 => account_async(self, org, user).await,
            _ => {
                let load = || async {
                    let account = self.truth_of(org, user);
                    tokio::time::sleep(self.slow()).await;
                    account
                };
                let get = self.cache.get_or_load("account", load);
                get.scope(scope::user(org, user)).await.expect("a value")
            }
        };
        Self::version(slot, &account)
    }

    /// The stored version; an `Err` if it can't be determined.
    pub fn stored(&self, slot: u32, way: u64) -> cacheado::Result<Option<u64>> {
        let (org, user) = tenant(slot);
        let found = match way {
            0 => peek!(account(self, org, user))?,
            1 => self
                .runtime
                .block_on(peek!(account_async(self, org, user)))?,
            _ => {
                let get = self.cache.get::<Account>("account");
                get.scope(scope::user(org, user)).run()?
            }
        };
        Ok(found.map(|account| Self::version(slot, &account)))
    }

    /// Invalidates everything older than `version` of `slot`, in the way with this number. All steps run even if one fails; an `Err`
    /// is the first failure.
    pub fn invalidate(&self, slot: u32, version: u64, invalidation: u64) -> cacheado::Result<()> {
        let (org, user) = tenant(slot);
        let cache = &self.cache;
        let scope = || scope::user(org, user);
        let newest = Account {
            org: org.to_owned(),
            user,
            version,
        };
        let block_on = |future| self.runtime.block_on(future);
        match invalidation {
            0 => cache.evict_by_scope(scope()).run().map(drop),
            1 => block_on(cache.evict_by_scope(scope()).into_future()).map(drop),
            2 => cache
                .evict_by_scope(scope::organization(org))
                .run()
                .map(drop),
            3 => block_on(cache.evict_by_scope(scope::organization(org)).into_future()).map(drop),
            4 => cache.clear().run(),
            5 => self.runtime.block_on(cache.clear().into_future()),
            6 => {
                let first = evict!(account(self, org, user));
                let second = self
                    .runtime
                    .block_on(evict!(account_async(self, org, user)));
                let third = cache.evict("account").scope(scope()).run();
                first.and(second).and(third).map(drop)
            }
            7 => {
                let first = put!(account(self, org, user), newest.clone());
                let put = put!(account_async(self, org, user), newest.clone());
                let second = self.runtime.block_on(put);
                let third = cache.set("account", &newest).scope(scope()).run();
                first.and(second).and(third).map(drop)
            }
            _ => {
                // a refresh reads the source itself
                let first = Self::version(slot, &refresh!(account(self, org, user)));
                let refreshed = refresh!(account_async(self, org, user));
                let second = Self::version(slot, &self.runtime.block_on(refreshed));
                assert_eq!((first, second), (version, version));
                cache.set("account", &newest).scope(scope()).run().map(drop)
            }
        }
    }
}
