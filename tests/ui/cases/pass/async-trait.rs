//! `#[async_trait]` runs before the attributes inside it: they see its boxed futures.
#![deny(warnings)]

use async_trait::async_trait;
use cacheado::{Cache, cache, cache_evict, cache_impl, evict, peek};

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

#[async_trait]
trait Store {
    async fn load(&self, id: u64, pair: (String, u64)) -> Result<String, String>;
    async fn own(&self, ids: (String, u64)) -> u64;
    async fn stat(org_id: String) -> u64;
    async fn rename(&self, org_id: String) -> Result<u8, String>;
    fn sync(&self, x: u8) -> u8;
    #[cache(skip(self))]
    async fn provided(&self, x: u8) -> u8 {
        x + self.sync(x)
    }
}

struct Repo {
    cache: Cache,
    id: u64,
}

#[cache(scope = "organization")]
async fn members(org_id: String) -> u64 {
    org_id.len() as u64
}

#[cache_impl]
#[async_trait]
impl Store for Repo {
    #[cache(cache = self.cache, key = (a, id), ttl = 60)]
    async fn load(&self, id: u64, (a, mut b): (String, u64)) -> Result<String, String> {
        b += 1;
        if id == 0 {
            Err("nobody")?;
        }
        Ok(format!("{a}{b}{}", self.id))
    }

    #[cache(cache = self.cache, scope = "user")]
    async fn own(&self, (org_id, user_id): (String, u64)) -> u64 {
        org_id.len() as u64 + user_id + self.id
    }

    #[cache(scope = "organization")]
    async fn stat(org_id: String) -> u64 {
        org_id.len() as u64
    }

    #[cache_evict(scope = "organization", members(org_id))]
    async fn rename(&self, org_id: String) -> Result<u8, String> {
        if org_id.is_empty() {
            return Err("no name".into());
        }
        Ok(1)
    }

    #[cache(skip(self))]
    fn sync(&self, x: u8) -> u8 {
        x
    }
}

struct Other;

#[async_trait]
impl Store for Other {
    #[cache(skip(self))]
    async fn load(&self, id: u64, pair: (String, u64)) -> Result<String, String> {
        Ok(format!("{id}{}", pair.0))
    }

    async fn own(&self, _: (String, u64)) -> u64 {
        0
    }

    async fn stat(_: String) -> u64 {
        0
    }

    #[cache_evict(members(org_id), before)]
    async fn rename(&self, org_id: String) -> Result<u8, String> {
        Err(org_id)
    }

    fn sync(&self, x: u8) -> u8 {
        x + 1
    }
}

#[tokio::main]
async fn main() {
    let repo = Repo { cache: Cache::builder().build().unwrap(), id: 5 };
    assert!(repo.load(0, ("a".into(), 1)).await.is_err());
    assert_eq!(repo.load(1, ("a".into(), 1)).await.unwrap(), "a25");
    assert_eq!(repo.load(1, ("a".into(), 2)).await.unwrap(), "a25", "`b` is no part of the key");
    assert_eq!(repo.own(("acme".into(), 7)).await, 16);
    assert_eq!(Repo::stat("acme".into()).await, 4);
    assert_eq!(repo.provided(2).await, 4);

    assert_eq!(members("acme".into()).await, 4);
    assert!(repo.rename(String::new()).await.is_err());
    assert_eq!(peek!(members("acme".into())).await.unwrap(), Some(4));
    assert!(repo.rename("acme".into()).await.is_ok());
    assert!(!evict!(members("acme".into())).await.unwrap());

    assert_eq!(members("acme".into()).await, 4);
    assert!(Other.rename("acme".into()).await.is_err());
    assert_eq!(peek!(members("acme".into())).await.unwrap(), None, "evicted before it failed");
    assert_eq!(Other.load(1, ("a".into(), 1)).await.unwrap(), "1a");
    assert_eq!(Other.provided(2).await, 5);
}
