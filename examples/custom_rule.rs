//! A custom rule: each organization has its own bound, so that a busy one can't push out the others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cacheado::rule::{Admission, Candidate, Cause, Newcomer, Reads, Seats};
use cacheado::rules::Lru;
use cacheado::{Cache, Error, Key, Rule, scopes};

scopes! { organization(org_id) { user(user_id) } }

/// Keeps at most `bound` entries for each tenant of the topmost level. The entry that was stored longest ago makes room.
struct PerTenant {
    bound: usize,
    /// The keys of each tenant, oldest first.
    tenants: Mutex<HashMap<String, Vec<Key>>>,
}

impl PerTenant {
    fn new(bound: usize) -> Self {
        Self {
            bound,
            tenants: Mutex::default(),
        }
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<String, Vec<Key>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The organization to which `key` belongs; `None` for a global key.
fn tenant_of(key: &Key) -> Option<String> {
    key.scope().ids().next().map(str::to_owned)
}

impl Rule for PerTenant {
    fn name(&self) -> &'static str {
        "PerTenant"
    }

    /// `build()` fails with this error.
    fn check(&self) -> cacheado::Result<()> {
        if self.bound == 0 {
            return Err(Error::config(
                "PerTenant::new(0)",
                "nothing could be stored",
            ));
        }
        Ok(())
    }

    /// The rule does not look at hits.
    fn reads(&self) -> Reads {
        Reads::Ignore
    }

    /// Nor at the time of the last use. Not recording that saves 16 bytes per entry.
    fn asks_last_use(&self) -> bool {
        false
    }

    fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
        let Some(tenant) = tenant_of(candidate.key()) else {
            return Admission::Admit;
        };
        if candidate.replaces() {
            return Admission::Admit;
        }
        let tenants = self.tenants();
        let keys = tenants.get(&tenant).map_or(&[][..], Vec::as_slice);
        // these keys are removed from the list when they are evicted, in `on_evict`: a later rule may still reject the candidate
        let surplus = (keys.len() + 1).saturating_sub(self.bound);
        for key in keys.iter().take(surplus) {
            candidate.evict(key.clone());
        }
        Admission::Admit
    }

    /// All rules have admitted the entry, so it is recorded.
    fn on_insert(&self, newcomer: &mut Newcomer<'_>, _: &mut Seats<'_>) -> Admission {
        if let Some(tenant) = tenant_of(newcomer.key()) {
            let key = newcomer.key().clone();
            self.tenants().entry(tenant).or_default().push(key);
        }
        Admission::Admit
    }

    /// The rule is told of every removal, whatever its cause, so it never counts an entry that is gone.
    fn on_evict(&self, key: &Key, _: Cause) {
        let Some(tenant) = tenant_of(key) else { return };
        let mut tenants = self.tenants();
        if let Some(keys) = tenants.get_mut(&tenant) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                tenants.remove(&tenant);
            }
        }
    }

    fn on_clear(&self) {
        self.tenants().clear();
    }
}

fn main() -> cacheado::Result<()> {
    // rules compose in order: three entries for each organization, and a hundred in total
    let cache = Cache::builder()
        .rule(PerTenant::new(3))
        .rule(Lru::new(100))
        .build()?;
    let count = |organization: &str| -> cacheado::Result<usize> {
        Ok(cache
            .keys()
            .scope(scope::organization(organization))
            .run()?
            .len())
    };

    cache
        .set("theme", &1_u32)
        .scope(scope::user("small", 1))
        .run()?;
    for n in 0..50_u32 {
        cache.set(n, &n).scope(scope::user("busy", n)).run()?;
    }
    println!(
        "busy has {} entries of the 50 it stored, small its {}",
        count("busy")?,
        count("small")?
    );
    assert_eq!((count("busy")?, count("small")?), (3, 1));
    for n in 47..50_u32 {
        assert_eq!(cache.get(n).scope(scope::user("busy", n)).run()?, Some(n));
    }

    // the room left by an eviction can be used again
    cache.evict_by_scope(scope::user("busy", 48)).run()?;
    cache
        .set("new", &0_u32)
        .scope(scope::organization("busy"))
        .run()?;
    assert_eq!(count("busy")?, 3);
    assert!(
        cache
            .get::<u32>(47_u32)
            .scope(scope::user("busy", 47))
            .run()?
            .is_some()
    );

    let refused = Cache::builder()
        .rule(PerTenant::new(0))
        .build()
        .unwrap_err();
    println!("{refused}");
    assert_eq!(cache.stats().evictions, 48);
    println!(
        "{} entries made room or were evicted",
        cache.stats().evictions
    );
    Ok(())
}
