//! Where neither the prelude nor the usual names of the standard library are to be had.

#![no_implicit_prelude]
#![deny(warnings)]

::cacheado::scopes! { organization(org_id) { user(user_id) } }

mod traits {
    /// A trait for all types, with methods of the names that generated code might call.
    pub trait Blanket {
        fn kind(&self) -> u8 {
            1
        }
        fn probe(&self) -> u8 {
            1
        }
        fn peek(&self) -> u8 {
            1
        }
        fn succeeded(&self) -> u8 {
            1
        }
    }

    impl<T: ?::std::marker::Sized> Blanket for T {}
}

mod shop {
    use ::cacheado::{cache, cache_evict, cache_impl, cache_put};
    use super::traits::Blanket;

    pub mod core {}
    pub mod std {}
    pub mod cacheado {}

    type Id = ::core::primitive::u32;
    type Found = ::std::option::Option<Id>;

    #[cache(ttl = 60, max_items = 3, version = 2, cache_none = false, bypass = x == 77, when = |v| v.is_some())]
    pub fn found(x: Id) -> Found {
        ::std::option::Option::Some(x)
    }

    #[cache(ttl = |v| ::std::time::Duration::from_secs(::std::convert::From::from(*v)), scope = "user")]
    pub async fn of_user(
        org_id: &::core::primitive::str,
        user_id: Id,
    ) -> ::std::result::Result<Id, ::std::string::String> {
        let _ = org_id.kind();
        ::std::result::Result::Ok(user_id)
    }

    #[cache(batch(ids))]
    pub fn many(ids: &[Id]) -> ::std::collections::HashMap<Id, Id> {
        let mut all = ::std::collections::HashMap::new();
        for id in ids {
            all.insert(*id, *id);
        }
        all
    }

    #[cache_evict(found(x), scope = "organization", scope = "global")]
    pub fn changed(x: Id, org_id: &::core::primitive::str) -> Found {
        let _ = org_id;
        ::std::option::Option::Some(x)
    }

    #[cache_evict(found(x), of_user(org_id, x), scope = "organization")]
    pub async fn changed_later(x: Id, org_id: &::core::primitive::str) -> Found {
        let _ = org_id;
        ::std::option::Option::Some(x)
    }

    #[cache_put]
    pub fn put(x: Id) -> Found {
        ::std::option::Option::Some(x)
    }

    pub struct Own(pub ::cacheado::Cache);

    #[cache_impl]
    impl Own {
        #[cache(cache = self.0)]
        pub fn own(&self, x: Id) -> Id {
            x
        }
    }

    pub fn verbs(own: &Own) {
        let _ = ::cacheado::peek!(own.own(1));
        let _ = ::cacheado::put!(own.own(1), 3);
        let _ = ::cacheado::refresh!(own.own(1));
        let _ = ::cacheado::evict!(found(1));
        let _ = ::cacheado::expire!(found(1));
        let _ = ::cacheado::put!(found(1), ::std::option::Option::Some(3));
        let _ = ::cacheado::bypass!(found(1));
    }
}

fn main() {
    shop::found(1);
    shop::many(&[1]);
    shop::changed(1, "acme");
    shop::put(1);
    let own = shop::Own(::cacheado::Cache::disabled());
    own.own(1);
    shop::verbs(&own);
    let _ = (shop::of_user("acme", 1), shop::changed_later(1, "acme"));
}
