//! `memcache`: its meta client with a pool of as many connections as there are callers.

use memcache::exp::{AsyncMetaClient, Get, GetResult, MetaClient, MetaClientBuilder, Ttl};

use super::Driver;
use crate::shared::callers::Callers;
use crate::shared::contender::{LIFETIME, Waiting};
use crate::shared::operations::MOST_CALLERS;

pub(super) struct Memcached {
    blocking: MetaClient,
    waiting: AsyncMetaClient,
}

impl Memcached {
    pub(super) fn new(url: &str, callers: &Callers) -> Result<Self, String> {
        let address = url.trim_start_matches("memcached://");
        let blocking = builder().connect(address);
        let waiting = callers.wait(builder().connect_async(address));
        Ok(Self {
            blocking: blocking.map_err(|error| error.to_string())?,
            waiting: waiting.map_err(|error| error.to_string())?,
        })
    }
}

fn builder() -> MetaClientBuilder {
    MetaClient::builder()
        .max_idle(MOST_CALLERS)
        .max_connections(Some(MOST_CALLERS))
}

impl Driver for Memcached {
    fn get(&self, _: usize, key: &str) -> Option<Vec<u8>> {
        let get = self.blocking.get(key).send();
        get.expect("the server answers").value
    }

    fn set(&self, _: usize, key: &str, value: Vec<u8>) {
        let set = self.blocking.set(key, value).ttl(ttl()).send();
        assert!(set.expect("the server answers").applied());
    }

    fn get_many(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        let gets = self.blocking.run_many(keys.iter().map(Get::new));
        values(gets.expect("the server answers"))
    }

    fn get_async<'a>(&'a self, key: &'a str) -> Waiting<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let get = self.waiting.get(key).send().await;
            get.expect("the server answers").value
        })
    }

    fn set_async<'a>(&'a self, key: &'a str, value: Vec<u8>) -> Waiting<'a, ()> {
        Box::pin(async move {
            let set = self.waiting.set(key, value).ttl(ttl()).send().await;
            assert!(set.expect("the server answers").applied());
        })
    }

    fn get_many_async<'a>(&'a self, keys: &'a [String]) -> Waiting<'a, Vec<Option<Vec<u8>>>> {
        Box::pin(async move {
            let gets = self.waiting.run_many(keys.iter().map(Get::new)).await;
            values(gets.expect("the server answers"))
        })
    }
}

fn values<E: std::fmt::Debug>(results: Vec<Result<GetResult, E>>) -> Vec<Option<Vec<u8>>> {
    let results = results.into_iter();
    let value = |result: Result<GetResult, E>| result.expect("the server answers").value;
    results.map(value).collect()
}

fn ttl() -> Ttl {
    Ttl::secs(u32::try_from(LIFETIME.as_secs()).expect("an hour"))
}
