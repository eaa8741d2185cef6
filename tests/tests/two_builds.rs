//! Two builds of one service on one store: a stored value is a miss for a build in which its type is another.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use cacheado::backends::{Backend, BackendResult, Lookup, Payload};
use cacheado::{Cache, Key, Scope, Storable};
use cacheado_backends::envelope::{Compression, Envelope, Opened};
use serde::{Deserialize, Serialize};

/// A store that keeps entries for ever.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<HashMap<Key, Arc<[u8]>>>>);

impl Backend for Store {
    fn name(&self) -> &'static str {
        "store"
    }

    fn get(&self, key: &Key) -> BackendResult<Lookup> {
        let bytes = self.0.lock().unwrap().get(key).cloned();
        let payload = bytes.map(|bytes| Payload {
            bytes,
            lifetime: None,
        });
        Ok(payload.into())
    }

    fn set(&self, key: &Key, payload: &Payload) -> BackendResult<()> {
        let bytes = Arc::clone(&payload.bytes);
        self.0.lock().unwrap().insert(key.clone(), bytes);
        Ok(())
    }

    fn evict(&self, key: &Key) -> BackendResult<bool> {
        Ok(self.0.lock().unwrap().remove(key).is_some())
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        Err("not asked for here".into())
    }

    fn clear(&self) -> BackendResult<()> {
        self.0.lock().unwrap().clear();
        Ok(())
    }
}

impl Store {
    fn cache(&self) -> Cache {
        let builder = Cache::builder().backend(self.clone()).in_process(false);
        builder.build().unwrap()
    }

    /// Gives all stored values the name of the other build's type, as if it were the same type.
    fn rename<New>(&self) {
        for (key, bytes) in &mut *self.0.lock().unwrap() {
            let opened = Opened::open(bytes, "cacheado", key).unwrap();
            let envelope = Envelope {
                cache: "cacheado",
                key,
                type_name: std::any::type_name::<New>(),
                shape: opened.shape,
                lifetime: opened.lifetime,
                stale: opened.stale,
                generation: opened.generation,
                value: &opened.value().unwrap(),
            };
            *bytes = envelope.seal(Compression::default()).into();
        }
    }
}

/// What a build with the type `New` reads after a build with the type `Old` has stored `value`. A `None` must be counted.
fn read<Old: Storable, New: Storable>(value: &Old) -> Option<New> {
    let store = Store::default();
    assert!(store.cache().set("value", value).run().unwrap());
    store.rename::<New>();
    let cache = store.cache();
    let found = cache.get("value").run().unwrap();
    assert_eq!(cache.stats().backend_errors, u64::from(found.is_none()));
    found
}

fn is_missed<Old, New>(value: &Old)
where
    Old: Storable,
    New: Storable + Debug + PartialEq,
{
    assert_eq!(read::<Old, New>(value), None);
}

#[test]
fn parts_that_change_places_across_brackets() {
    is_missed::<(i32, (u32,)), (u32, (i32,))>(&(-1, (1,)));
    is_missed::<(i32, (i32,)), (u32, (u32,))>(&(-1, (-1,)));
    is_missed::<(i32, [i32; 1]), (u32, [u32; 1])>(&(-1, [-1]));
    is_missed::<(u32, u32, (i32, i32)), (i32, i32, (u32, u32))>(&(1, 2, (3, 4)));
    is_missed::<(u8, u8, Vec<String>), Vec<(u8, u8)>>(&(1, 5, vec![]));
    is_missed::<(u8, u8, HashMap<u8, u8>), HashMap<u8, u8>>(&(1, 5, HashMap::new()));
}

mod old {
    use super::{Deserialize, Serialize};

    #[derive(Clone, Serialize, Deserialize)]
    pub(super) struct Tag {
        pub uses: u32,
        pub name: String,
    }
}

mod new {
    use super::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Tag {
        #[serde(skip_deserializing)]
        pub uses: u32,
        pub name: String,
    }
}

/// The bytes are six uses, a length of five, and five letters. Without the first field, the six is read as the length.
#[test]
fn a_field_that_is_written_and_not_read() {
    let name = "hello".to_owned();
    let tag = old::Tag { uses: 6, name };
    is_missed::<old::Tag, new::Tag>(&tag);
    let name = "hello".to_owned();
    let tag = new::Tag { uses: 6, name };
    is_missed::<new::Tag, new::Tag>(&tag);
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Login {
    #[serde(skip_serializing)]
    secret: u8,
    name: String,
}

#[test]
fn a_field_that_is_read_and_not_written() {
    let name = "\u{2}ab".to_owned();
    is_missed::<Login, Login>(&Login { secret: 7, name });
}

#[test]
fn what_is_made_alike_is_read() {
    assert_eq!(
        read::<_, (u32, Box<[i32]>)>(&(1_u32, vec![-1])),
        Some((1, [-1].into()))
    );
    let map = HashMap::from([(1_u8, "a".to_owned()), (2, String::new())]);
    assert_eq!(
        read::<_, HashMap<u8, Arc<str>>>(&map).map(|it| it.len()),
        Some(2)
    );
}
