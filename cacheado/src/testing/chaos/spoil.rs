//! Corrupts payloads.

use std::fmt;
use std::sync::Arc;

use cacheado_backends::Key;
use cacheado_backends::backend::{Lookup, Payload};

use super::faults::{Draw, Fault, Faults};
use crate::sync::{Mutex, lock};

/// The last payloads read of two keys, so that for any key there is one of another.
#[derive(Default)]
pub(super) struct Seen(Mutex<Vec<(Key, Arc<[u8]>)>>);

impl Seen {
    fn note(&self, key: &Key, bytes: &Arc<[u8]>) {
        let mut seen = lock(&self.0);
        seen.retain(|(other, _)| other != key);
        seen.insert(0, (key.clone(), Arc::clone(bytes)));
        seen.truncate(2);
    }

    fn of_another(&self, key: &Key) -> Option<Arc<[u8]>> {
        let seen = lock(&self.0);
        let mut others = seen.iter().filter(|(other, _)| other != key);
        others.next().map(|(_, bytes)| Arc::clone(bytes))
    }
}

impl fmt::Debug for Seen {
    /// Without the bytes, which are user data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen")
    }
}

/// `found` under `key`, perhaps corrupted.
pub(super) fn spoiled(found: Lookup, key: &Key, faults: &Faults, seen: &Seen) -> Lookup {
    match found {
        Lookup::Hit(payload) if faults.may(Fault::Corrupt) => {
            seen.note(key, &payload.bytes);
            let draw = faults.draw();
            if !faults.comes(draw, Fault::Corrupt) {
                return Lookup::Hit(payload);
            }
            let Some(bytes) = spoil(&payload.bytes, draw, || seen.of_another(key)) else {
                return Lookup::Hit(payload);
            };
            faults.count(Fault::Corrupt);
            Lookup::Hit(Payload { bytes, ..payload })
        }
        found => found,
    }
}

/// Bytes that differ from `bytes`; `None` if there is no way to change them.
fn spoil(
    bytes: &[u8],
    draw: Draw,
    another: impl FnOnce() -> Option<Arc<[u8]>>,
) -> Option<Arc<[u8]>> {
    // numbers of these decisions, distinct from those on whether faults occur
    let (how, place, bit) = (10, 11, 12);
    let other = (draw.below(how, 3) == 0)
        .then(another)
        .flatten()
        .filter(|other| **other != *bytes);
    if other.is_some() || bytes.is_empty() {
        return other;
    }
    let place = draw.below(place, bytes.len());
    if draw.below(how, 3) == 1 {
        return Some(bytes[..place].into());
    }
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1 << draw.below(bit, 8);
    Some(bytes.into())
}
