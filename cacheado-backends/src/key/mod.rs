//! Keys of entries. A key consists of a space (the function), the ids of a scope (the tenant), and the arguments.
//!
//! A lookup creates no key: a [`Probe`] hashes and compares by streaming the borrowed arguments through serde. Only a stored entry
//! owns a key.

mod buffer;
mod bytes;
mod hash;
mod replay;
mod serializer;
mod show;
mod sink;
mod space;
pub(crate) mod varint;

use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::cold_path;

use serde::Serialize;

use self::serializer::KeySerializer;
use self::sink::{Compare, Writer};
use crate::scope::{Scope, decode_ids, encode_ids, ids_len, is_unprintable};
use crate::sync::RandomState;

pub(crate) use buffer::Buffer;
use bytes::KeyBytes;
pub(crate) use hash::{Hash32, Head};
#[cfg(feature = "shared")]
pub(crate) use show::show_start;
pub(crate) use sink::Stop;
pub use space::{Space, SpaceSpec};

/// A hasher of the space, fed with the ids.
#[inline]
fn hasher_of<'i>(
    space: &Space,
    ids: impl Iterator<Item = &'i [u8]>,
) -> <RandomState as BuildHasher>::Hasher {
    let mut hasher = space.hasher();
    for id in ids {
        hasher.write(id);
    }
    hasher
}

/// The key of an entry. Cloning is cheap.
///
/// Equality compares the whole key, never a hash alone.
///
/// ```
/// let cache = cacheado::Cache::builder().build()?;
/// cache.set("answer", &42_u32).run()?;
/// let keys = cache.keys().run()?;
/// assert_eq!(keys[0].to_string(), r#"global (programmatic)("answer")"#);
/// assert_eq!(keys[0].scope(), cacheado::Scope::global());
/// # Ok::<(), cacheado::Error>(())
/// ```
#[derive(Clone)]
pub struct Key {
    head: Head,
    /// The scope's ids, each preceded by its length, then the arguments.
    bytes: KeyBytes,
}

impl Key {
    /// The space of the key.
    #[must_use]
    pub fn space(&self) -> &'static Space {
        self.head.space()
    }

    /// The [id](Space::id) of the space, without the memory access that `space()` needs.
    #[inline]
    #[must_use]
    pub fn space_id(&self) -> u32 {
        self.head.space_id()
    }

    /// The key of `space` with this scope and these arguments, in the encoding of [`args`](Self::args). `None` if they are incomplete,
    /// or if the scope's level is not the space's.
    pub(crate) fn from_parts(space: &'static Space, scope: &Scope, args: &[u8]) -> Option<Self> {
        if space.level() != scope.level() {
            return None;
        }
        let mut sink = sink::Hash(hasher_of(space, scope.ids().map(str::as_bytes)));
        replay::replay(args, &mut sink)?;
        Some(Self {
            head: Head::new(sink.0.finish(), space),
            bytes: KeyBytes::new(&[scope.encoded_ids(), args].concat()),
        })
    }

    /// The scope of the entry. Allocates.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::from_encoded(self.space().level(), self.scope_bytes())
    }

    /// The ids of the scope, from the root to the leaf.
    #[cfg(feature = "shared")]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        decode_ids(self.scope_bytes())
    }

    pub(crate) fn scope_bytes(&self) -> &[u8] {
        let len = ids_len(&self.bytes, self.space().level().depth()).unwrap_or(0);
        &self.bytes[..len]
    }

    /// The arguments, in the crate's own encoding. Within a space equal arguments have equal bytes, in every process.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        &self.bytes[self.scope_bytes().len()..]
    }

    /// The scope's ids, each preceded by its length, and the arguments. These identify a key within its space, in every process.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of bytes that the key has on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }

    #[inline]
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The key's hash, which differs from process to process.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.head.hash().spread()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && *self.bytes == *other.bytes
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash());
    }
}

impl fmt::Display for Key {
    /// For people: `organization=acme/user=7 shop::profile("settings")`. Ids of secret levels are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a function's arguments are a tuple, which prints its own parentheses
        let args = show::show(self.args());
        let args = if self.space().name().is_empty() {
            format!("({args})")
        } else {
            args
        };
        write!(f, "{} {}{args}", self.scope(), self.space())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// A key to look up, whose scope ids and arguments are borrowed, with its hash.
///
/// It is passed by value to functions off the path of a hit. So the compiler need not keep it in memory, and sees which ids and
/// arguments are walked.
pub struct Probe<'a, A: ?Sized> {
    head: Head,
    space: &'static Space,
    ids: Ids<'a>,
    args: &'a A,
}

impl<A: ?Sized> Clone for Probe<'_, A> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for Probe<'_, A> {}

/// A type-erased [`Probe`], for code off the path of a hit: compiled once instead of once per function.
pub(crate) trait Seek {
    /// The head of the key to look up.
    fn head(&self) -> Head;
    /// Whether `key` is the key to look up.
    fn is(&self, key: &Key) -> bool;
}

