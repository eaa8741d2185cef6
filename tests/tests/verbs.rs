//! The verbs `evict!`, `peek!`, `put!`, `refresh!` and `bypass!`, each for one call of a cached function, wherever the function can be
//! named.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheado::{Cache, bypass, cache, cache_impl, evict, peek, put, refresh, scopes};
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id)
    }
}

/// Counts the runs of its functions' bodies.
#[derive(Clone)]
pub(crate) struct Shop {
    cache: Cache,
    runs: Arc<AtomicU32>,
}

impl Shop {
    fn new() -> Self {
        Self {
            cache: Cache::builder().build().unwrap(),
            runs: Arc::default(),
        }
    }

    fn run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

pub(crate) mod shop {
    use super::*;

    #[cache(cache = shop.cache, skip(shop), scope = "user")]
    pub(crate) fn order(
        shop: &Shop,
        org_id: &str,
        user_id: u32,
        item: String,
    ) -> Result<u32, String> {
        if item.is_empty() {
            return Err(format!("nothing for {org_id} {user_id}"));
        }
        Ok(shop.run())
    }

    pub(crate) mod deeper {
        use super::*;

        #[cache(cache = shop.cache, skip(shop))]
        pub(crate) async fn order_async(shop: &Shop, item: &str) -> Result<u32, String> {
            if item.is_empty() {
                return Err("nothing".to_owned());
            }
            Ok(shop.run())
        }

        pub(crate) use order_async as renamed_once;
    }

    pub(crate) use self::deeper::order_async as reexported;
    pub(crate) use self::deeper::renamed_once;
}

mod glob {
    pub(crate) use super::shop::*;
}

fn item() -> String {
    "tea".to_owned()
}

#[test]
fn peek_looks_and_loads_nothing_and_counts_nothing() {
    let shop = Shop::new();
    let peek = || peek!(shop::order(&shop, "acme", 7, item())).unwrap();
    assert_eq!(peek(), None);
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(1));
    assert_eq!(peek(), Some(1));
    let stats = shop.cache.stats();
    assert_eq!((stats.hits, stats.misses, shop.runs()), (0, 1, 1));
}

#[test]
fn evict_removes_one_call() {
    let shop = Shop::new();
    assert!(!evict!(shop::order(&shop, "acme", 7, item())).unwrap());
    shop::order(&shop, "acme", 7, item()).unwrap();
    shop::order(&shop, "acme", 8, item()).unwrap();
    assert!(evict!(shop::order(&shop, "acme", 7, item())).unwrap());
    assert!(!evict!(shop::order(&shop, "acme", 7, item())).unwrap());
    assert_eq!(
        peek!(shop::order(&shop, "acme", 8, item())).unwrap(),
        Some(2)
    );
    assert_eq!(shop.cache.stats().evictions, 1);
}

#[test]
fn put_stores_what_the_call_would_store() {
    let shop = Shop::new();
    assert!(put!(shop::order(&shop, "acme", 7, item()), 99).unwrap());
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(99));
    assert!(put!(shop::order(&shop, "acme", 7, item()), 100,).unwrap());
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(100));
    assert_eq!(shop.runs(), 0);
    let organization = scope::organization("acme");
    assert_eq!(shop.cache.evict_by_scope(organization).run().unwrap(), 1);
}

#[test]
fn refresh_runs_and_stores() {
    let shop = Shop::new();
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(1));
    assert_eq!(refresh!(shop::order(&shop, "acme", 7, item())), Ok(2));
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(2));
    let failed = refresh!(shop::order(&shop, "acme", 7, String::new()));
    assert_eq!(failed, Err("nothing for acme 7".to_owned()));
    assert_eq!(refresh!(shop::order(&shop, "acme", 9, item())), Ok(3));
    assert_eq!(shop.cache.stats().total_keys, 2);
}

#[test]
fn bypass_runs_and_does_neither() {
    let shop = Shop::new();
    assert_eq!(bypass!(shop::order(&shop, "acme", 7, item())), Ok(1));
    assert_eq!(shop.cache.stats().total_keys, 0);
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(2));
    assert_eq!(bypass!(shop::order(&shop, "acme", 7, item())), Ok(3));
    assert_eq!(shop::order(&shop, "acme", 7, item()), Ok(2));
    let stats = shop.cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 1));
}

