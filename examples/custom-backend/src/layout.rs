//! Where an entry is stored, and what its file contains.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cacheado::backends::Payload;
use cacheado::{Key, Scope};

/// The largest id, in bytes: in hexadecimal, and after the name of its level, it must fit into a file name.
const LONGEST_ID: usize = 96;

const EXTENSION: &str = "entry";

/// The directory of `scope`: one step down for each of its ids.
///
/// Ids are written in hexadecimal, so no id can be mistaken for a path or for another id. The printed forms of [`Scope`] and [`Key`]
/// are for people and leave out secret ids, so they must never identify an entry.
pub(crate) fn directory_of(root: &Path, scope: &Scope) -> io::Result<PathBuf> {
    let mut directory = root.to_path_buf();
    for (level, id) in scope.level().chain().into_iter().zip(scope.ids()) {
        if id.len() > LONGEST_ID {
            return Err(io::Error::other(format!(
                "the id of a {} is longer than {LONGEST_ID} bytes",
                level.name()
            )));
        }
        directory.push(format!("{}-{}", level.name(), hexadecimal(id.as_bytes())));
    }
    Ok(directory)
}

/// The name of the file for `key`, in the directory of its scope.
pub(crate) fn file_name(key: &Key) -> String {
    let mut hash = Fnv::default();
    let space = key.space();
    hash.add(space.name().as_bytes());
    hash.add(&space.version().to_le_bytes());
    // an explicit name differs from a path with the same text
    hash.add(&[space.is_explicit().into()]);
    hash.add(key.args());
    format!("{:016x}.{EXTENSION}", hash.0)
}

pub(crate) fn is_entry(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == EXTENSION)
}

/// The contents of the file for `payload`.
pub(crate) fn pack(payload: &Payload, now: SystemTime) -> Vec<u8> {
    let mut stored = crate::deadline(now, payload.lifetime)
        .to_le_bytes()
        .to_vec();
    stored.extend_from_slice(&payload.bytes);
    stored
}

/// The payload in a file; `None` if it has expired, or if the file is not an entry.
pub(crate) fn unpack(stored: &[u8], now: SystemTime) -> Option<Payload> {
    let (deadline, bytes) = stored.split_first_chunk()?;
    let lifetime = match u64::from_le_bytes(*deadline) {
        0 => None,
        deadline => {
            let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(deadline))?;
            // an error, or no time left: it has expired
            let left = at.duration_since(now).ok().filter(|left| !left.is_zero())?;
            Some(left)
        }
    };
    Some(Payload {
        bytes: bytes.into(),
        lifetime,
    })
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// FNV-1a, which is the same in every process and every build. The standard library's hashers need not be.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds `part` with its length, so that `ab` and `c` differ from `a` and `bc`.
    fn add(&mut self, part: &[u8]) {
        for byte in (part.len() as u64).to_le_bytes().iter().chain(part) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
