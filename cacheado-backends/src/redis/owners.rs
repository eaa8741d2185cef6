//! Which node of a cluster owns which slots, as far as this process knows.

use std::collections::HashMap;
use std::sync::Mutex;

use ::redis::{Arg, Cmd, Pipeline};

use super::servers::Address;
use super::topology::Topology;
use crate::sync::lock;

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;

#[derive(Default)]
pub(super) struct Owners(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// How many times the owners were learnt; 0 if never.
    version: u64,
    /// The era that they were learnt in.
    era: u64,
    ranges: Vec<((u16, u16), Address)>,
    /// Slots reported as moved since.
    moved: HashMap<u16, Address>,
}

impl Owners {
    /// The version of the owners known in this era; 0 if none are.
    pub(super) fn version(&self, era: u64) -> u64 {
        let known = lock(&self.0);
        if known.era == era { known.version } else { 0 }
    }

    /// The node that owns the slot.
    pub(super) fn of(&self, slot: u16) -> Option<Address> {
        let known = lock(&self.0);
        let has = |range: &&((u16, u16), Address)| (range.0.0..=range.0.1).contains(&slot);
        let moved = known.moved.get(&slot);
        moved
            .or_else(|| known.ranges.iter().find(has).map(|(_, address)| address))
            .cloned()
    }

    /// A number for the node that owns the slot; 0 if no owner is known.
    pub(super) fn part(&self, slot: u16) -> u32 {
        let hash = |(host, port): Address| {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(host.as_bytes());
            hasher.update(&port.to_le_bytes());
            hasher.finalize()
        };
        self.of(slot).map_or(0, hash)
    }

    /// All nodes that own slots.
    pub(super) fn all(&self) -> Vec<Address> {
        let known = lock(&self.0);
        let ranges = known.ranges.iter().map(|(_, address)| address);
        ranges.chain(known.moved.values()).cloned().collect()
    }

    /// Stores the owners that a node at `host` sees in this era.
    pub(super) fn learn(&self, era: u64, topology: &Topology, host: &str) {
        let mut known = lock(&self.0);
        *known = Known {
            version: known.version + 1,
            era,
            ranges: topology.owners(host),
            moved: HashMap::new(),
        };
    }

    /// Notes that the slot's former owner names `to` as its owner now.
    pub(super) fn moved(&self, slot: u16, to: Address) {
        lock(&self.0).moved.insert(slot, to);
    }
}

/// The slot that `pipe` concerns: that of the first key of its first command.
pub(super) fn slot_of(pipe: &Pipeline) -> u16 {
    slot_of_key(pipe.cmd_iter().next().and_then(key_of).unwrap_or_default())
}

fn key_of(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|arg| match arg {
        Arg::Simple(bytes) => Some(bytes),
        _ => None,
    });
    let name = words.next()?;
    // EVALSHA has the script's hash and the number of keys before the first key
    words.nth(if name.starts_with(b"EVAL") { 2 } else { 0 })
}

/// The slot by the cluster specification: the hash of what is between the first braces, or of the whole key if that is empty.
pub(super) fn slot_of_key(key: &[u8]) -> u16 {
    let open = key.iter().position(|&byte| byte == b'{');
    let behind = open.map(|open| &key[open + 1..]);
    let tag = behind.and_then(|behind| {
        let close = behind.iter().position(|&byte| byte == b'}')?;
        (close > 0).then(|| &behind[..close])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC16-CCITT, as XMODEM uses it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let crc = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(crc, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::script::EVICT;
    use super::*;
    use ::redis::cmd;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        // as CLUSTER KEYSLOT says
        assert_eq!(slot_of_key(b"foo"), 12_182);
        assert_eq!(slot_of_key(b"{foo}bar"), 12_182);
        assert_eq!(slot_of_key(b"a{foo}{bar}"), 12_182);
        assert_eq!(slot_of_key(b"{}foo"), crc16(b"{}foo") % SLOTS);
        assert_eq!(slot_of_key(b"{foo"), crc16(b"{foo") % SLOTS);
    }

    #[test]
    fn a_pipe_is_where_its_first_key_is() {
        let mut plain = Pipeline::new();
        let mut set = cmd("SET");
        set.arg("{foo}new").arg("x");
        plain.add_command(set);
        assert_eq!(slot_of(&plain), 12_182);
        let mut script = Pipeline::new();
        script.add_command(EVICT.call(["{foo}index", "{foo}x"]));
        assert_eq!(slot_of(&script), 12_182);
    }

    #[test]
    fn what_a_node_says_has_moved_is_elsewhere_until_all_is_learnt_anew() {
        let owners = Owners::default();
        assert_eq!(owners.version(0), 0);
        let topology = Topology::of_one((0, SLOTS - 1), "", 7000);
        owners.learn(0, &topology, "here");
        assert_eq!(owners.of(5), Some(("here".to_owned(), 7000)));
        owners.moved(5, ("there".to_owned(), 7001));
        assert_eq!(owners.of(5), Some(("there".to_owned(), 7001)));
        assert_eq!(owners.of(6), Some(("here".to_owned(), 7000)));
        assert_eq!(owners.version(0), 1);
        assert_eq!(owners.version(1), 0, "of another era");
        owners.learn(1, &topology, "here");
        assert_eq!(owners.of(5), Some(("here".to_owned(), 7000)));
        assert_eq!(owners.version(1), 2);
    }
}