/// Each verb on one call, sync.
macro_rules! all_verbs {
    ($shop:ident: $($call:tt)*) => {{
        let runs = $shop.runs();
        assert_eq!(peek!($($call)*).unwrap(), None);
        assert_eq!($($call)*, Ok(runs + 1));
        assert_eq!(peek!($($call)*).unwrap(), Some(runs + 1));
        assert_eq!(bypass!($($call)*), Ok(runs + 2));
        assert_eq!(refresh!($($call)*), Ok(runs + 3));
        assert_eq!($($call)*, Ok(runs + 3));
        assert!(put!($($call)*, 7_000).unwrap());
        assert_eq!($($call)*, Ok(7_000));
        assert!(evict!($($call)*).unwrap());
        assert!(!evict!($($call)*).unwrap());
    }};
}

/// The same, async: each verb is a future.
macro_rules! all_verbs_async {
    ($shop:ident: $($call:tt)*) => {{
        let runs = $shop.runs();
        assert_eq!(peek!($($call)*).await.unwrap(), None);
        assert_eq!($($call)*.await, Ok(runs + 1));
        assert_eq!(peek!($($call)*).await.unwrap(), Some(runs + 1));
        assert_eq!(bypass!($($call)*).await, Ok(runs + 2));
        assert_eq!(refresh!($($call)*).await, Ok(runs + 3));
        assert_eq!($($call)*.await, Ok(runs + 3));
        assert!(put!($($call)*, 7_000).await.unwrap());
        assert_eq!($($call)*.await, Ok(7_000));
        assert!(evict!($($call)*).await.unwrap());
        assert!(!evict!($($call)*).await.unwrap());
    }};
}

#[test]
fn by_path() {
    let shop = Shop::new();
    all_verbs!(shop: shop::order(&shop, "acme", 7, item()));
    all_verbs!(shop: crate::shop::order(&shop, "acme", 7, item()));
    all_verbs!(shop: self::shop::order(&shop, "acme", 7, item()));
    block_on(async {
        all_verbs_async!(shop: shop::deeper::order_async(&shop, "tea"));
    });
}

#[test]
fn imported() {
    use shop::deeper::order_async;
    use shop::order;

    let shop = Shop::new();
    all_verbs!(shop: order(&shop, "acme", 7, item()));
    block_on(async {
        all_verbs_async!(shop: order_async(&shop, "tea"));
    });
}

#[test]
fn renamed_and_reexported() {
    use glob::reexported as twice_renamed;
    use shop::order as purchase;

    let shop = Shop::new();
    all_verbs!(shop: purchase(&shop, "acme", 7, item()));
    all_verbs!(shop: glob::order(&shop, "acme", 7, item()));
    block_on(async {
        all_verbs_async!(shop: twice_renamed(&shop, "tea"));
        all_verbs_async!(shop: shop::reexported(&shop, "tea"));
        all_verbs_async!(shop: glob::renamed_once(&shop, "tea"));
    });
}

/// Whatever name is used, it is one function.
#[test]
fn by_any_name_it_is_the_same_entry() {
    use shop::order as purchase;

    let shop = Shop::new();
    purchase(&shop, "acme", 7, item()).unwrap();
    assert_eq!(
        peek!(shop::order(&shop, "acme", 7, item())).unwrap(),
        Some(1)
    );
    assert!(evict!(glob::order(&shop, "acme", 7, item())).unwrap());
}

#[test]
fn a_function_inside_of_a_body() {
    #[cache(cache = shop.cache, skip(shop))]
    fn local(shop: &Shop, x: u8) -> Result<u32, String> {
        let _ = x;
        Ok(shop.run())
    }

    let shop = Shop::new();
    all_verbs!(shop: local(&shop, 1));
}

#[cache_impl]
impl Shop {
    #[cache(cache = self.cache, skip(self))]
    fn buy(&self, item: &str) -> Result<u32, String> {
        let _ = item;
        Ok(self.run())
    }

