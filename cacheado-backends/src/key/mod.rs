//! Keys: which entry is meant. A key is a space (whose entries), a scope path (which tenant's), and arguments.
//!
//! A look-up never makes a key: [`Probe`] hashes and compares by streaming the borrowed arguments through serde. Only what
//! is stored owns one.

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

/// One of the space's own that has heard of the ids.
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
    /// The scope's ids, each behind its length, then the arguments.
    bytes: KeyBytes,
}

impl Key {
    /// What the key belongs to.
    #[must_use]
    pub fn space(&self) -> &'static Space {
        self.head.space()
    }

    /// The [number](Space::id) of that, which takes no step to elsewhere in memory.
    #[inline]
    #[must_use]
    pub fn space_id(&self) -> u32 {
        self.head.space_id()
    }

    /// The key of `space` with the scope and the arguments that another has, as [`args`](Self::args) writes them. `None` if they
    /// are not whole, or the scope is of another level than the space's.
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

    /// The ids of that, from the root to the leaf.
    #[cfg(feature = "shared")]
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        decode_ids(self.scope_bytes())
    }

    pub(crate) fn scope_bytes(&self) -> &[u8] {
        let len = ids_len(&self.bytes, self.space().level().depth()).unwrap_or(0);
        &self.bytes[..len]
    }

    /// The arguments, in the crate's own encoding: equal arguments of a space have equal bytes, in every process.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        &self.bytes[self.scope_bytes().len()..]
    }

    /// The scope's ids, each behind its length, and the arguments: what tells two keys of one space apart, in every process.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes
    }

    /// How many of its bytes lie elsewhere in memory.
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
        // a function's arguments are a tuple, which shows with parentheses of its own
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

/// What is looked for: a key whose scope ids and arguments are borrowed, and its hash.
///
/// It is handed over by value where that is out of the way of a hit: then the compiler need not keep it in memory, and sees which ids and
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

/// A [`Probe`] whatever its arguments, for what is out of the way of hits: compiled once, and not for each function.
pub(crate) trait Seek {
    /// The head of the key that is looked for.
    fn head(&self) -> Head;
    /// Whether `key` is the one.
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

/// The ids of a probe: as texts, or encoded as a [`Scope`] keeps them.
#[derive(Clone, Copy)]
enum Ids<'a> {
    Texts(&'a [&'a [u8]]),
    Encoded(&'a [u8]),
}

impl<'a, A: Serialize + ?Sized> Probe<'a, A> {
    /// Looks for the key of `space` with the scope `ids`, root first, and `args`.
    ///
    /// # Errors
    ///
    /// What the arguments' `Serialize` said when it failed.
    #[inline]
    pub fn new(space: &'static Space, ids: &'a [&'a [u8]], args: &'a A) -> Result<Self, String> {
        debug_assert_eq!(ids.len(), space.level().depth());
        let hasher = hasher_of(space, ids.iter().copied());
        Self::finish(hasher, space, Ids::Texts(ids), args)
    }

    /// Looks for the key of `space`, which is one of `scope`'s level, with the scope and `args`.
    ///
    /// # Errors
    ///
    /// What the arguments' `Serialize` said when it failed.
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

    /// The hash of the key that is looked for.
    #[inline]
    pub fn hash(&self) -> u64 {
        self.head.hash().spread()
    }

    /// What the key belongs to.
    #[inline]
    pub fn space(&self) -> &'static Space {
        self.space
    }

    #[inline]
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Whether `key` is the one.
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

    /// The key, owned. Allocates.
    ///
    /// # Errors
    ///
    /// What the arguments' `Serialize` said when it failed, or that an id's `Display` did.
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

/// Whether `value` can be written by a format that names no fields: not if a field is left out for its value
/// (`skip_serializing_if`), since what is read back would then be shifted by one. Walks over all of it.
///
/// # Errors
///
/// Which field is left out, or what the value's `Serialize` said.
pub fn leaves_nothing_out<T: Serialize + ?Sized>(value: &T) -> Result<(), String> {
    let walk = value.serialize(KeySerializer(&mut sink::NoneSkipped));
    walk.map_err(|stop| stop.to_string())
}

/// How many bytes the texts and the numbers have that serde serializes of `value`: about what it owns. Walks over all of it.
pub fn serialized_size<T: Serialize + ?Sized>(value: &T) -> usize {
    let mut size = sink::Size(0);
    // one that fails is as large as what came before
    let _ = value.serialize(KeySerializer(&mut size));
    size.0
}
