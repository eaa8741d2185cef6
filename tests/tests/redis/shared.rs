//! What these tests share: keys, payloads, and a backend called in both ways.

use std::sync::Arc;
use std::time::Duration;

use cacheado_backends::backend::{Backend, BackendResult, Lease, Lookup, Mark, Payload};
use cacheado_backends::redis::Redis;
use cacheado_backends::{Hierarchy, Key, Probe, Scope, Space};
use tokio::runtime::{Builder, Runtime};

/// How a backend is called.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Blocking,
    Async,
}

pub const BOTH: [Way; 2] = [Way::Blocking, Way::Async];

/// A backend, and the way it is called.
pub struct Asked {
    pub backend: Redis,
    way: Way,
    runtime: Runtime,
}

macro_rules! ask {
    ($($name:ident, $name_async:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Asked {
            $(
                pub fn $name(&self, $($arg: $type),*) -> BackendResult<$result> {
                    match self.way {
                        Way::Blocking => self.backend.$name($($arg),*),
                        Way::Async => self.runtime.block_on(self.backend.$name_async($($arg),*)),
                    }
                }
            )*
        }
    };
}

ask! {
    get, get_async(key: &Key) -> Lookup;
    get_value, get_value_async(key: &Key) -> Lookup;
    mark, mark_async(key: &Key) -> Mark;
    set, set_async(key: &Key, payload: &Payload) -> ();
    fill, fill_async(key: &Key, payload: &Payload, mark: &Mark) -> bool;
    put, put_async(key: &Key, payload: &Payload, mark: &Mark) -> bool;
    evict, evict_async(key: &Key) -> bool;
    evict_by_scope, evict_by_scope_async(scope: &Scope) -> u64;
    clear, clear_async() -> ();
    get_many, get_many_async(keys: &[Key]) -> Vec<Lookup>;
    get_values, get_values_async(keys: &[Key]) -> Vec<Lookup>;
    set_many, set_many_async(entries: &[(Key, Payload)]) -> ();
    fill_many, fill_many_async(entries: &[(Key, Payload, Mark)]) -> Vec<bool>;
    lease, lease_async(key: &Key, span: Duration) -> Lease;
    release, release_async(key: &Key, mark: &Mark) -> ();
}

impl Asked {
    pub fn new(mut backend: Redis, way: Way) -> Self {
        // the same name for both ways, and for all backends that share the store
        backend.bind("shop");
        // without timers of its own
        let runtime = Builder::new_current_thread().build().unwrap();
        Self {
            backend,
            way,
            runtime,
        }
    }

    /// The stored value, as text.
    pub fn found(&self, key: &Key) -> Option<String> {
        let payload = self.get(key).unwrap().hit()?;
        Some(String::from_utf8_lossy(&payload.bytes).into_owned())
    }

    /// The mark of a miss.
    pub fn missed(&self, key: &Key) -> Mark {
        match self.get(key).unwrap() {
            Lookup::Miss(mark) => mark,
            Lookup::Hit(_) => panic!("it is stored"),
        }
    }

    /// The mark of a granted lease.
    pub fn granted(&self, key: &Key, span: Duration) -> Mark {
        match self.lease(key, span).unwrap() {
            Lease::Granted(mark) => mark,
            other => panic!("{other:?}"),
        }
    }

    pub fn is_taken(&self, key: &Key) -> bool {
        matches!(self.lease(key, 10 * SECOND).unwrap(), Lease::Taken)
    }
}

/// A backend with a timeout for a machine that is busy with other tests.
pub fn patient(url: &str) -> Redis {
    Redis::new(url).unwrap().timeout(5 * SECOND)
}

pub const SECOND: Duration = Duration::from_secs(1);

pub fn text(value: &str) -> Payload {
    Payload {
        bytes: Arc::from(value.as_bytes()),
        lifetime: None,
    }
}

pub fn text_for(value: &str, lifetime: Duration) -> Payload {
    Payload {
        lifetime: Some(lifetime),
        ..text(value)
    }
}

/// The scope of an organization, of one of its users, or the root.
pub fn scope(ids: &[&str]) -> Scope {
    let hierarchy = Hierarchy::builder()
        .level("organization", "org_id")
        .level_under("organization", "user", "user_id")
        .build()
        .unwrap();
    let level = ["global", "organization", "user"][ids.len()];
    let params = ["org_id", "user_id"].into_iter().zip(ids.iter().copied());
    hierarchy.scope(level, params).unwrap()
}

pub fn key_in(ids: &[&str], args: &str) -> Key {
    let scope = scope(ids);
    let probe = Probe::in_scope(Space::programmatic(scope.level()), &scope, args);
    probe.unwrap().to_key().unwrap()
}

/// An entry of user 7 of acme.
pub fn key(args: &str) -> Key {
    key_in(&["acme", "7"], args)
}