    #[cache(cache = self.cache, skip(self))]
    pub(crate) async fn buy_async(&self, item: &str) -> Result<u32, String> {
        let _ = item;
        Ok(self.run())
    }

    #[cache(cache = shop.cache, skip(shop))]
    fn open(shop: &Self, day: u8) -> Result<u32, String> {
        let _ = day;
        Ok(shop.run())
    }

    #[cache(cache = shop.cache, skip(shop))]
    async fn open_async<T: serde::Serialize + Sync>(shop: &Shop, day: &T) -> Result<u32, String> {
        let _ = day;
        Ok(shop.run())
    }

    #[cache(cache = self.cache, skip(self))]
    fn shared(self: Arc<Self>, item: u8) -> Result<u32, String> {
        let _ = item;
        Ok(self.run())
    }

    fn inside(&self) {
        let shop = self;
        all_verbs!(shop: self.buy("inside"));
        all_verbs!(shop: Self::open(self, 99));
    }
}

#[test]
fn of_methods_and_associated_functions() {
    let shop = Shop::new();
    all_verbs!(shop: shop.buy("tea"));
    all_verbs!(shop: Shop::buy(&shop, "tea"));
    all_verbs!(shop: Shop::open(&shop, 1));
    all_verbs!(shop: <Shop>::open(&shop, 1));
    let arc = Arc::new(shop.clone());
    all_verbs!(shop: arc.clone().shared(1));
    all_verbs!(shop: arc.buy("through an Arc"));
    block_on(async {
        all_verbs_async!(shop: shop.buy_async("tea"));
        all_verbs_async!(shop: Shop::open_async(&shop, &1_u8));
        all_verbs_async!(shop: Shop::open_async::<u16>(&shop, &1));
    });
    shop.inside();
}

#[cache(cache = shop.cache, skip(shop))]
fn generic<T: serde::Serialize, const N: usize>(shop: &Shop, of: T) -> Result<u32, String> {
    let _ = (of, N);
    Ok(shop.run())
}

#[cache(cache = shop.cache, skip(shop))]
fn opaque(shop: &Shop, of: impl serde::Serialize) -> Result<u32, String> {
    let _ = of;
    Ok(shop.run())
}

#[test]
fn of_generic_functions() {
    let shop = Shop::new();
    all_verbs!(shop: generic::<_, 1>(&shop, "tea"));
    all_verbs!(shop: generic::<u8, 2>(&shop, 3));
    all_verbs!(shop: opaque(&shop, "tea"));
    generic::<u8, 1>(&shop, 1).unwrap();
    assert_eq!(peek!(generic::<u8, 2>(&shop, 1)).unwrap(), None);
    assert_eq!(peek!(generic::<u16, 1>(&shop, 1)).unwrap(), None);
    assert!(peek!(generic::<u8, 1>(&shop, 1)).unwrap().is_some());
}

type Fallible<T> = Result<T, String>;
type Maybe = Option<u32>;

#[cache(cache = shop.cache, skip(shop))]
fn aliased(shop: &Shop, x: u8) -> Fallible<u32> {
    let _ = x;
    Ok(shop.run())
}

#[cache(cache = shop.cache, skip(shop))]
fn maybe(shop: &Shop, x: u8) -> Maybe {
    (x > 0).then(|| shop.run())
}

/// `peek!` and `put!` use what is stored: the `T` of a `Result<T, E>`, behind an alias too, and the whole of an `Option`.
#[test]
fn they_see_what_is_stored() {
    let shop = Shop::new();
    all_verbs!(shop: aliased(&shop, 1));
    assert_eq!(peek!(maybe(&shop, 0)).unwrap(), None);
    assert_eq!(maybe(&shop, 0), None);
    assert_eq!(peek!(maybe(&shop, 0)).unwrap(), Some(None));
    assert!(put!(maybe(&shop, 0), Some(5)).unwrap());
    assert_eq!(maybe(&shop, 0), Some(5));
}

#[cache(
    cache = shop.cache,
    skip(shop),
    key = x / 10,
    when = |value| *value > 10,
    ttl = |value| std::time::Duration::from_secs(u64::from(*value)),
)]
fn picky(shop: &Shop, x: u32) -> u32 {
    let _ = shop;
    x
}

