//! The bare drivers, each used as its own documentation recommends, with values encoded by postcard. This is what a program has that
//! caches by hand, with a lifetime and nothing else.

mod memcached;
mod mongodb;
mod redis;

use super::Callers;
use super::contender::{Contender, Item, Waiting, owner};
use super::servers::{Kind, Running};

/// A driver: it stores bytes under text keys.
trait Driver: Send + Sync {
    fn get(&self, caller: usize, key: &str) -> Option<Vec<u8>>;

    fn set(&self, caller: usize, key: &str, value: Vec<u8>);

    /// In the order of the keys.
    fn get_many(&self, keys: &[String]) -> Vec<Option<Vec<u8>>>;

    fn get_async<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Vec<u8>>>;

    fn set_async<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Waiting<'a, ()>;

    fn get_many_async<'a>(&'a self, keys: &'a [String]) -> Waiting<'a, Vec<Option<Vec<u8>>>>;
}

/// Keeps items by a driver alone.
pub(super) struct Bare(Box<dyn Driver>);

impl Bare {
    pub(super) fn new(running: &Running, callers: &Callers) -> Result<Self, String> {
        let url = running.url();
        Ok(Self(match running.kind() {
            Kind::Redis => Box::new(redis::Redis::new(&url, callers)?),
            Kind::MongoDb => Box::new(mongodb::MongoDb::new(&url, callers)?),
            Kind::Memcached => Box::new(memcached::Memcached::new(&url, callers)?),
        }))
    }
}

fn key(nth: u64, size: usize) -> String {
    let (org, user) = owner(nth);
    format!("organization:{org}:user:{user}:item:{nth}:{size}")
}

fn keys(keys: &[u64], size: usize) -> Vec<String> {
    keys.iter().map(|&nth| key(nth, size)).collect()
}

fn encode(item: &Item) -> Vec<u8> {
    postcard::to_allocvec(item).expect("an item can be encoded")
}

fn decode(bytes: &[u8]) -> Item {
    postcard::from_bytes(bytes).expect("what was encoded can be decoded")
}

fn decode_all(found: Vec<Option<Vec<u8>>>) -> Vec<Option<Item>> {
    let found = found.into_iter();
    found.map(|bytes| bytes.as_deref().map(decode)).collect()
}

impl Contender for Bare {
    fn name(&self) -> &'static str {
        "bare driver"
    }

    fn get(&self, caller: usize, nth: u64, size: usize) -> Option<Item> {
        let found = self.0.get(caller, &key(nth, size));
        found.as_deref().map(decode)
    }

    fn load(&self, caller: usize, nth: u64, size: usize) -> Item {
        let key = key(nth, size);
        if let Some(found) = self.0.get(caller, &key) {
            return decode(&found);
        }
        let item = Item::new(nth, size);
        self.0.set(caller, &key, encode(&item));
        item
    }

    fn set(&self, caller: usize, item: &Item, nth: u64, size: usize) {
        self.0.set(caller, &key(nth, size), encode(item));
    }

    fn get_many(&self, nths: &[u64], size: usize) -> Option<Vec<Option<Item>>> {
        Some(decode_all(self.0.get_many(&keys(nths, size))))
    }

    fn get_async(&self, nth: u64, size: usize) -> Waiting<'_, Option<Item>> {
        Box::pin(async move {
            let found = self.0.get_async(&key(nth, size)).await;
            found.as_deref().map(decode)
        })
    }

    fn load_async(&self, nth: u64, size: usize) -> Waiting<'_, Item> {
        Box::pin(async move {
            let key = key(nth, size);
            if let Some(found) = self.0.get_async(&key).await {
                return decode(&found);
            }
            let item = Item::new(nth, size);
            self.0.set_async(&key, encode(&item)).await;
            item
        })
    }

    fn set_async<'a>(&'a self, item: &'a Item, nth: u64, size: usize) -> Waiting<'a, ()> {
        Box::pin(async move { self.0.set_async(&key(nth, size), encode(item)).await })
    }

    fn get_many_async<'a>(
        &'a self,
        nths: &'a [u64],
        size: usize,
    ) -> Waiting<'a, Option<Vec<Option<Item>>>> {
        Box::pin(async move { Some(decode_all(self.0.get_many_async(&keys(nths, size)).await)) })
    }
}
