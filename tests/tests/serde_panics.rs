//! Values whose serde implementations panic: to the caller, such a value can't leave the process, can't be read, or can't be weighed.

use cacheado::{Cache, Error, cache, peek, put};
use cacheado_tests::store::Client;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const UNWRITABLE: u32 = 13;
const UNREADABLE: u32 = 7;

#[derive(Clone, Debug, PartialEq)]
struct Moody(u32);

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, UNWRITABLE, "on purpose");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u32::deserialize(deserializer)?;
        assert_ne!(value, UNREADABLE, "on purpose");
        Ok(Self(value))
    }
}

#[cache(cache = cache, skip(cache))]
fn moody(cache: &Cache, id: u32) -> Moody {
    Moody(id)
}

#[cache(cache = cache, skip(cache))]
async fn moody_async(cache: &Cache, id: u32) -> Moody {
    Moody(id)
}

#[tokio::test]
async fn what_cannot_be_written_stays_in_the_process() {
    let client = Client::new();
    let cache = client.cache();
    assert_eq!(moody(&cache, UNWRITABLE), Moody(UNWRITABLE));
    assert_eq!(moody_async(&cache, UNWRITABLE).await, Moody(UNWRITABLE));
    assert_eq!(moody(&cache, UNWRITABLE), Moody(UNWRITABLE));
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.hits, stats.backend_errors), (2, 1, 2));
    assert_eq!(client.len(), 0);
}

#[tokio::test]
async fn a_put_that_cannot_be_written_leaves_no_older_value() {
    let client = Client::new();
    let cache = client.cache();
    moody(&cache, 1);
    moody_async(&cache, 1).await;
    assert_eq!(client.len(), 2);
    let told = put!(moody(&cache, 1), Moody(UNWRITABLE));
    assert!(matches!(told, Err(Error::Codec { .. })), "{told:?}");
    let told = put!(moody_async(&cache, 1), Moody(UNWRITABLE)).await;
    assert!(matches!(told, Err(Error::Codec { .. })), "{told:?}");
    assert_eq!(client.len(), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_loaded_again() {
    let client = Client::new();
    let one = client.cache();
    moody(&one, UNREADABLE);
    moody_async(&one, UNREADABLE).await;
    assert_eq!(client.len(), 2);
    let two = client.clone().cache();
    assert_eq!(peek!(moody(&two, UNREADABLE)).unwrap(), None);
    assert_eq!(moody(&two, UNREADABLE), Moody(UNREADABLE));
    assert_eq!(moody_async(&two, UNREADABLE).await, Moody(UNREADABLE));
    let stats = two.stats();
    assert_eq!((stats.loads, stats.backend_errors), (2, 3));
}

#[test]
fn what_cannot_be_weighed_is_kept_all_the_same() {
    let cache = Cache::builder().max_bytes(1 << 20).build().unwrap();
    assert_eq!(moody(&cache, UNWRITABLE), Moody(UNWRITABLE));
    assert_eq!(moody(&cache, UNWRITABLE), Moody(UNWRITABLE));
    let stats = cache.stats();
    assert_eq!((stats.loads, stats.hits), (1, 1));
}