/// The function's options apply to the verbs.
#[test]
fn they_keep_to_the_options() {
    let shop = Shop::new();
    assert!(put!(picky(&shop, 20), 11).unwrap());
    assert_eq!(peek!(picky(&shop, 29)).unwrap(), Some(11));
    assert!(!put!(picky(&shop, 25), 10).unwrap(), "`when` says no");
    assert_eq!(
        peek!(picky(&shop, 20)).unwrap(),
        None,
        "the older value went"
    );
    assert_eq!(refresh!(picky(&shop, 5)), 5);
    assert_eq!(peek!(picky(&shop, 5)).unwrap(), None);
}

/// A refresh replaces the old value, even if the new one is not stored.
#[test]
fn a_refresh_whose_value_is_not_stored_removes_the_older_one() {
    let shop = Shop::new();
    put!(picky(&shop, 5), 11).unwrap();
    assert_eq!(picky(&shop, 7), 11);
    assert_eq!(refresh!(picky(&shop, 7)), 7);
    assert_eq!(peek!(picky(&shop, 5)).unwrap(), None);
}

#[test]
fn a_refresh_that_fails_leaves_the_older_value() {
    #[cache(cache = shop.cache, skip(shop, fail))]
    fn fallible(shop: &Shop, x: u8, fail: bool) -> Result<u32, u8> {
        if fail { Err(x) } else { Ok(shop.run()) }
    }

    let shop = Shop::new();
    fallible(&shop, 1, false).unwrap();
    assert_eq!(refresh!(fallible(&shop, 1, true)), Err(1));
    assert_eq!(fallible(&shop, 1, true), Ok(1));
}

#[test]
fn on_a_disabled_cache_they_find_and_store_nothing() {
    let shop = Shop {
        cache: Cache::disabled(),
        runs: Arc::default(),
    };
    assert!(!put!(shop.buy("tea"), 5).unwrap());
    assert_eq!(peek!(shop.buy("tea")).unwrap(), None);
    assert!(!evict!(shop.buy("tea")).unwrap());
    assert_eq!(refresh!(shop.buy("tea")), Ok(1));
    assert_eq!(bypass!(shop.buy("tea")), Ok(2));
}

/// The futures are `Send`.
#[test]
fn of_async_functions_they_are_send() {
    fn send<F: Future + Send>(future: F) -> F::Output {
        block_on(future)
    }

    let shop = Shop::new();
    assert!(send(put!(shop::reexported(&shop, "tea"), 5)).unwrap());
    assert_eq!(
        send(peek!(shop::reexported(&shop, "tea"))).unwrap(),
        Some(5)
    );
    assert_eq!(send(refresh!(shop::reexported(&shop, "tea"))), Ok(1));
    assert_eq!(send(bypass!(shop::reexported(&shop, "tea"))), Ok(2));
    assert!(send(evict!(shop::reexported(&shop, "tea"))).unwrap());
}

/// Not `Clone`.
struct Once(u32);

#[cache(cache = cache, skip(cache, value), ttl = |value| Duration::from_secs(u64::from(*value)), when = |&value| value < 100)]
fn hidden(cache: &Cache, value: u32) -> u32 {
    let _ = cache;
    value
}

#[cache(cache = cache, skip(cache, value), ttl = |value| Duration::from_secs(u64::from(*value)), stale = 60)]
fn hidden_in_the_background(cache: Cache, value: Once) -> u32 {
    let _ = cache;
    value.0
}

/// The parameters of `ttl` and `when` have the name of an argument, and shadow it.
#[test]
fn a_closure_that_hides_an_argument_asks_for_none() {
    let cache = Cache::builder().build().unwrap();
    assert!(put!(hidden(&cache, 1), 2).unwrap());
    assert_eq!(hidden(&cache, 1), 2);
    assert!(!put!(hidden(&cache, 1), 200).unwrap());
    assert_eq!(hidden_in_the_background(cache.clone(), Once(3)), 3);
    assert_eq!(hidden_in_the_background(cache, Once(4)), 3);
}
