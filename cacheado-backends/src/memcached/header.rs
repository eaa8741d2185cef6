//! The header before a value's bytes in the store, and which of its fields decide whether the value still counts.

use std::time::Duration;

use super::clock::{Moment, Now};

/// The version of the format. A value of another version counts as none.
const FORMAT: u8 = 3;

/// The length of a header in bytes, with the checksum over the other fields.
pub(super) const LEN: usize = CHECKED + 4;
const CHECKED: usize = 1 + 4 + 8 + Moment::LEN + Generation::LEN;

/// Means: until evicted.
const FOREVER: u64 = u64::MAX;

/// Identifies the time between two evictions of certain scopes: a hash of the nonces of their marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(pub(super) [u8; 16]);

impl Generation {
    pub(super) const LEN: usize = 16;

    /// The generation for `nonces`, root first.
    pub(super) fn of(nonces: impl IntoIterator<Item = u64>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for nonce in nonces {
            hasher.update(&nonce.to_be_bytes());
        }
        let mut bytes = [0; Self::LEN];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..Self::LEN]);
        Self(bytes)
    }
}

/// The properties of a value besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The lifetime in milliseconds; `None`: until evicted.
    pub(super) lifetime: Option<u64>,
    /// A moment no later than the start of the lifetime.
    pub(super) stored: Moment,
    /// The generation of its scopes when its load or set began.
    pub(super) generation: Generation,
}

impl Header {
    /// The header of a value that lives for `lifetime` from `stored` on.
    pub(super) fn new(lifetime: Option<Duration>, stored: Moment, generation: Generation) -> Self {
        // rounded down, since a value must not outlive its lifetime
        let millis =
            |lifetime: Duration| u64::try_from(lifetime.as_millis()).unwrap_or(FOREVER - 1);
        Self {
            lifetime: lifetime.map(|lifetime| millis(lifetime).min(FOREVER - 1)),
            stored,
            generation,
        }
    }

    /// Encodes the header and `value`, as stored under `name`.
    ///
    /// # Errors
    ///
    /// `None` if the value is longer than a header can express.
    pub(super) fn write(&self, name: &str, value: &[u8]) -> Option<Vec<u8>> {
        let len = u32::try_from(value.len()).ok()?;
        let mut bytes = Vec::with_capacity(LEN + value.len());
        bytes.push(FORMAT);
        bytes.extend(len.to_be_bytes());
        bytes.extend(self.lifetime.unwrap_or(FOREVER).to_be_bytes());
        bytes.extend(self.stored.to_bytes());
        bytes.extend(self.generation.0);
        bytes.extend(checksum(name, &bytes).to_be_bytes());
        bytes.extend(value);
        Some(bytes)
    }

    /// Decodes the header in `bytes` and returns it with the value behind it. `None` if the format differs, the bytes are incomplete,
    /// or the header was changed or stored under another name. The value has a checksum of its own.
    pub(super) fn read<'b>(name: &str, bytes: &'b [u8]) -> Option<(Self, &'b [u8])> {
        let checked = checksum(name, bytes.get(..CHECKED)?);
        let (&format, rest) = bytes.split_first()?;
        let (&len, rest) = rest.split_first_chunk()?;
        let (&lifetime, rest) = rest.split_first_chunk()?;
        let (&stored, rest) = rest.split_first_chunk()?;
        let (&generation, rest) = rest.split_first_chunk()?;
        let (&checksum, value) = rest.split_first_chunk()?;
        let whole = value.len() == u32::from_be_bytes(len) as usize;
        if format != FORMAT || !whole || checked != u32::from_be_bytes(checksum) {
            return None;
        }
        let lifetime = u64::from_be_bytes(lifetime);
        let header = Self {
            lifetime: (lifetime != FOREVER).then_some(lifetime),
            stored: Moment::from_bytes(stored),
            generation: Generation(generation),
        };
        Some((header, value))
    }

    /// The lifetime left at `now`: `Some(None)` if it never ends, `None` if it is over.
    #[allow(
        clippy::option_option,
        reason = "whether it lives, and whether that ends, are two questions"
    )]
    pub(super) fn left(&self, now: &Now) -> Option<Option<Duration>> {
        let Some(lifetime) = self.lifetime else {
            return Some(None);
        };
        let left = lifetime.checked_sub(now.since(self.stored)?)?;
        (left > 0).then(|| Some(Duration::from_millis(left)))
    }
}

/// The checksum of a header. It covers the name: a value copied from another name is under other marks, and would pass for one that
/// was evicted.
fn checksum(name: &str, header: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(name.as_bytes());
    hasher.update(header);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::time::Instant;

    use super::super::clock::Clock;
    use super::*;

    fn header(lifetime: Option<u64>, generation: [u8; 16]) -> Header {
        let stored = Clock::default().now(Instant::now()).moment();
        let lifetime = lifetime.map(Duration::from_millis);
        Header::new(lifetime, stored, Generation(generation))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(lifetime: Option<u64>, generation: [u8; 16], value: Vec<u8>) {
            let header = header(lifetime, generation);
            let bytes = header.write("name", &value).unwrap();
            prop_assert_eq!(bytes.len(), LEN + value.len());
            prop_assert_eq!(Header::read("name", &bytes), Some((header, &value[..])));
            prop_assert_eq!(Header::read("names", &bytes), None);
        }

        #[test]
        fn what_is_not_whole_is_none(value: Vec<u8>, cut: prop::sample::Index, more in 1_u8..) {
            let mut bytes = header(Some(7), [1; 16]).write("name", &value).unwrap();
            prop_assert_eq!(Header::read("name", &bytes[..cut.index(bytes.len())]), None);
            bytes.push(more);
            prop_assert_eq!(Header::read("name", &bytes), None);
        }

        #[test]
        fn what_was_changed_is_none(at in 0..LEN, bit in 0..8_u8) {
            let mut bytes = header(Some(7), [1; 16]).write("name", b"value").unwrap();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Header::read("name", &bytes), None);
        }

        #[test]
        fn anything_is_read_without_a_panic(mut bytes: Vec<u8>) {
            let now = Clock::default().now(Instant::now());
            let read = |bytes: &[u8]| Header::read("name", bytes).map(|(it, _)| it.left(&now));
            let _ = read(&bytes);
            // any numbers are valid in a header
            bytes.resize(CHECKED - 5, 0);
            let mut whole = [&[FORMAT, 0, 0, 0, 0], &bytes[..]].concat();
            whole.extend(checksum("name", &whole).to_be_bytes());
            prop_assert!(read(&whole).is_some());
        }
    }

    #[test]
    fn a_value_ends_with_its_lifetime() {
        let clock = Clock::default();
        let began = Instant::now();
        let stored = clock.now(began).moment();
        let generation = Generation::of([1, 2]);
        assert_ne!(generation, Generation::of([2, 1]));
        let header = Header::new(Some(Duration::from_secs(10)), stored, generation);
        let after = |millis| clock.now(began + Duration::from_millis(millis));

        let left = header.left(&after(4_000)).unwrap().unwrap();
        assert!(left <= Duration::from_secs(6) && left > Duration::from_millis(5_990));
        assert_eq!(header.left(&after(10_000)), None);
        let forever = Header::new(None, stored, generation);
        assert_eq!(forever.left(&after(10_000)), Some(None));
    }
}