impl<A: Serialize + ?Sized> Seek for Probe<'_, A> {
    fn head(&self) -> Head {
        self.head
    }

    fn is(&self, key: &Key) -> bool {
        self.matches(key)
    }
}

impl Seek for Key {
    fn head(&self) -> Head {
        self.head
    }

    fn is(&self, key: &Key) -> bool {
        self == key
    }
}

/// The ids of a probe: as texts, or encoded as in a [`Scope`].
#[derive(Clone, Copy)]
enum Ids<'a> {
    Texts(&'a [&'a [u8]]),
    Encoded(&'a [u8]),
}

impl<'a, A: Serialize + ?Sized> Probe<'a, A> {
    /// A probe for the key of `space` with the scope `ids`, root first, and `args`.
    ///
    /// # Errors
    ///
    /// The error of the arguments' `Serialize`.
    #[inline]
    pub fn new(space: &'static Space, ids: &'a [&'a [u8]], args: &'a A) -> Result<Self, String> {
        debug_assert_eq!(ids.len(), space.level().depth());
        let hasher = hasher_of(space, ids.iter().copied());
        Self::finish(hasher, space, Ids::Texts(ids), args)
    }

    /// A probe for the key of `space` with `scope`, which must be of the space's level, and `args`.
    ///
    /// # Errors
    ///
    /// The error of the arguments' `Serialize`.
    pub fn in_scope(space: &'static Space, scope: &'a Scope, args: &'a A) -> Result<Self, String> {
        debug_assert_eq!(scope.level(), space.level());
        let hasher = hasher_of(space, scope.ids().map(str::as_bytes));
        Self::finish(hasher, space, Ids::Encoded(scope.encoded_ids()), args)
    }

    #[inline]
    fn finish(
        hasher: impl Hasher,
        space: &'static Space,
        ids: Ids<'a>,
        args: &'a A,
    ) -> Result<Self, String> {
        let mut sink = sink::Hash(hasher);
        match args.serialize(KeySerializer(&mut sink)) {
            Ok(()) => Ok(Self {
                head: Head::new(sink.0.finish(), space),
                space,
                ids,
                args,
            }),
            Err(stop) => Err(stop.to_string()),
        }
    }

    /// The hash of the key to look up.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.head.hash().spread()
    }

    /// The space of the key.
    #[inline]
    pub fn space(&self) -> &'static Space {
        self.space
    }

    #[inline]
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Whether `key` is the key to look up.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "measured: a call of its own costs a hit a tenth more instructions"
    )]
    pub fn matches(&self, key: &Key) -> bool {
        if key.head != self.head {
            cold_path();
            return false;
        }
        let mut sink = Compare::new(&key.bytes);
        match &self.ids {
            Ids::Texts(ids) => {
                for id in *ids {
                    sink.expect_text(id);
                }
            }
            Ids::Encoded(ids) => sink.expect_encoded(ids),
        }
        self.args.serialize(KeySerializer(&mut sink)).is_ok() && sink.is_over()
    }

    /// The owned key. Allocates.
    ///
    /// # Errors
    ///
    /// The error of the arguments' `Serialize`, or that an id's `Display` failed.
    pub fn to_key(&self) -> Result<Key, String> {
        let unprintable = match self.ids {
            Ids::Texts(ids) => ids.iter().any(|id| is_unprintable(id)),
            Ids::Encoded(ids) => decode_ids(ids).any(|id| is_unprintable(id.as_bytes())),
        };
        if unprintable {
            cold_path();
            return Err("the `Display` of a scope id failed".to_owned());
        }
        let mut writer = Writer::new();
        match &self.ids {
            Ids::Texts(ids) => encode_ids(ids.iter().copied(), &mut writer.bytes),
            Ids::Encoded(ids) => writer.bytes.extend(ids),
        }
        self.args
            .serialize(KeySerializer(&mut writer))
            .map_err(|stop| stop.to_string())?;
        Ok(Key {
            head: self.head,
            bytes: KeyBytes::new(writer.bytes.as_slice()),
        })
    }
}

/// Checks that `value` can be written in a format without field names. It can't if a field is left out because of its value
/// (`skip_serializing_if`), since the fields after it would be read back shifted. Walks over the whole value.
///
/// # Errors
///
/// Names the field that is left out, or the error of the value's `Serialize`.
pub fn leaves_nothing_out<T: Serialize + ?Sized>(value: &T) -> Result<(), String> {
    let walk = value.serialize(KeySerializer(&mut sink::NoneSkipped));
    walk.map_err(|stop| stop.to_string())
}

/// The total size, in bytes, of the texts and numbers that serde serializes of `value`: about the memory that it owns. Walks over the
/// whole value.
pub fn serialized_size<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut size = sink::Size(0);
    // if serializing fails, the size of the parts before
    let _ = value.serialize(KeySerializer(&mut size));
    size.0
}
