//! Methods: in any impl by `#[cache]` alone, functions without a receiver and the verbs with `#[cache_impl]`.
#![deny(warnings)]

use std::sync::Arc;

use cacheado::{Cache, bypass, cache, cache_evict, cache_impl, cache_put, evict, peek, put, refresh};

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

struct Repo<T> {
    cache: Cache,
    id: u64,
    value: T,
}

impl<T: Clone> Repo<T> {
    #[cache(skip(self))]
    fn alone(&self, x: u64) -> u64 {
        x
    }

    #[cache(key = (self.id, x))]
    async fn alone_async(&mut self, x: u64) -> u64 {
        self.id += 1;
        x
    }

    #[cache(skip(self, set))]
    fn filled(self: &Arc<Self>, set: &mut Vec<u64>, x: u64) -> u64 {
        set.push(self.id);
        x
    }

    #[cache(skip(self))]
    fn consumed(mut self, (a, b): (u64, u64)) -> u64 {
        self.id += a + b;
        self.id
    }
}

#[cache_impl]
impl<T: Clone + Send + Sync + 'static> Repo<T> {
    /// An associated constant and a plain function may stand beside.
    pub const LIMIT: u64 = 5;

    pub fn plain(&self) -> &T {
        &self.value
    }

    #[cache(cache = self.cache, scope = "user", ttl = 60)]
    pub fn get(&self, org_id: &str, user_id: u64) -> Result<u64, String> {
        Ok(self.id + user_id + org_id.len() as u64 + Self::LIMIT)
    }

    #[cache(cache = self.cache, scope("user", user_id = self.id))]
    pub(crate) async fn own(&self, org_id: &str) -> Option<u64> {
        Some(self.id + org_id.len() as u64)
    }

    #[cacheado::cache]
    fn associated(x: u64) -> usize {
        size_of::<Self>() + x as usize
    }

    #[cache(skip(self))]
    fn shown<U: std::fmt::Display + serde::Serialize>(&self, x: U, y: impl Into<u64> + serde::Serialize) -> String {
        format!("{x}{}", y.into())
    }

    #[cache_put(cache = self.cache, scope = "user", ttl = 60, skip(value))]
    fn set(&self, org_id: &str, user_id: u64, value: u64) -> u64 {
        let _ = (org_id, user_id);
        value
    }

    #[cache_evict(self.get(org_id, user_id), Self::associated(user_id))]
    fn update(&mut self, org_id: &str, user_id: u64) -> Result<(), String> {
        let _ = (org_id, user_id);
        self.id += 1;
        Ok(())
    }

    #[cache_evict(scope = "organization", cache = self.cache, before)]
    async fn leave(&self, org_id: String) -> usize {
        org_id.len()
    }
}

trait Store {
    fn load(&self, x: u64) -> u64;
    fn name(x: u64) -> u64;
    fn provided(&self, x: u64) -> u64 {
        x
    }
}

#[cache_impl]
impl Store for Repo<u8> {
    #[cache(skip(self))]
    fn load(&self, x: u64) -> u64 {
        x
    }

    #[cache]
    fn name(x: u64) -> u64 {
        x + size_of::<Self>() as u64 - size_of::<Self>() as u64
    }
}

impl Store for Repo<u16> {
    #[cache(skip(self))]
    fn load(&self, x: u64) -> u64 {
        x + 1
    }

    fn name(x: u64) -> u64 {
        x
    }

    #[cache(cache = self.cache)]
    fn provided(&self, x: u64) -> u64 {
        x
    }
}

#[tokio::main]
async fn main() {
    let cache = Cache::builder().build().unwrap();
    let mut repo = Repo { cache: cache.clone(), id: 1, value: 0u8 };
    assert_eq!(repo.alone(3), 3);
    assert_eq!(repo.alone_async(3).await, 3);
    assert_eq!(*repo.plain(), 0);

    assert_eq!(repo.get("acme", 7), Ok(18));
    assert_eq!(peek!(repo.get("acme", 7)).unwrap(), Some(18));
    assert_eq!(peek!(Repo::get(&repo, "acme", 7)).unwrap(), Some(18));
    repo.update("acme", 7).unwrap();
    assert_eq!(peek!(repo.get("acme", 7)).unwrap(), None);
    assert!(put!(repo.get("acme", 7), 5).unwrap());
    assert_eq!(repo.get("acme", 7), Ok(5));
    assert_eq!(refresh!(repo.get("acme", 7)), Ok(19));
    assert_eq!(bypass!(Repo::get(&repo, "acme", 7)), Ok(19));
    assert!(evict!(repo.get("acme", 7)).unwrap());

    assert_eq!(repo.own("acme").await, Some(7));
    assert_eq!(peek!(repo.own("acme")).await.unwrap(), Some(Some(7)));
    assert_eq!(repo.leave("acme".into()).await, 4);
    assert_eq!(peek!(repo.own("acme")).await.unwrap(), None);

    assert_eq!(repo.set("acme", 7, 9), 9);
    assert_eq!(peek!(repo.set("acme", 7, 0)).unwrap(), Some(9));

    let size = Repo::<u8>::associated(1);
    assert_eq!(peek!(Repo::<u8>::associated(1)).unwrap(), Some(size));
    assert_eq!(peek!(<Repo<u8>>::associated(1)).unwrap(), Some(size));
    assert_eq!(peek!(Repo::<u64>::associated(1)).unwrap(), None);

    assert_eq!(repo.shown("a", 1u8), "a1");
    assert_eq!(peek!(repo.shown("a", 1u8)).unwrap().as_deref(), Some("a1"));
    assert_eq!(peek!(repo.shown::<&str>("a", 1u16)).unwrap(), None);

    assert_eq!(repo.load(1), 1);
    assert_eq!(<Repo<u8> as Store>::name(1), 1);
    assert_eq!(repo.provided(1), 1);
    let other = Repo { cache, id: 1, value: 0u16 };
    assert_eq!(other.load(1), 2);
    assert_eq!(Repo::<u16>::name(1), 1);
    assert_eq!(other.provided(1), 1);

    let repo = Arc::new(repo);
    let mut set = Vec::new();
    assert_eq!(repo.filled(&mut set, 3), 3);
    assert_eq!(set.len(), 1);
    assert_eq!(Arc::into_inner(repo).unwrap().consumed((1, 2)), 6);
}
