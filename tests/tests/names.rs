//! Which entries leave the process: those of functions that every process knows by the same name. A path is such a name only if it
//! names an item of a module. Other paths may name another function in another process, and which function is called first says
//! nothing.

#![allow(
    non_local_definitions,
    clippy::items_after_statements,
    clippy::unused_self,
    reason = "functions inside of functions and impls are what this is about"
)]

use std::any::type_name;
use std::marker::PhantomData;

use cacheado::{Cache, bypass, cache, cache_impl, cache_put, evict, peek, put};
use cacheado_tests::store::Client;

/// The number of entries in the store after `call`.
fn shared(call: impl FnOnce(&Cache)) -> usize {
    let client = Client::new();
    call(&client.cache());
    client.len()
}

macro_rules! price {
    ($cache:ident, $currency:literal) => {{
        #[cache(cache = cache, skip(cache))]
        fn price(cache: &Cache, id: u32) -> String {
            format!("{id} {}", $currency)
        }
        price($cache, 1)
    }};
}

fn by_macro(cache: &Cache, eur: bool) -> String {
    if eur {
        price!(cache, "EUR")
    } else {
        price!(cache, "USD")
    }
}

#[test]
fn functions_inside_of_functions_stay_in_the_process_whichever_is_first() {
    assert_eq!(shared(|cache| _ = by_macro(cache, true)), 0);
    assert_eq!(shared(|cache| _ = by_macro(cache, false)), 0);
}

#[cache(cache = cache, skip(cache))]
fn generic<T: 'static>(cache: &Cache, id: u32) -> String {
    format!("{id} {}", size_of::<T>())
}

mod deep {
    use cacheado::{Cache, cache, cache_impl};

    pub(crate) struct Deep;

    #[cache(cache = cache, skip(cache))]
    pub(crate) fn plain(cache: &Cache, id: u32) -> u32 {
        id
    }

    #[cache(cache = cache, skip(cache))]
    pub(crate) async fn plain_async(cache: &Cache, id: u32) -> u32 {
        id
    }

    #[cache(cache = cache, skip(cache), batch(ids))]
    pub(crate) fn many(cache: &Cache, ids: &[u32]) -> std::collections::HashMap<u32, u32> {
        ids.iter().map(|id| (*id, *id)).collect()
    }

    impl Deep {
        #[cache(cache = cache, skip(cache, self))]
        pub(crate) fn method(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }

    #[cache_impl]
    impl Deep {
        #[cache(cache = cache, skip(cache))]
        pub(crate) fn associated(cache: &Cache, id: u32) -> u32 {
            id
        }
    }

    // in another module than its type
    impl super::Top {
        #[cache(cache = cache, skip(cache, self))]
        pub(crate) fn elsewhere(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }

    impl super::Repo for Deep {
        #[cache(cache = cache, skip(cache, self))]
        fn find(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }

    pub(crate) mod model {
        pub(crate) struct Model;
    }

    impl super::Repo for model::Model {
        #[cache(cache = cache, skip(cache, self))]
        fn find(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }
}

struct Top;

struct Holder<T>(PhantomData<T>);

impl<T> Holder<T> {
    #[cache(cache = cache, skip(cache, self))]
    fn held(&self, cache: &Cache, id: u32) -> String {
        format!("{id} {}", type_name::<T>())
    }
}

#[cache_impl]
impl<T> Holder<T> {
    #[cache(cache = cache, skip(cache))]
    fn associated<U>(cache: &Cache, id: u32) -> String {
        format!("{id} {}", type_name::<(T, U)>())
    }
}

trait Repo {
    fn find(&self, cache: &Cache, id: u32) -> u32;

