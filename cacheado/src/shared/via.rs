//! A backend that is asked in one of two ways.

use std::time::Duration;

use cacheado_backends::backend::{BackendResult, Lease, Lookup, Mark, Payload};
use cacheado_backends::{Backend, Key, Scope};

use crate::way::Way;

/// A backend, and the way to ask it. Each operation starts when it is first polled.
#[derive(Clone, Copy)]
pub(super) struct Via<'b> {
    pub(super) way: Way,
    pub(super) backend: &'b dyn Backend,
}

macro_rules! operations {
    ($($name:ident, $name_async:ident ($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        impl<'b> Via<'b> {
            $(pub(super) async fn $name(self $(, $arg: $type)*) -> BackendResult<$out> {
                match self.way {
                    Way::Blocking => self.backend.$name($($arg),*),
                    Way::Async => self.backend.$name_async($($arg),*).await,
                }
            })*
        }
    };
}
operations! {
    get, get_async(key: &'b Key) -> Lookup;
    get_value, get_value_async(key: &'b Key) -> Lookup;
    mark, mark_async(key: &'b Key) -> Mark;
    set, set_async(key: &'b Key, payload: &'b Payload) -> ();
    fill, fill_async(key: &'b Key, payload: &'b Payload, mark: &'b Mark) -> bool;
    put, put_async(key: &'b Key, payload: &'b Payload, mark: &'b Mark) -> bool;
    evict, evict_async(key: &'b Key) -> bool;
    evict_by_scope, evict_by_scope_async(scope: &'b Scope) -> u64;
    clear, clear_async() -> ();
    get_many, get_many_async(keys: &'b [Key]) -> Vec<Lookup>;
    get_values, get_values_async(keys: &'b [Key]) -> Vec<Lookup>;
    set_many, set_many_async(entries: &'b [(Key, Payload)]) -> ();
    fill_many, fill_many_async(entries: &'b [(Key, Payload, Mark)]) -> Vec<bool>;
    lease, lease_async(key: &'b Key, span: Duration) -> Lease;
    release, release_async(key: &'b Key, mark: &'b Mark) -> ();
    release_to_all, release_to_all_async(key: &'b Key, mark: &'b Mark, span: Duration) -> ();
}
