//! The scope index: which entries each tenant has, so that evicting a tenant costs what the tenant has, not what the store holds.
//!
//! A forest with a node for each scope that holds something: the organization's node leads to its users' nodes, theirs to
//! their sessions'. A node goes when its last entry and its last child have gone. Each tree lives in one shard, chosen by its
//! root, so that a scope is detached under one lock. Entries of the global scope are not in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;

use super::roster::Roster;
use crate::entry::{Entry, Seat};
use crate::key::{Key, KeyBytes};
use crate::scope::{Level, Scope, ids_len};
use crate::sync::{Mutex, MutexGuard, RandomState, lock};

const SHARDS: u8 = 16;

/// The room for so many nodes is kept by a shard that is empty.
const KEPT: usize = 64;

pub(super) struct Index {
    shards: [Mutex<Forest>; SHARDS as usize],
    hasher: RandomState,
}

/// The nodes of some trees, by their numbers, and where to find each by its scope.
#[derive(Default)]
struct Forest {
    nodes: Vec<Node>,
    /// The numbers of nodes that are not used, lowest first, so that the last nodes come to be unused and go. Some are of nodes
    /// that have gone since.
    free: BinaryHeap<Reverse<u32>>,
    by_scope: HashTable<u32>,
}

struct Node {
    hash: u64,
    level: Level,
    ids: KeyBytes,
    entries: Roster,
    parent: Option<u32>,
    /// The first of those right below it; each leads to the next.
    child: Option<u32>,
    next: Option<u32>,
    previous: Option<u32>,
}

/// A scope as it is written in a key: nothing is allocated to look for it.
#[derive(Clone, Copy)]
struct Place<'a> {
    level: Level,
    ids: &'a [u8],
}

fn seat(entry: &Entry) -> &Seat {
    &entry.scope
}

impl<'a> Place<'a> {
    /// Where `key` is in the hierarchy; `None` for the global scope.
    fn of(key: &'a Key) -> Option<Self> {
        let level = key.space().level();
        (level.depth() > 0).then(|| Self {
            level,
            ids: key.scope_bytes(),
        })
    }

    /// The place right above; `None` above a root, which is where the trees end.
    fn parent(self) -> Option<Self> {
        self.level.parent().and_then(|level| self.up_to(level))
    }

    /// The part of it that ends at `level`, which is above.
    fn up_to(self, level: Level) -> Option<Self> {
        let len = ids_len(self.ids, level.depth())?;
        (level.depth() > 0).then(|| Self {
            level,
            ids: &self.ids[..len],
        })
    }

    fn hash(self, hasher: &RandomState) -> u64 {
        let mut hasher = hasher.build_hasher();
        hasher.write_u32(self.level.id());
        hasher.write(self.ids);
        hasher.finish()
    }
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }

    /// The number of the shard of the tree that `place` is in.
    fn shard(&self, place: Place<'_>) -> Option<u8> {
        let root = place.up_to(place.level.at(1)?)?;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        Some((root.hash(&self.hasher) >> 40) as u8 % SHARDS)
    }

    fn lock(&self, shard: u8) -> MutexGuard<'_, Forest> {
        lock(&self.shards[usize::from(shard)])
    }

    /// Takes `entry` in at its scope.
    pub(super) fn seat(&self, entry: &Arc<Entry>) {
        let Some(place) = Place::of(entry.key()) else {
            return;
        };
        let Some(shard) = self.shard(place) else {
            return;
        };
        entry.set_shard(shard);
        let mut forest = self.lock(shard);
        let node = forest.plant(place, &self.hasher);
        forest.nodes[node as usize]
            .entries
            .push(Arc::clone(entry), node, seat);
    }

    /// Takes `entry` out, if it is still in. It must have been put in before, in this thread's view.
    pub(super) fn unseat(&self, entry: &Entry) {
        // an entry of the global scope is never in, and one that has left never comes back
        if entry.scope.taken().is_none() {
            return;
        }
        let mut forest = self.lock(entry.shard());
        if let Some((node, place)) = entry.scope.taken() {
            forest.nodes[node as usize].entries.remove(place, seat);
            forest.prune(node);
        }
    }

    /// Takes out `scope` and all below it, and returns their entries. No entry of them is in the index afterwards, and all
    /// of them were at one moment.
    pub(super) fn detach(&self, scope: &Scope) -> Vec<Arc<Entry>> {
        let place = Place {
            level: scope.level(),
            ids: scope.encoded_ids(),
        };
        let Some(shard) = self.shard(place) else {
            return Vec::new();
        };
        let mut forest = self.lock(shard);
        let Some(node) = forest.find(place, place.hash(&self.hasher)) else {
            return Vec::new();
        };
        let mut detached = Vec::new();
        let mut left = vec![node];
        forest.unlink(node);
        while let Some(next) = left.pop() {
            let node = forest.remove(next);
            let mut child = node.child;
            while let Some(below) = child {
                left.push(below);
                child = forest.nodes[below as usize].next;
            }
            let entries = node.entries.dissolve(seat);
            if detached.is_empty() {
                detached = entries.into_vec();
            } else {
                detached.extend(entries);
            }
        }
        detached
    }
}

impl Forest {
    fn find(&self, place: Place<'_>, hash: u64) -> Option<u32> {
        let is_it = |node: &u32| {
            let node = &self.nodes[*node as usize];
            node.level == place.level && *node.ids == *place.ids
        };
        self.by_scope.find(hash, is_it).copied()
    }

