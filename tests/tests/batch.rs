//! `batch(ids)`: functions of many ids, each with an entry of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache, cache_evict, cache_impl, evict, peek, put, scopes};
use cacheado_tests::store::Client;
use futures::FutureExt as _;
use futures::executor::block_on;
use serde::{Deserialize, Serialize};

scopes! {
    organization(org_id) { user(user_id) }
}

/// The ids that bodies received.
#[derive(Default)]
struct Asked(Mutex<Vec<Vec<u32>>>);

impl Asked {
    fn note(&self, ids: &[u32]) {
        self.0.lock().unwrap().push(ids.to_vec());
    }

    fn take(&self) -> Vec<Vec<u32>> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

fn squared(ids: &[u32]) -> HashMap<u32, u64> {
    let square = |&id| (id, u64::from(id) * u64::from(id));
    ids.iter().map(square).collect()
}

#[test]
fn only_what_is_missing_is_asked_for_and_each_once() {
    #[cache(cache = cache, skip(cache, asked), batch(ids))]
    fn squares(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    let (cache, asked) = (cache(), Asked::default());
    assert_eq!(squares(&cache, &asked, &[3, 1, 3]), squared(&[1, 3]));
    assert_eq!(
        squares(&cache, &asked, &[1, 2, 3, 4]),
        squared(&[1, 2, 3, 4])
    );
    assert_eq!(squares(&cache, &asked, &[4, 4, 1]), squared(&[1, 4]));
    assert_eq!(squares(&cache, &asked, &[]), HashMap::new());
    assert_eq!(asked.take(), [vec![3, 1], vec![2, 4]]);
    let stats = cache.stats();
    assert_eq!(
        (stats.hits, stats.misses, stats.loads),
        (5, 5, 4),
        "{stats}"
    );
    assert_eq!(stats.total_keys, 4);
}

#[test]
fn what_the_body_lacks_is_asked_for_again_and_what_it_brings_beside_is_left() {
    #[cache(cache = cache, skip(cache, asked), batch(ids))]
    fn even(cache: &Cache, asked: &Asked, ids: &[u32]) -> BTreeMap<u32, String> {
        asked.note(ids);
        let even = ids.iter().filter(|id| *id % 2 == 0);
        even.chain(&[100]).map(|id| (*id, id.to_string())).collect()
    }
    let (cache, asked) = (cache(), Asked::default());
    for _ in 0..2 {
        let found = even(&cache, &asked, &[1, 2, 3, 4]);
        assert_eq!(found.into_keys().collect::<Vec<_>>(), [2, 4]);
    }
    assert_eq!(asked.take(), [vec![1, 2, 3, 4], vec![1, 3]]);
    assert_eq!(cache.stats().total_keys, 2);
}

/// More arguments than serde supports in a tuple.
#[test]
fn a_key_of_many_parts_is_that_of_the_function_of_one_id() {
    macro_rules! with_many {
        ($($arg:ident)*) => {
            #[cache(cache = cache, skip(cache), name = "of many parts", batch(ids))]
            #[allow(clippy::too_many_arguments)]
            fn many(cache: &Cache, $($arg: u8,)* ids: &[u32]) -> HashMap<u32, u64> {
                let _ = ($($arg,)* cache);
                squared(ids)
            }

            #[cache(cache = cache, skip(cache), name = "of many parts")]
            #[allow(clippy::too_many_arguments)]
            fn one(cache: &Cache, $($arg: u8,)* id: u32) -> u64 {
                let _ = ($($arg,)* cache, id);
                0
            }
        };
    }
    with_many!(a b c d e f g h i j k l m);

    let cache = cache();
    let found = many(&cache, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, &[3, 4]);
    assert_eq!(found, squared(&[3, 4]));
    let one = |last, id| one(&cache, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, last, id);
    assert_eq!((one(13, 3), one(13, 4)), (9, 16));
    assert_eq!((one(14, 3), one(13, 5)), (0, 0));
}

#[derive(Debug, PartialEq)]
struct Down;

#[test]
fn an_error_is_the_calls_and_is_not_stored() {
    #[cache(cache = cache, skip(cache, down), batch(ids))]
    #[allow(clippy::needless_pass_by_value, reason = "ids may come as a list, too")]
    fn squares(cache: &Cache, down: bool, ids: Vec<u32>) -> Result<HashMap<u32, u64>, Down> {
        if down {
            return Err(Down);
        }
        Ok(squared(&ids))
    }
    let cache = cache();
    assert_eq!(squares(&cache, true, vec![1]), Err(Down));
    assert_eq!(squares(&cache, false, vec![1]), Ok(squared(&[1])));
    assert_eq!(squares(&cache, true, vec![1]), Ok(squared(&[1])));
    assert_eq!(squares(&cache, true, vec![1, 2]), Err(Down));
}

#[test]
fn async_functions_and_methods() {
    struct Shop {
        cache: Cache,
        asked: Asked,
    }

    #[cache_impl]
    impl Shop {
        #[cache(cache = self.cache, scope = "organization", batch(ids))]
        async fn prices(
            &self,
            org_id: &str,
            currency: &str,
            mut ids: Vec<u32>,
        ) -> Result<HashMap<u32, u64>, Down> {
            self.asked.note(&ids);
            ids.reverse();
            std::future::ready(()).await;
            let price = |id: &u32| {
                (
                    *id,
                    u64::from(*id) + org_id.len() as u64 + currency.len() as u64,
                )
            };
            Ok(ids.iter().map(price).collect())
        }

        #[cache(cache = cache, skip(cache), batch(ids))]
        fn own(cache: &Cache, ids: &[u32]) -> HashMap<u32, u64> {
            squared(ids)
        }
    }

    #[async_trait::async_trait]
    trait Prices {
        async fn of(&self, org_id: &str, ids: &[u32]) -> HashMap<u32, u64>;
    }

    #[async_trait::async_trait]
    impl Prices for Shop {
        #[cache(cache = self.cache, scope = "organization", batch(ids))]
        async fn of(&self, org_id: &str, ids: &[u32]) -> HashMap<u32, u64> {
            self.asked.note(ids);
            let _ = org_id;
            squared(ids)
        }
    }

    let shop = Shop {
        cache: cache(),
        asked: Asked::default(),
    };
    let acme = block_on(shop.prices("acme", "EUR", vec![1, 2])).unwrap();
    assert_eq!(acme, HashMap::from([(1, 8), (2, 9)]));
    assert_eq!(block_on(shop.prices("acme", "EUR", vec![2, 1])), Ok(acme));
    block_on(shop.prices("acme", "US$", vec![1])).unwrap();
    let other = block_on(shop.prices("umbrella", "EUR", vec![1])).unwrap();
    assert_eq!(other, HashMap::from([(1, 12)]), "of another tenant");
    assert_eq!(shop.asked.take(), [vec![1, 2], vec![1], vec![1]]);
    assert_eq!(
        shop.cache
            .evict_by_scope(scope::organization("acme"))
            .run()
            .unwrap(),
        3
    );

    for _ in 0..2 {
        assert_eq!(block_on(shop.of("acme", &[5])), squared(&[5]));
        assert_eq!(Shop::own(&shop.cache, &[5]), squared(&[5]));
    }
    assert_eq!(shop.asked.take(), [[5]]);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Product {
    name: String,
}

#[cache(name = "batch::product", cache = cache, scope = "organization", skip(cache))]
fn product(cache: &Cache, org_id: &str, product_id: u32) -> Option<Product> {
    let _ = (org_id, product_id);
    None
}

#[cache(name = "batch::product", cache = cache, scope = "organization", skip(cache, asked), batch(product_ids))]
fn products(
    cache: &Cache,
    asked: &Asked,
    org_id: &str,
    product_ids: &[u32],
) -> HashMap<u32, Option<Product>> {
    asked.note(product_ids);
    let product = |id: &u32| {
        (
            *id,
            Some(Product {
                name: format!("{org_id} {id}"),
            }),
        )
    };
    product_ids.iter().map(product).collect()
}

#[cache_evict(product(cache, org_id, product_id))]
fn rename(cache: &Cache, org_id: &str, product_id: u32) {
    let _ = (cache, org_id, product_id);
}

/// A function of one id with the same `name` shares the entries of the batch function, so its verbs reach them.
#[test]
fn entries_are_shared_with_a_function_of_one_id() {
    let (cache, asked) = (cache(), Asked::default());
    let many = |ids: &[u32]| products(&cache, &asked, "acme", ids);
    many(&[1, 2]);
    let one = |name: &str| {
        Some(Product {
            name: name.to_owned(),
        })
    };
    assert_eq!(product(&cache, "acme", 1), one("acme 1"));
    assert_eq!(product(&cache, "umbrella", 1), None, "of another tenant");
    assert_eq!(
        peek!(product(&cache, "acme", 2)).unwrap(),
        Some(one("acme 2"))
    );
    assert!(evict!(product(&cache, "acme", 1)).unwrap());
    rename(&cache, "acme", 2);
    assert!(put!(product(&cache, "acme", 3), one("new")).unwrap());
    assert_eq!(many(&[1, 2, 3])[&3], one("new"));
    assert_eq!(asked.take(), [[1, 2], [1, 2]]);
}

#[test]
fn each_value_has_its_own_lifetime_and_may_not_be_stored() {
    #[cache(
        cache = cache, skip(cache, asked), batch(ids), cache_none = false,
        ttl = |value| Duration::from_secs(value.unwrap_or(0)), when = |value| *value != Some(3),
    )]
    fn halves(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, Option<u64>> {
        asked.note(ids);
        let half = |&id: &u32| (id, (id % 2 == 0).then_some(u64::from(id) / 2));
        ids.iter().map(half).collect()
    }
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    let asked = Asked::default();
    let ids = [1, 2, 4, 6];
    let found = halves(&cache, &asked, &ids);
    assert_eq!(
        found,
        HashMap::from([(1, None), (2, Some(1)), (4, Some(2)), (6, Some(3))])
    );
    assert_eq!(halves(&cache, &asked, &ids), found);
    clock.advance(Duration::from_secs(1));
    assert_eq!(halves(&cache, &asked, &ids), found);
    assert_eq!(asked.take(), [vec![1, 2, 4, 6], vec![1, 6], vec![1, 2, 6]]);
}

#[test]
fn an_invalidation_wins_over_the_load() {
    #[cache(cache = cache, skip(cache, between), scope = "organization", batch(ids))]
    fn versions(cache: &Cache, between: &dyn Fn(), org_id: &str, ids: &[u32]) -> HashMap<u32, u64> {
        let _ = org_id;
        between();
        squared(ids)
    }
    let cache = cache();
    let evict = || {
        let acme = scope::organization("acme");
        cache.evict_by_scope(acme).run().unwrap();
    };
    assert_eq!(versions(&cache, &evict, "acme", &[1, 2]), squared(&[1, 2]));
    assert_eq!(cache.stats().total_keys, 0);
    versions(&cache, &|| (), "acme", &[1, 2]);
    assert_eq!(cache.stats().total_keys, 2);
}

#[test]
fn values_without_serde_stay_in_the_process() {
    #[derive(Clone, Debug, PartialEq)]
    struct Handle(u32);

    #[cache(cache = cache, skip(cache), local, batch(ids))]
    fn handles(cache: &Cache, ids: &[&str]) -> HashMap<String, Handle> {
        ids.iter()
            .map(|id| ((*id).to_owned(), Handle(id.len() as u32)))
            .collect()
    }
    let client = Client::new();
    let cache = client.cache();
    let found = handles(&cache, &["a", "bcd"]);
    assert_eq!(found["bcd"], Handle(3));
    assert_eq!(handles(&cache, &["bcd", "a"]), found);
    assert_eq!(client.asked().len(), 0);
}

#[test]
fn bypassed_and_disabled_caches_ask_for_everything() {
    #[cache(cache = cache, skip(cache, asked, fresh), bypass = fresh, batch(ids))]
    fn squares(cache: &Cache, asked: &Asked, fresh: bool, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    let asked = Asked::default();
    let stored = cache();
    squares(&stored, &asked, false, &[1]);
    assert_eq!(squares(&stored, &asked, true, &[1, 2]), squared(&[1, 2]));
    assert_eq!(stored.stats().total_keys, 1);
    let disabled = Cache::disabled();
    for _ in 0..2 {
        squares(&disabled, &asked, false, &[1]);
    }
    assert_eq!(asked.take(), [vec![1], vec![1, 2], vec![1], vec![1]]);
}

#[test]
fn the_shared_tier_is_asked_once_and_told_once() {
    #[cache(name = "batch::shared", cache = cache, skip(cache, asked), batch(ids))]
    async fn squares(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    let client = Client::new();
    let (here, there) = (client.cache(), client.cache());
    let asked = Asked::default();
    let now = |cache: &Cache, ids: &[u32]| squares(cache, &asked, ids).now_or_never().unwrap();
    now(&here, &[1, 2]);
    client.asked();
    // a store with bulk operations takes one round trip; this one's default implementation calls `get` for each key
    assert_eq!(now(&there, &[1, 2]), squared(&[1, 2]));
    assert_eq!(client.asked(), ["get", "get"]);
    assert_eq!(now(&there, &[1, 2, 3]), squared(&[1, 2, 3]));
    assert_eq!(asked.take(), [vec![1, 2], vec![3]]);
}

/// Otherwise each process would call the source for the entry again.
#[test]
fn what_can_not_be_read_in_the_shared_tier_is_replaced() {
    #[cache(name = "batch::unread", cache = cache, skip(cache, asked), batch(ids))]
    fn squares(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    #[cache(name = "batch::unread_async", cache = cache, skip(cache, asked), batch(ids))]
    async fn squares_async(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    type Call = fn(&Cache, &Asked) -> HashMap<u32, u64>;
    let calls: [Call; 3] = [
        |cache, asked| squares(cache, asked, &[1, 2]),
        |cache, asked| block_on(squares_async(cache, asked, &[1, 2])),
        |cache, asked| {
            let load = |ids: Vec<u32>| {
                asked.note(&ids);
                squared(&ids)
            };
            let got = cache.get_or_load_many([1, 2], load).run().unwrap();
            [1, 2].into_iter().zip(got.into_iter().flatten()).collect()
        },
    ];
    for call in calls {
        let (client, asked) = (Client::new(), Asked::default());
        call(&client.cache(), &asked);
        client.cut_short();
        for _ in 0..2 {
            assert_eq!(call(&client.cache(), &asked), squared(&[1, 2]));
        }
        assert_eq!(asked.take(), [[1, 2], [1, 2]]);
    }
}

#[test]
fn what_only_stands_in_there_is_replaced_as_well() {
    #[cache(name = "batch::old", cache = cache, ttl = 60, stale = 60, skip(cache))]
    fn square(cache: &Cache, id: u32) -> u64 {
        u64::from(id) * u64::from(id)
    }
    #[cache(name = "batch::old", cache = cache, ttl = 60, skip(cache, asked), batch(ids))]
    fn squares(cache: &Cache, asked: &Asked, ids: &[u32]) -> HashMap<u32, u64> {
        asked.note(ids);
        squared(ids)
    }
    let (client, asked) = (Client::new(), Asked::default());
    square(&client.cache(), 3);
    client.store().clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        assert_eq!(squares(&client.cache(), &asked, &[3]), squared(&[3]));
    }
    assert_eq!(asked.take(), [[3]]);
}

/// Otherwise the next failing load would serve the stale value again.
#[test]
fn what_only_stands_in_goes_when_what_was_loaded_is_not_to_be_stored() {
    #[cache(name = "batch::left", cache = cache, ttl = 60, stale = 600, skip(cache, now))]
    fn one(cache: &Cache, now: Option<u64>, id: u32) -> Result<u64, ()> {
        let _ = id;
        now.ok_or(())
    }
    #[cache(
        name = "batch::left", cache = cache, ttl = 60, skip(cache, now), batch(ids),
        when = |value| *value != 2,
    )]
    fn many(cache: &Cache, now: u64, ids: &[u32]) -> HashMap<u32, u64> {
        ids.iter().map(|&id| (id, now)).collect()
    }
    #[cache(
        name = "batch::left", cache = cache, ttl = 60, skip(cache, now), batch(ids),
        when = |value| *value != 2,
    )]
    async fn many_async(cache: &Cache, now: u64, ids: &[u32]) -> HashMap<u32, u64> {
        ids.iter().map(|&id| (id, now)).collect()
    }
    type Loads = fn(&Cache) -> HashMap<u32, u64>;
    let loads: [Loads; 2] = [
        |cache| many(cache, 2, &[3]),
        |cache| block_on(many_async(cache, 2, &[3])),
    ];
    for load in loads {
        for in_process in [true, false] {
            let client = Client::new();
            let builder = client.builder().in_process(in_process);
            let cache = builder.build().unwrap();
            assert_eq!(one(&cache, Some(1), 3), Ok(1));
            client.store().clock.advance(Duration::from_secs(60));
            assert_eq!(load(&cache), HashMap::from([(3, 2)]));
            assert_eq!(one(&cache, None, 3), Err(()), "in process: {in_process}");
        }
    }
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    assert_eq!(one(&cache, Some(1), 3), Ok(1));
    clock.advance(Duration::from_secs(60));
    assert_eq!(many(&cache, 2, &[3]), HashMap::from([(3, 2)]));
    assert_eq!(one(&cache, None, 3), Err(()));
}

#[test]
fn who_loads_nothing_asks_no_more_of_what_can_not_be_read() {
    let client = Client::new();
    client.cache().set(1_u32, &1_u64).run().unwrap();
    client.cut_short();
    client.asked();
    let got = client.cache().get_many::<u64, _>([1_u32]).run().unwrap();
    assert_eq!((got, client.asked()), (vec![None], vec!["get"]));
}
