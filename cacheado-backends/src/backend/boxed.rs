//! A boxed backend, for one that is chosen at run time.

use std::time::Duration;

use super::{Backend, BackendFuture, BackendResult, Changes, Lease, Lookup, Mark, Payload};
use crate::error::Result;
use crate::key::Key;
use crate::scope::Scope;

macro_rules! forwarded {
    (
        { $($name:ident($($arg:ident: $type:ty),*) -> $result:ty;)* }
        async { $($name_async:ident($($arg_async:ident: $type_async:ty),*) -> $result_async:ty;)* }
    ) => {
        // a default method would bypass the boxed backend's own
        #[deny(clippy::missing_trait_methods)]
        impl<B: Backend + ?Sized> Backend for Box<B> {
            fn name(&self) -> &str {
                (**self).name()
            }

            fn bind(&mut self, name: &str) {
                (**self).bind(name);
            }

            $(
                fn $name(&self, $($arg: $type),*) -> $result {
                    (**self).$name($($arg),*)
                }
            )*

            $(
                fn $name_async<'a>(&'a self, $($arg_async: &'a $type_async),*) -> BackendFuture<'a, $result_async> {
                    (**self).$name_async($($arg_async),*)
                }
            )*

            fn clear_async(&self) -> BackendFuture<'_, ()> {
                (**self).clear_async()
            }

            fn release_to_all_async<'a>(
                &'a self,
                key: &'a Key,
                mark: &'a Mark,
                span: Duration,
            ) -> BackendFuture<'a, ()> {
                (**self).release_to_all_async(key, mark, span)
            }

            fn lease_async<'a>(&'a self, key: &'a Key, span: Duration) -> BackendFuture<'a, Lease> {
                (**self).lease_async(key, span)
            }
        }
    };
}
forwarded! {
    {
        check() -> Result<()>;
        watch(changes: Changes) -> bool;
        part(key: &Key) -> u32;
        part_of_scope(scope: &Scope) -> u32;
        get(key: &Key) -> BackendResult<Lookup>;
        get_value(key: &Key) -> BackendResult<Lookup>;
        mark(key: &Key) -> BackendResult<Mark>;
        set(key: &Key, payload: &Payload) -> BackendResult<()>;
        fill(key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool>;
        put(key: &Key, payload: &Payload, mark: &Mark) -> BackendResult<bool>;
        evict(key: &Key) -> BackendResult<bool>;
        evict_by_scope(scope: &Scope) -> BackendResult<u64>;
        clear() -> BackendResult<()>;
        get_many(keys: &[Key]) -> BackendResult<Vec<Lookup>>;
        get_values(keys: &[Key]) -> BackendResult<Vec<Lookup>>;
        set_many(entries: &[(Key, Payload)]) -> BackendResult<()>;
        fill_many(entries: &[(Key, Payload, Mark)]) -> BackendResult<Vec<bool>>;
        lease(key: &Key, span: Duration) -> BackendResult<Lease>;
        release(key: &Key, mark: &Mark) -> BackendResult<()>;
        release_to_all(key: &Key, mark: &Mark, span: Duration) -> BackendResult<()>;
    }
    async {
        get_async(key: Key) -> Lookup;
        get_value_async(key: Key) -> Lookup;
        mark_async(key: Key) -> Mark;
        set_async(key: Key, payload: Payload) -> ();
        fill_async(key: Key, payload: Payload, mark: Mark) -> bool;
        put_async(key: Key, payload: Payload, mark: Mark) -> bool;
        evict_async(key: Key) -> bool;
        evict_by_scope_async(scope: Scope) -> u64;
        get_many_async(keys: [Key]) -> Vec<Lookup>;
        get_values_async(keys: [Key]) -> Vec<Lookup>;
        set_many_async(entries: [(Key, Payload)]) -> ();
        fill_many_async(entries: [(Key, Payload, Mark)]) -> Vec<bool>;
        release_async(key: Key, mark: Mark) -> ();
    }
}