    #[cache(cache = cache, skip(cache, self))]
    fn provided(&self, cache: &Cache, id: u32) -> u32 {
        id
    }
}

trait Beside {
    fn beside(&self, cache: &Cache, id: u32) -> u32;
}

/// The path is the same as that of a type inside a function `deep` there.
impl Beside for deep::Deep {
    #[cache(cache = cache, skip(cache, self))]
    fn beside(&self, cache: &Cache, id: u32) -> u32 {
        id
    }
}

impl Repo for Top {
    #[cache(cache = cache, skip(cache, self))]
    fn find(&self, cache: &Cache, id: u32) -> u32 {
        id
    }
}

impl<T> Repo for Holder<T> {
    #[cache(cache = cache, skip(cache, self))]
    fn find(&self, cache: &Cache, id: u32) -> u32 {
        id
    }
}

fn holder<T>() -> Holder<T> {
    Holder(PhantomData)
}

#[test]
fn functions_and_methods_of_modules_are_shared() {
    assert_eq!(shared(|cache| _ = deep::plain(cache, 1)), 1);
    let plain_async = |cache: &Cache| futures::executor::block_on(deep::plain_async(cache, 1));
    assert_eq!(shared(|cache| _ = plain_async(cache)), 1);
    assert_eq!(shared(|cache| _ = deep::many(cache, &[1, 2])), 2);
    assert_eq!(shared(|cache| _ = deep::Deep.method(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = deep::Deep::associated(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = Top.elsewhere(cache, 1)), 1);
}

#[test]
fn methods_of_impls_of_traits_in_modules_are_shared() {
    assert_eq!(shared(|cache| _ = Top.find(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = deep::Deep.find(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = deep::model::Model.find(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = holder::<u8>().find(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = Top.provided(cache, 1)), 1);
}

#[test]
fn instances_with_types_that_are_surely_of_modules_are_shared() {
    assert_eq!(shared(|cache| _ = generic::<u8>(cache, 1)), 1);
    assert_eq!(
        shared(|cache| _ = generic::<Vec<(String, [char; 3])>>(cache, 1)),
        1
    );
    assert_eq!(shared(|cache| _ = generic::<Top>(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = holder::<Top>().held(cache, 1)), 1);
    assert_eq!(
        shared(|cache| _ = Holder::<Option<u8>>::associated::<Top>(cache, 1)),
        1
    );
}

/// A type in the module `deep` has the same path as a type inside a function `deep`.
#[test]
fn instances_with_types_that_may_be_of_functions_stay_in_the_process() {
    struct Local;
    assert_eq!(shared(|cache| _ = generic::<Local>(cache, 2)), 0);
    assert_eq!(shared(|cache| _ = generic::<Vec<Local>>(cache, 2)), 0);
    assert_eq!(shared(|cache| _ = generic::<deep::Deep>(cache, 2)), 0);
    assert_eq!(shared(|cache| _ = holder::<Local>().held(cache, 2)), 0);
    assert_eq!(shared(|cache| _ = holder::<Local>().find(cache, 2)), 0);
    assert_eq!(
        shared(|cache| _ = Holder::<u8>::associated::<Local>(cache, 2)),
        0
    );
    assert_eq!(shared(|cache| _ = deep::Deep.provided(cache, 2)), 0);
    assert_eq!(shared(|cache| _ = deep::Deep.beside(cache, 2)), 0);
}

#[test]
fn methods_of_types_inside_of_functions_stay_in_the_process() {
    struct Local;
    impl Local {
        #[cache(cache = cache, skip(cache, self))]
        fn method(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }
    impl Repo for Local {
        #[cache(cache = cache, skip(cache, self))]
        fn find(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }
    trait Inside {
        fn inside(&self, cache: &Cache, id: u32) -> u32;
    }
    impl Inside for Top {
        #[cache(cache = cache, skip(cache, self))]
        fn inside(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }
    // its path shows the enclosing function
    impl Top {
        #[cache(cache = cache, skip(cache, self))]
        fn of_a_block(&self, cache: &Cache, id: u32) -> u32 {
            id
        }
    }
    assert_eq!(shared(|cache| _ = Local.method(cache, 1)), 0);
    assert_eq!(shared(|cache| _ = Local.find(cache, 1)), 0);
    assert_eq!(shared(|cache| _ = Top.inside(cache, 1)), 0);
    assert_eq!(shared(|cache| _ = Top.of_a_block(cache, 1)), 0);
}

/// The path is that of a module's `inner::plain`, except for the function's name.
#[test]
fn functions_of_modules_inside_of_functions_stay_in_the_process() {
    mod inner {
        #[cacheado::cache(cache = cache, skip(cache))]
        pub(super) fn plain(cache: &cacheado::Cache, id: u32) -> u32 {
            id
        }
    }
    assert_eq!(shared(|cache| _ = inner::plain(cache, 1)), 0);
}

#[test]
fn a_name_shares_what_is_inside_of_functions() {
    #[cache(name = "inside of a function", cache = cache, skip(cache))]
    fn named(cache: &Cache, id: u32) -> u32 {
        id
    }
    #[cache(name = "inside of a function, of a type", cache = cache, skip(cache))]
    fn named_generic<T: 'static>(cache: &Cache, id: u32) -> u32 {
        id
    }
    assert_eq!(shared(|cache| _ = named(cache, 1)), 1);
    assert_eq!(shared(|cache| _ = named_generic::<deep::Deep>(cache, 1)), 1);
}

#[test]
fn what_stays_in_the_process_is_kept_there() {
    let client = Client::new();
    let cache = client.cache();
    for _ in 0..2 {
        assert_eq!(by_macro(&cache, true), "1 EUR");
        assert_eq!(by_macro(&cache, false), "1 USD");
    }
    assert_eq!(cache.stats().hits, 2);
}

/// Puts and lookups of functions that share an explicit name.
mod one_name {
    use std::collections::HashMap;
    use std::marker::PhantomData;

    use cacheado::{Cache, cache, cache_put};

    pub(super) struct Db;

    pub(super) mod product {
        use super::{Cache, Db, HashMap, cache, cache_put};

        pub(crate) trait Repo {
            fn products(&self, cache: &Cache, ids: &[u32]) -> HashMap<u32, u32>;
            fn product(&self, cache: &Cache, id: u32, value: u32) -> u32;
        }

        impl Repo for Db {
            #[cache(name = "names::product", cache = cache, skip(cache, self), batch(ids))]
            fn products(&self, cache: &Cache, ids: &[u32]) -> HashMap<u32, u32> {
                ids.iter().map(|id| (*id, 0)).collect()
            }

            #[cache_put(name = "names::product", cache = cache, skip(cache, self, value))]
            fn product(&self, cache: &Cache, id: u32, value: u32) -> u32 {
                value
            }
        }
    }

    pub(super) mod user {
        use super::{Cache, PhantomData, cache, cache_put};

        pub(crate) struct Users<T>(pub(crate) PhantomData<T>);

        impl<T> Users<T> {
            #[cache(name = "names::user", cache = cache, skip(cache, self))]
            pub(crate) fn user(&self, cache: &Cache, id: u32) -> u32 {
                0
            }

            #[cache_put(name = "names::user", cache = cache, skip(cache, self, value))]
            pub(crate) fn save(&self, cache: &Cache, id: u32, value: u32) -> u32 {
                value
            }
        }
    }

    // in another module than its type
    pub(super) mod elsewhere {
        use super::{Cache, Db, cache_put};

        impl Db {
            #[cache_put(name = "names::row", cache = cache, skip(cache, self, value))]
            pub(crate) fn save(&self, cache: &Cache, id: u32, value: u32) -> u32 {
                value
            }
        }
    }

    #[cache(name = "names::row", cache = cache, skip(cache))]
    pub(super) fn row(cache: &Cache, id: u32) -> u32 {
        0
    }

    pub(super) trait Nests {
        fn nested(&self, cache: &Cache, id: u32, value: u32);
    }

    impl Nests for Db {
        fn nested(&self, cache: &Cache, id: u32, value: u32) {
            #[cache_put(name = "names::row", cache = cache, skip(cache, value))]
            fn save(cache: &Cache, id: u32, value: u32) -> u32 {
                value
            }
            save(cache, id, value);
        }
    }

    pub(super) async fn in_a_block(cache: &Cache, id: u32, value: u32) {
        let block = async {
            #[cache_put(name = "names::in a block", cache = cache, skip(cache, value))]
            fn save(cache: &Cache, id: u32, value: u32) -> u32 {
                value
            }
            save(cache, id, value);
        };
        block.await;
    }

    #[cache(name = "names::in a block", cache = cache, skip(cache))]
    pub(super) fn in_the_module(cache: &Cache, id: u32) -> u32 {
        0
    }
}

#[test]
fn functions_of_one_name_share_in_whatever_they_stand() {
    use one_name::product::Repo as _;
    use one_name::{Db, Nests as _, in_a_block, in_the_module, row, user::Users};

    let client = Client::new();
    let (cache, elsewhere) = (&client.cache(), &client.cache());
    Db.product(cache, 1, 11);
    assert_eq!(Db.products(cache, &[1])[&1], 11);
    assert_eq!(Db.products(elsewhere, &[1])[&1], 11);
    let users = Users::<u8>(PhantomData);
    users.save(cache, 1, 12);
    assert_eq!(users.user(cache, 1), 12);
    assert_eq!(Users::<u16>(PhantomData).user(cache, 1), 0);
    Db.save(cache, 1, 13);
    assert_eq!(row(cache, 1), 13);
    Db.nested(cache, 1, 14);
    assert_eq!(row(cache, 1), 14);
    assert_eq!(row(elsewhere, 1), 14);
    futures::executor::block_on(in_a_block(cache, 1, 15));
    assert_eq!(in_the_module(cache, 1), 15);
    assert_eq!(in_the_module(elsewhere, 1), 15);
}

/// An instance that stays in the process does not claim the name.
#[test]
fn an_instance_of_a_closure_keeps_its_name_from_no_other() {
    #[cache(name = "names::of a type", cache = cache, skip(cache, _of))]
    fn of<F: Fn()>(cache: &Cache, _of: F, id: u32) -> u32 {
        id
    }
    fn plain() {}
    assert_eq!(shared(|cache| _ = of(cache, || (), 1)), 0);
    assert_eq!(shared(|cache| _ = of(cache, plain, 1)), 1);
    assert_eq!(shared(|cache| _ = of(cache, plain as fn(), 1)), 1);
}

#[cache(name = "names::local or not", cache = cache, skip(cache))]
fn portable(cache: &Cache, id: u32) -> u32 {
    id
}

#[cache(name = "names::local or not", cache = cache, skip(cache), local)]
fn local(cache: &Cache, id: u32) -> u32 {
    id + 10
}

#[cache_put(name = "names::local or not", cache = cache, skip(cache), local)]
fn put_local(cache: &Cache, id: u32) -> u32 {
    id + 20
}

/// A put or an eviction by the `local` function would not reach the shared tier.
#[test]
fn a_local_function_does_not_share_with_one_that_is_not() {
    let client = Client::new();
    let (here, there) = (&client.cache(), &client.cache());
    assert_eq!(portable(here, 1), 1);
    assert_eq!(local(here, 1), 11);
    assert_eq!(peek!(local(here, 1)).unwrap(), None);
    assert!(!evict!(local(here, 1)).unwrap());
    assert!(!put!(local(here, 1), 12).unwrap());
    assert_eq!(put_local(here, 1), 21);
    for cache in [here, there] {
        assert_eq!(peek!(portable(cache, 1)).unwrap(), Some(1));
    }
}

mod orders {
    use std::collections::HashMap;

    use cacheado::{Cache, cache, cache_put};

    #[cache(name = "names::in another order", cache = cache, skip(cache))]
    pub(crate) fn one(cache: &Cache, language: u32, id: u32) -> String {
        format!("{id} in {language}")
    }

    #[cache(name = "names::in another order", cache = cache, skip(cache), batch(ids))]
    pub(crate) fn many(cache: &Cache, ids: &[u32], language: u32) -> HashMap<u32, String> {
        let text = |id| format!("{id} in {language}");
        ids.iter().map(|&id| (id, text(id))).collect()
    }

    #[cache_put(name = "names::in another order", cache = cache, skip(cache), key = (id, language))]
    pub(crate) fn save(cache: &Cache, language: u32, id: u32) -> String {
        format!("{id} in {language}, saved")
    }

    #[cache(name = "names::in one order", cache = cache, skip(cache))]
    pub(crate) fn by_other_names(cache: &Cache, first: u32, second: u32) -> String {
        format!("{second} in {first}")
    }

    #[cache(name = "names::in one order", cache = cache, skip(cache))]
    pub(crate) fn read(cache: &Cache, language: u32, id: u32) -> String {
        format!("{id} in {language}")
    }

    #[cache(name = "names::in one order", cache = cache, skip(cache))]
    pub(crate) fn read_otherwise(cache: &Cache, id: u32, language: u32) -> String {
        format!("{id} in {language}")
    }
}

#[test]
fn functions_whose_arguments_stand_in_another_order_share_no_name() {
    let cache = Cache::builder().build().unwrap();
    assert_eq!(orders::one(&cache, 1, 2), "2 in 1");
    assert_eq!(orders::many(&cache, &[1], 2)[&1], "1 in 2");
    orders::save(&cache, 4, 3);
    assert_eq!(orders::one(&cache, 3, 4), "4 in 3");
    assert_eq!(orders::one(&cache, 4, 3), "3 in 4");
}

#[test]
fn a_name_is_shared_only_if_all_that_have_it_agree() {
    let cache = Cache::builder().build().unwrap();
    assert_eq!(orders::by_other_names(&cache, 1, 2), "2 in 1");
    assert_eq!(orders::read(&cache, 1, 2), "2 in 1");
    assert_eq!((cache.stats().hits, cache.stats().loads), (1, 1));
    assert_eq!(orders::read_otherwise(&cache, 1, 2), "1 in 2");
}

/// The report can be missed, so calls that run uncached also show in the statistics.
#[test]
fn calls_of_a_function_whose_name_is_anothers_are_counted() {
    let cache = Cache::builder().build().unwrap();
    let errors = |cache: &Cache| {
        let of_name = cache.stats().by_function.remove("names::in another order");
        assert_eq!(
            of_name.map_or(0, |of_name| of_name.key_errors),
            cache.stats().key_errors
        );
        cache.stats().key_errors
    };
    orders::one(&cache, 3, 4);
    assert_eq!(errors(&cache), 0);
    orders::many(&cache, &[3], 4);
    assert_eq!(errors(&cache), 1);
    orders::save(&cache, 4, 3);
    orders::save(&cache, 4, 3);
    assert_eq!(errors(&cache), 3);
    _ = bypass!(orders::save(&cache, 4, 3));
    orders::one(&cache, 3, 4);
    assert_eq!(errors(&cache), 3);

    let disabled = Cache::disabled();
    orders::save(&disabled, 4, 3);
    assert_eq!(errors(&disabled), 0);
}

/// A function's results do not show that other processes don't receive what is cached here.
#[test]
fn what_stays_in_the_process_for_want_of_a_name_is_in_the_statistics() {
    #[cache(name = "names::has one", cache = cache, skip(cache))]
    fn named<T>(cache: &Cache, id: u32) -> u32 {
        id
    }
    #[cache(name = "names::stays", cache = cache, skip(cache), local)]
    fn stays_by_choice(cache: &Cache, id: u32) -> u32 {
        id
    }
    let cache = Client::new().cache();
    stays_by_choice(&cache, 1);
    named::<deep::Deep>(&cache, 1);
    Holder::<Top>(PhantomData).held(&cache, 1);
    assert_eq!(cache.stats().unshared.len(), 0, "{}", cache.stats());
    Holder::<deep::Deep>(PhantomData).held(&cache, 1);
    let stats = cache.stats();
    let [unshared] = &Vec::from_iter(&stats.unshared)[..] else {
        panic!("{stats}");
    };
    assert!(
        unshared.ends_with("Holder<names::deep::Deep>::held"),
        "{stats}"
    );
    assert!(stats.by_function.contains_key(*unshared));
    assert!(stats.to_string().contains("in this process alone: "));

    // without a shared tier nothing is missing
    let cache = Cache::builder().build().unwrap();
    Holder::<deep::Deep>(PhantomData).held(&cache, 1);
    assert!(cache.stats().unshared.is_empty());
    assert!(!cache.stats().to_string().contains("in this process alone"));
}
