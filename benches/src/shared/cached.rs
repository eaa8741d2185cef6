//! The contenders that put a cache in front of the server: the attribute, and the cache's own operations.

use cacheado::{Cache, Scope, cache, put};

use super::contender::{Contender, Item, LIFETIME, Waiting, owner};
use crate::scope;

/// Functions with the attribute.
pub(super) struct Functions {
    cache: Cache,
    name: &'static str,
}

#[cache(cache = cache, skip(cache), scope = "user", ttl = LIFETIME, name = "item")]
fn item(cache: &Cache, org_id: u64, user_id: u64, nth: u64, size: usize) -> Item {
    let _ = (cache, org_id, user_id);
    Item::new(nth, size)
}

/// Shares its entries with [`item`], by the common name.
#[cache(cache = cache, skip(cache), scope = "user", ttl = LIFETIME, name = "item")]
async fn item_async(cache: &Cache, org_id: u64, user_id: u64, nth: u64, size: usize) -> Item {
    let _ = (cache, org_id, user_id);
    Item::new(nth, size)
}

impl Functions {
    pub(super) fn new(cache: Cache, name: &'static str) -> Self {
        Self { cache, name }
    }
}

impl Contender for Functions {
    fn name(&self) -> &'static str {
        self.name
    }

    /// A call of the function, as for a hit. What a load would find is not checked here.
    fn get(&self, _: usize, nth: u64, size: usize) -> Option<Item> {
        let (org, user) = owner(nth);
        Some(item(&self.cache, org, user, nth, size))
    }

    fn load(&self, _: usize, nth: u64, size: usize) -> Item {
        let (org, user) = owner(nth);
        item(&self.cache, org, user, nth, size)
    }

    fn set(&self, _: usize, value: &Item, nth: u64, size: usize) {
        let (org, user) = owner(nth);
        let stored = put!(item(&self.cache, org, user, nth, size), value.clone());
        assert!(stored.expect("the server answers"));
    }

    fn get_many(&self, _: &[u64], _: usize) -> Option<Vec<Option<Item>>> {
        None
    }

    fn get_async(&self, nth: u64, size: usize) -> Waiting<'_, Option<Item>> {
        let (org, user) = owner(nth);
        Box::pin(async move { Some(item_async(&self.cache, org, user, nth, size).await) })
    }

    fn load_async(&self, nth: u64, size: usize) -> Waiting<'_, Item> {
        let (org, user) = owner(nth);
        Box::pin(item_async(&self.cache, org, user, nth, size))
    }

    fn set_async<'a>(&'a self, value: &'a Item, nth: u64, size: usize) -> Waiting<'a, ()> {
        let (org, user) = owner(nth);
        Box::pin(async move {
            let stored = put!(item_async(&self.cache, org, user, nth, size), value.clone()).await;
            assert!(stored.expect("the server answers"));
        })
    }

    fn get_many_async<'a>(
        &'a self,
        _: &'a [u64],
        _: usize,
    ) -> Waiting<'a, Option<Vec<Option<Item>>>> {
        Box::pin(async { None })
    }
}

/// The cache's own operations.
pub(super) struct Calls(pub(super) Cache);

fn scope_of(nth: u64) -> Scope {
    let (org, user) = owner(nth);
    scope::user(org, user)
}

impl Contender for Calls {
    fn name(&self) -> &'static str {
        "cache.get, set"
    }

    fn get(&self, _: usize, nth: u64, size: usize) -> Option<Item> {
        let get = self.0.get((nth, size)).scope(scope_of(nth));
        get.run().expect("the server answers")
    }

    fn load(&self, _: usize, nth: u64, size: usize) -> Item {
        let load = self.0.get_or_load((nth, size), || Item::new(nth, size));
        let load = load.scope(scope_of(nth)).ttl(LIFETIME);
        load.run().expect("the server answers")
    }

    fn set(&self, _: usize, value: &Item, nth: u64, size: usize) {
        let set = self.0.set((nth, size), value);
        let set = set.scope(scope_of(nth)).ttl(LIFETIME);
        assert!(set.run().expect("the server answers"));
    }

    fn get_many(&self, keys: &[u64], size: usize) -> Option<Vec<Option<Item>>> {
        let keys = keys.iter().map(|&nth| (nth, size));
        let get = self.0.get_many(keys).scope(scope_of(0));
        Some(get.run().expect("the server answers"))
    }

    fn get_async(&self, nth: u64, size: usize) -> Waiting<'_, Option<Item>> {
        Box::pin(async move {
            let get = self.0.get((nth, size)).scope(scope_of(nth));
            get.await.expect("the server answers")
        })
    }

    fn load_async(&self, nth: u64, size: usize) -> Waiting<'_, Item> {
        Box::pin(async move {
            let load = async move || Item::new(nth, size);
            let load = self.0.get_or_load((nth, size), load);
            let load = load.scope(scope_of(nth)).ttl(LIFETIME);
            load.await.expect("the server answers")
        })
    }

    fn set_async<'a>(&'a self, value: &'a Item, nth: u64, size: usize) -> Waiting<'a, ()> {
        Box::pin(async move {
            let set = self.0.set((nth, size), value);
            let set = set.scope(scope_of(nth)).ttl(LIFETIME);
            assert!(set.await.expect("the server answers"));
        })
    }

    fn get_many_async<'a>(
        &'a self,
        keys: &'a [u64],
        size: usize,
    ) -> Waiting<'a, Option<Vec<Option<Item>>>> {
        Box::pin(async move {
            let keys = keys.iter().map(|&nth| (nth, size));
            let get = self.0.get_many(keys).scope(scope_of(0));
            Some(get.await.expect("the server answers"))
        })
    }
}
