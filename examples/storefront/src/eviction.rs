//! Evicts one tenant, and checks that its entries are gone and no others.

use std::collections::HashSet;

use anyhow::ensure;
use cacheado::{Cache, Key};

use crate::scope;
use crate::shared::Counted;

/// The number of entries of the evicted organization, and of everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) of_it: usize,
    pub(crate) of_others: usize,
}

impl Counts {
    fn of(keys: &HashSet<Key>, is_its: impl Fn(&Key) -> bool) -> Self {
        let of_it = keys.iter().filter(|key| is_its(key)).count();
        Self {
            of_it,
            of_others: keys.len() - of_it,
        }
    }
}

/// What an eviction did.
pub(crate) struct Eviction {
    pub(crate) before: Counts,
    /// The number of evicted entries that the cache returned.
    pub(crate) evicted: u64,
    pub(crate) after: Counts,
}

/// Evicts everything that is cached for an organization, its users and their sessions.
///
/// Fails if any of these entries stay in the process, or if any others are removed. This compares the keys, not only their number.
/// Nothing else may use the cache meanwhile.
pub(crate) async fn evict_organization(
    cache: &Cache,
    org_id: &str,
    counted: Counted,
) -> anyhow::Result<Eviction> {
    let organization = scope::organization(org_id);
    let is_its = |key: &Key| organization.contains(&key.scope());
    let before: HashSet<Key> = cache.keys().await?.into_iter().collect();
    let evicted = cache.evict_by_scope(organization.clone()).await?;
    let after: HashSet<Key> = cache.keys().await?.into_iter().collect();
    let eviction = Eviction {
        before: Counts::of(&before, is_its),
        evicted,
        after: Counts::of(&after, is_its),
    };

    let lost: Vec<&Key> = before
        .difference(&after)
        .filter(|key| !is_its(key))
        .collect();
    ensure!(
        lost.is_empty(),
        "evicting {organization} took entries of others with it, {} of them, such as {}",
        lost.len(),
        lost[0]
    );
    ensure!(
        eviction.after.of_it == 0,
        "evicting {organization} left {} of its entries",
        eviction.after.of_it
    );
    let went = eviction.before.of_it as u64;
    let right = match counted {
        Counted::Process => evicted == went,
        Counted::Server => evicted >= went,
        Counted::Nothing => evicted == 0,
    };
    ensure!(
        right,
        "evicting {organization} was said to take {evicted} entries, and {went} went from the process"
    );
    Ok(eviction)
}