    /// The node of `place`, made with those above it that are missing.
    fn plant(&mut self, place: Place<'_>, hasher: &RandomState) -> u32 {
        let hash = place.hash(hasher);
        if let Some(node) = self.find(place, hash) {
            return node;
        }
        let parent = place.parent().map(|parent| self.plant(parent, hasher));
        let node = Node {
            hash,
            level: place.level,
            ids: KeyBytes::new(place.ids),
            entries: Roster::default(),
            parent,
            child: None,
            next: parent.and_then(|parent| self.nodes[parent as usize].child),
            previous: None,
        };
        let sibling = node.next;
        let number = if let Some(free) = self.unused() {
            self.nodes[free as usize] = node;
            free
        } else {
            self.nodes.push(node);
            // four billion scopes would not fit into memory
            u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
        };
        if let Some(parent) = parent {
            self.nodes[parent as usize].child = Some(number);
        }
        if let Some(sibling) = sibling {
            self.nodes[sibling as usize].previous = Some(number);
        }
        let nodes = &self.nodes;
        self.by_scope
            .insert_unique(hash, number, |node| nodes[*node as usize].hash);
        number
    }

    /// Removes `node` if nothing is left in it, and those above it that become empty by that.
    fn prune(&mut self, node: u32) {
        let Node { entries, child, .. } = &self.nodes[node as usize];
        if entries.is_empty() && child.is_none() {
            self.unlink(node);
            self.remove(node);
        }
    }

    /// Takes `node` off its parent, which goes if it becomes empty by that.
    fn unlink(&mut self, node: u32) {
        let Node {
            parent,
            next,
            previous,
            ..
        } = self.nodes[node as usize];
        if let Some(next) = next {
            self.nodes[next as usize].previous = previous;
        }
        if let Some(previous) = previous {
            self.nodes[previous as usize].next = next;
        } else if let Some(parent) = parent {
            self.nodes[parent as usize].child = next;
            self.prune(parent);
        }
    }

    /// The number of a node that is not used.
    fn unused(&mut self) -> Option<u32> {
        loop {
            let Reverse(number) = self.free.pop()?;
            if self.nodes.get(number as usize).is_some_and(Node::is_unused) {
                return Some(number);
            }
        }
    }

    fn remove(&mut self, number: u32) -> Node {
        let node = std::mem::replace(&mut self.nodes[number as usize], Node::unused());
        if let Ok(found) = self.by_scope.find_entry(node.hash, |it| *it == number) {
            found.remove();
        }
        self.free.push(Reverse(number));
        while self.nodes.last().is_some_and(Node::is_unused) {
            self.nodes.pop();
        }
        // a shard that was full once does not keep the room for that
        if self.nodes.len() * 4 + KEPT < self.nodes.capacity() {
            self.nodes.shrink_to(self.nodes.len() * 2);
            let last = self.nodes.len();
            self.free
                .retain(|Reverse(number)| (*number as usize) < last);
            self.free.shrink_to_fit();
            let nodes = &self.nodes;
            self.by_scope
                .shrink_to(last, |node| nodes[*node as usize].hash);
        }
        node
    }
}

impl Node {
    /// What stands where a node was.
    fn unused() -> Self {
        Self {
            hash: 0,
            level: Level::global(),
            ids: KeyBytes::new(&[]),
            entries: Roster::default(),
            parent: None,
            child: None,
            next: None,
            previous: None,
        }
    }

    /// There is no node for the global scope.
    fn is_unused(&self) -> bool {
        self.level.depth() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::key::{Probe, Space, SpaceSpec};
    use crate::scope::{Hierarchy, Level};

    fn nodes(index: &Index) -> usize {
        let count = |shard: &Mutex<Forest>| lock(shard).by_scope.len();
        index.shards.iter().map(count).sum()
    }

    fn entry(space: &'static Space, scope: &Scope, arg: u32) -> Arc<Entry> {
        let key = Probe::in_scope(space, scope, &arg).and_then(|probe| probe.to_key());
        Entry::new(key.expect("a number serializes"), (), 1, true)
    }

    #[test]
    fn nodes_go_with_their_last_entry() {
        let hierarchy = Hierarchy::builder()
            .level("room", "room_id")
            .level_under("room", "shelf", "shelf_id")
            .build()
            .expect("a sound hierarchy");
        let shelf_level: Level = hierarchy.level("shelf").expect("declared");
        let space = Space::create(SpaceSpec {
            name: "index::tests".to_owned(),
            version: 0,
            explicit: false,
            level: shelf_level,
            max_items: None::<NonZeroUsize>,
            stable: true,
        });
        let shelf = |room: u32, shelf: u32| {
            let ids = [("room_id", room), ("shelf_id", shelf)];
            hierarchy.scope("shelf", ids).expect("all ids are given")
        };
        let index = Index::new();
        let entries: Vec<_> = (0..60)
            .map(|n| entry(space, &shelf(n % 3, n % 5), n))
            .collect();
        for entry in &entries {
            index.seat(entry);
        }
        assert_eq!(nodes(&index), 3 + 15);

        let room = hierarchy
            .scope("room", [("room_id", 1)])
            .expect("all ids are given");
        assert_eq!(index.detach(&room).len(), 20);
        assert_eq!(nodes(&index), 2 + 10);
        // those that were detached are not in it any more: taking them out again changes nothing
        for entry in &entries {
            index.unseat(entry);
        }
        assert_eq!(nodes(&index), 0);
        let kept = |shard: &Mutex<Forest>| lock(shard).nodes.len();
        assert_eq!(index.shards.iter().map(kept).sum::<usize>(), 0);
    }
}
