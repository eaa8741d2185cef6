//! The verbs work wherever the function can be named: by path, imported, re-exported, renamed.
#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheado::{bypass, evict, peek, put, refresh};

static RUNS: AtomicU64 = AtomicU64::new(0);

mod shop {
    use std::sync::atomic::Ordering;

    use cacheado::cache;

    pub(crate) struct Db;

    #[cache(ttl = 60, skip(db))]
    pub(crate) fn price(db: &Db, name: &str, count: u64) -> Result<u64, String> {
        let _ = (db, name);
        super::RUNS.fetch_add(1, Ordering::Relaxed);
        Ok(count * 3)
    }

    pub(crate) mod inner {
        #[cacheado::cache]
        pub(crate) async fn stock<T: Clone + serde::Serialize>(id: T, shelves: impl IntoIterator<Item = u32> + serde::Serialize) -> u32 {
            let _ = id.clone();
            shelves.into_iter().sum()
        }
    }

    pub(crate) use inner::stock as counted;
}

use shop::counted;
use shop::price as cost;

#[cacheado::cache]
fn parsed<'a>(text: &'a str) -> Result<u32, &'a str> {
    text.parse().map_err(|_| text)
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main]
async fn main() {
    let db = shop::Db;
    assert_eq!(peek!(shop::price(&db, "tea", 2)).unwrap(), None);
    assert_eq!(cost(&db, "tea", 2), Ok(6));
    assert_eq!(peek!(cost(&db, "tea", 2)).unwrap(), Some(6));
    assert!(put!(self::shop::price(&db, "tea", 2), 7).unwrap());
    assert_eq!(cost(&db, "tea", 2), Ok(7));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
    assert_eq!(bypass!(cost(&db, "tea", 2)), Ok(6));
    assert_eq!(cost(&db, "tea", 2), Ok(7));
    assert_eq!(refresh!(crate::shop::price(&db, "tea", 2)), Ok(6));
    assert_eq!(cost(&db, "tea", 2), Ok(6));
    assert!(evict!((cost(&db, "tea", 2))).unwrap());
    assert!(!evict!(cost(&db, "tea", 2)).unwrap());

    // what it borrows from is a temporary value
    let three = "3";
    assert_eq!(peek!(parsed(&three.to_string())).unwrap(), None);
    assert!(put!(parsed(&three.to_string()), 4).unwrap());
    assert_eq!(parsed(three), Ok(4));

    assert_eq!(is_send(counted("tea", [1, 2])).await, 3);
    assert_eq!(is_send(peek!(counted("tea", [1, 2]))).await.unwrap(), Some(3));
    assert_eq!(peek!(shop::inner::stock::<&str>("tea", vec![1, 2])).await.unwrap(), None);
    assert!(is_send(put!(counted::<&str>("tea", [1, 2]), 9)).await.unwrap());
    assert_eq!(counted("tea", [1, 2]).await, 9);
    assert_eq!(is_send(refresh!(counted("tea", [1, 2]))).await, 3);
    assert_eq!(is_send(bypass!(counted("tea", [1, 2]))).await, 3);
    assert!(is_send(evict!(shop::counted("tea", [1, 2]),)).await.unwrap());
}
