//! The source of truth: a file with the current version of each slot, and the time at which each version's invalidation was
//! acknowledged. Every process reads and writes it in place, eight bytes at a time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The number of versions that a slot can have.
const VERSIONS: u64 = 1 << 16;

pub struct Truth(File);

/// The time in nanoseconds, by the clock that all processes of the machine share.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.expect("it is later").as_nanos()).expect("before 2554")
}

impl Truth {
    pub fn open(directory: &Path) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(directory.join("truth"));
        Self(file.expect("the directory can be written to"))
    }

    fn read(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        // nothing is written past the end yet: zeros
        let read = self.0.read_at(&mut bytes, 8 * place);
        assert!(matches!(read, Ok(0 | 8)), "{read:?}");
        u64::from_ne_bytes(bytes)
    }

    fn write(&self, place: u64, number: u64) {
        let written = self.0.write_at(&number.to_ne_bytes(), 8 * place);
        assert!(matches!(written, Ok(8)), "{written:?}");
    }

    fn place(slot: u32) -> u64 {
        u64::from(slot) * (VERSIONS + 1)
    }

    /// The current version.
    pub fn version(&self, slot: u32) -> u64 {
        self.read(Self::place(slot))
    }

    /// Makes the next version current. Each slot has one writer at a time.
    pub fn change(&self, slot: u32) -> u64 {
        let version = self.version(slot) + 1;
        assert!(version < VERSIONS);
        self.write(Self::place(slot), version);
        version
    }

    /// Records that the invalidation of everything older than `version` has returned.
    pub fn acknowledge(&self, slot: u32, version: u64) {
        self.write(Self::place(slot) + 1 + version, now());
    }

    /// How stale `served` was at the time `began`, when the call began: the time since its invalidation was acknowledged.
    pub fn staleness(&self, slot: u32, served: u64, began: u64) -> Duration {
        let newest = self.version(slot);
        assert!(
            served <= newest,
            "version {served} of slot {slot} never was"
        );
        let acknowledged = (served + 1..=newest).filter_map(|version| {
            let at = self.read(Self::place(slot) + 1 + version);
            (at != 0 && at <= began).then_some(at)
        });
        Duration::from_nanos(acknowledged.min().map_or(0, |at| began - at))
    }
}
