//! The envelope around a value that leaves the process: it identifies the value and shows that it is complete.
//!
//! It is independent of caches and stores. A reader says what it expects, and gets the value that was stored under exactly that, or
//! nothing: truncated, changed or foreign bytes and later formats are all misses.
//!
//! # Layout
//!
//! | part | bytes | |
//! |---|---|---|
//! | format | 1 | [`FORMAT`] |
//! | flags | 1 | 1: the name is explicit, 2: there is a lifetime, 4: the value is compressed by LZ4, 8: a part of the lifetime is stale |
//! | generation | 8 | |
//! | shape | 8 | |
//! | lifetime | 1 to 10 | in milliseconds, rounded up; if there is one |
//! | stale | 1 to 10 | the part of the lifetime, at its end, in which the value is stale; in milliseconds, if there is any |
//! | length | 1 to 10 | the uncompressed length, if the value is compressed |
//! | cache | text | |
//! | name, version, level | text, 1 to 5, text | of the key's space; the level by its path, which is empty for the root |
//! | key | bytes | the scope's ids, each preceded by its length, and the arguments |
//! | type | text | |
//! | value | the rest | |
//! | checksum | 4 | CRC-32 of everything before it |
//!
//! Numbers of a fixed size are little-endian; others, and the length before each text, are LEB128, seven bits a byte. The envelope
//! contains the whole key, which is compared as a whole, so keys whose hashes collide share no value.

mod compression;
mod generation;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use crate::key::Key;
use crate::scope::Level;

pub use compression::{Compression, MOST};
pub use generation::next_generation;
use wire::{Reader, put_number, put_text};

/// The version of the layout. An envelope of another version is a miss.
pub const FORMAT: u8 = 1;

const EXPLICIT: u8 = 1;
const LIFETIME: u8 = 2;
const LZ4: u8 = 4;
const STALE: u8 = 8;

/// A value that leaves the process, with everything that a reader checks.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The name of the cache.
    pub cache: &'a str,
    /// The key that it is stored under.
    pub key: &'a Key,
    /// The name of the value's type.
    pub type_name: &'a str,
    /// The [shape](crate::Outline::shape) of the value.
    pub shape: u64,
    /// How long it lives.
    pub lifetime: Option<Duration>,
    /// The part of the lifetime, at its end, in which the value is stale.
    pub stale: Duration,
    /// Distinguishes this write of the key from others; from [`next_generation`].
    pub generation: u64,
    /// The value, encoded.
    pub value: &'a [u8],
}

impl Envelope<'_> {
    /// The bytes to store.
    #[must_use]
    pub fn seal(&self, compression: Compression) -> Vec<u8> {
        let compressed = compression.compress(self.value);
        let value = compressed.as_deref().unwrap_or(self.value);
        let space = self.key.space();
        let (key, level) = (self.key.encoded(), path(space.level()));
        let texts = [self.cache, space.name(), level, self.type_name];
        let texts: usize = texts.iter().map(|text| text.len()).sum();
        // and the most that the rest takes, apart from absurd lengths
        let mut out = Vec::with_capacity(texts + key.len() + value.len() + 64);

        let flag = |flag, set| if set { flag } else { 0 };
        out.push(FORMAT);
        out.push(
            flag(EXPLICIT, space.is_explicit())
                | flag(LIFETIME, self.lifetime.is_some())
                | flag(LZ4, compressed.is_some())
                | flag(STALE, !self.stale.is_zero()),
        );
        out.extend(self.generation.to_le_bytes());
        out.extend(self.shape.to_le_bytes());
        if let Some(lifetime) = self.lifetime {
            put_number(&mut out, whole_millis(lifetime));
        }
        if !self.stale.is_zero() {
            put_number(&mut out, whole_millis(self.stale));
        }
        if compressed.is_some() {
            put_number(&mut out, self.value.len() as u64);
        }
        put_text(&mut out, self.cache.as_bytes());
        put_text(&mut out, space.name().as_bytes());
        put_number(&mut out, space.version().into());
        put_text(&mut out, level.as_bytes());
        put_text(&mut out, key);
        put_text(&mut out, self.type_name.as_bytes());
        out.extend_from_slice(value);
        let checksum = crc32fast::hash(&out);
        out.extend(checksum.to_le_bytes());
        out
    }
}

/// The contents of an envelope for the expected key.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// The name of the value's type.
    pub type_name: &'a str,
    /// The shape of the value.
    pub shape: u64,
    /// The lifetime that the value was stored with, in whole milliseconds: never less than what is left of it.
    pub lifetime: Option<Duration>,
    /// The part of the lifetime, at its end, in which the value is stale.
    pub stale: Duration,
    /// Distinguishes this write of the key from others.
    pub generation: u64,
    value: &'a [u8],
    /// The uncompressed length, if the value is compressed.
    length: Option<u64>,
}

impl<'a> Opened<'a> {
    /// Reads `bytes`. `None` unless they are complete, of this format, and written by the cache called `cache` for `key`.
    #[must_use]
    pub fn open(bytes: &'a [u8], cache: &str, key: &Key) -> Option<Self> {
        let (bytes, checksum) = bytes.split_last_chunk()?;
        let mut reader = Reader(bytes);
        if reader.byte()? != FORMAT || crc32fast::hash(bytes) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let flags = reader.byte()?;
        if flags & !(EXPLICIT | LIFETIME | LZ4 | STALE) != 0 {
            return None;
        }
        let generation = u64::from_le_bytes(reader.fixed()?);
        let shape = u64::from_le_bytes(reader.fixed()?);
        let lifetime = match flags & LIFETIME {
            0 => None,
            _ => Some(reader.number()?),
        };
        let stale = match flags & STALE {
            0 => 0,
            _ => reader.number()?,
        };
        let length = match flags & LZ4 {
            0 => None,
            _ => Some(reader.number()?),
        };
        let space = key.space();
        let is_for = reader.text()? == cache.as_bytes()
            && (flags & EXPLICIT != 0) == space.is_explicit()
            && reader.text()? == space.name().as_bytes()
            && reader.number()? == u64::from(space.version())
            && reader.text()? == path(space.level()).as_bytes()
            && reader.text()? == key.encoded();
        if !is_for {
            return None;
        }
        Some(Self {
            type_name: std::str::from_utf8(reader.text()?).ok()?,
            shape,
            lifetime: lifetime.map(Duration::from_millis),
            stale: Duration::from_millis(stale),
            generation,
            value: reader.0,
            length,
        })
    }

    /// The encoded value. `None` if it is compressed, and this build can't decompress it, its length is wrong, or it is longer than
    /// [`MOST`].
    #[must_use]
    pub fn value(&self) -> Option<Cow<'a, [u8]>> {
        match self.length {
            None => Some(Cow::Borrowed(self.value)),
            Some(length) => compression::decompress(self.value, length).map(Cow::Owned),
        }
    }
}

/// The path of `level`, without the root.
fn path(level: Level) -> &'static str {
    if level.depth() == 0 { "" } else { level.path() }
}

/// Rounded up, so that a lifetime above zero stays above zero.
fn whole_millis(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
