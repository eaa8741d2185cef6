//! What is wrapped around a value that leaves the process: enough to know it again, and to know that it is whole.

use std::borrow::Cow;

use cacheado_backends::{Key, Scope};
use serde::{Deserialize, Serialize};

use crate::value::Encoded;

/// The number of the envelope's form. Another one is a miss.
const FORMAT: u8 = 1;

/// A value, the key that it was stored under, and its type.
#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope<'a> {
    format: u8,
    cache: Cow<'a, str>,
    space: Cow<'a, str>,
    version: u32,
    explicit: bool,
    level: Cow<'a, str>,
    scope: Vec<Cow<'a, str>>,
    args: &'a [u8],
    pub(crate) type_name: Cow<'a, str>,
    shape: u64,
    value: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Around `value`, which is of the type called `type_name`, for `key` of the cache called `cache`. `scope` is the key's.
    pub(crate) fn around(
        cache: &'a str,
        key: &'a Key,
        scope: &'a Scope,
        type_name: &'static str,
        value: &'a Encoded,
    ) -> Self {
        Self {
            format: FORMAT,
            cache: cache.into(),
            space: key.space().name().into(),
            version: key.space().version(),
            explicit: key.space().is_explicit(),
            level: key.space().level().path().into(),
            scope: scope.ids().map(Cow::from).collect(),
            args: key.args(),
            type_name: type_name.into(),
            shape: value.shape,
            value: &value.bytes,
        }
    }

    /// As it is stored: by postcard, and a checksum of that behind it.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut bytes = postcard::to_allocvec(self).map_err(|error| error.to_string())?;
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        Ok(bytes)
    }

    /// The envelope in `bytes`; `None` if they are not whole, or of another form.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (bytes, checksum) = bytes.split_last_chunk()?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(*checksum) {
            return None;
        }
        postcard::from_bytes::<Self>(bytes)
            .ok()
            .filter(|envelope| envelope.format == FORMAT)
    }

    /// What is in it.
    pub(crate) fn value(&self) -> Encoded<&'a [u8]> {
        Encoded {
            bytes: self.value,
            shape: self.shape,
        }
    }

    /// Whether it was stored under `key` by a cache called `cache`.
    pub(crate) fn is_for(&self, cache: &str, key: &Key) -> bool {
        self.cache == cache
            && self.space == key.space().name()
            && self.version == key.space().version()
            && self.explicit == key.space().is_explicit()
            && self.level == key.space().level().path()
            && self.scope.iter().map(|id| &**id).eq(key.scope().ids())
            && self.args == key.args()
    }
}
