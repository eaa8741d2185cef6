//! The scope index: which entries each tenant has, so that evicting a tenant costs what the tenant has, not what the store holds.
//!
//! A forest with a node for each scope that holds something: the organization's node leads to its users' nodes, theirs to
//! their sessions'. A node goes when its last entry and its last child have gone. Each tree lives in one shard, chosen by its
//! root, so that a scope is detached under one lock. Entries of the global scope are not in it.

#![allow(
    clippy::mutable_key_type,
    reason = "a scope's level is equal and hashed by its number"
)]

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::entry::{Entry, NO_SEAT};
use crate::scope::Scope;
use crate::sync::{Mutex, RandomState, lock};

const SHARDS: usize = 16;

pub(super) struct Index {
    shards: [Mutex<Forest>; SHARDS],
    hasher: RandomState,
}

type Forest = HashMap<Scope, Node, RandomState>;

#[derive(Default)]
struct Node {
    /// The entries right at this scope. Each knows its place, so taking one out costs the same however many there are.
    entries: Vec<Arc<Entry>>,
    children: HashSet<Scope, RandomState>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }

    /// The shard of the tree that `scope` is in; `None` for the global scope.
    fn shard(&self, scope: &Scope) -> Option<&Mutex<Forest>> {
        let root = scope.level().at(1)?;
        let hash = self.hasher.hash_one((root, scope.ids().next()?));
        #[allow(
            clippy::cast_possible_truncation,
            reason = "taken modulo the number of shards"
        )]
        Some(&self.shards[hash as usize % SHARDS])
    }

    /// Takes `entry` in at its scope.
    pub(super) fn seat(&self, entry: &Arc<Entry>) {
        let scope = entry.key().scope();
        let Some(shard) = self.shard(&scope) else {
            return;
        };
        let mut forest = lock(shard);
        if !forest.contains_key(&scope) {
            plant(&mut forest, &scope);
        }
        let node = forest.entry(scope).or_default();
        entry.set_seat(u32::try_from(node.entries.len()).unwrap_or(NO_SEAT));
        node.entries.push(Arc::clone(entry));
    }

    /// Takes `entry` out, if it is still in.
    pub(super) fn unseat(&self, entry: &Entry) {
        let scope = entry.key().scope();
        let Some(shard) = self.shard(&scope) else {
            return;
        };
        let mut forest = lock(shard);
        let seat = entry.seat();
        if seat == NO_SEAT {
            return;
        }
        entry.set_seat(NO_SEAT);
        let Some(node) = forest.get_mut(&scope) else {
            return;
        };
        node.entries.swap_remove(seat as usize);
        if let Some(moved) = node.entries.get(seat as usize) {
            moved.set_seat(seat);
        }
        // a tenant that was large once does not keep the room for it
        if node.entries.len() * 4 < node.entries.capacity() {
            node.entries.shrink_to(node.entries.len() * 2);
        }
        prune(&mut forest, &scope);
    }

    /// Takes out `scope` and all below it, and returns their entries. No entry of them is in the index afterwards, and all
    /// of them were at one moment.
    pub(super) fn detach(&self, scope: &Scope) -> Vec<Arc<Entry>> {
        let Some(shard) = self.shard(scope) else {
            return Vec::new();
        };
        let mut forest = lock(shard);
        let mut detached = Vec::new();
        let mut left = vec![scope.clone()];
        while let Some(next) = left.pop() {
            let Some(node) = forest.remove(&next) else {
                continue;
            };
            left.extend(node.children);
            for entry in &node.entries {
                entry.set_seat(NO_SEAT);
            }
            if detached.is_empty() {
                detached = node.entries;
            } else {
                detached.extend(node.entries);
            }
        }
        if let Some(parent) = scope.parent() {
            unlink(&mut forest, &parent, scope);
        }
        detached
    }
}

/// Makes the node of `scope` and those above it that are missing.
fn plant(forest: &mut Forest, scope: &Scope) {
    let mut child = scope.clone();
    forest.entry(child.clone()).or_default();
    while let Some(parent) = child.parent() {
        let known = forest.contains_key(&parent);
        forest
            .entry(parent.clone())
            .or_default()
            .children
            .insert(child);
        if known {
            break;
        }
        child = parent;
    }
}

/// Removes the node of `scope` if nothing is left in it, and those above it that become empty by that.
fn prune(forest: &mut Forest, scope: &Scope) {
    if forest
        .get(scope)
        .is_some_and(|node| node.entries.is_empty() && node.children.is_empty())
    {
        forest.remove(scope);
        if let Some(parent) = scope.parent() {
            unlink(forest, &parent, scope);
        }
    }
}

fn unlink(forest: &mut Forest, parent: &Scope, child: &Scope) {
    if let Some(node) = forest.get_mut(parent) {
        node.children.remove(child);
        prune(forest, parent);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::key::{Probe, Space, SpaceSpec};
    use crate::scope::{Hierarchy, Level};

    fn nodes(index: &Index) -> usize {
        index.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn entry(space: &'static Space, scope: &Scope, arg: u32) -> Arc<Entry> {
        let key = Probe::in_scope(space, scope, &arg).and_then(|probe| probe.to_key());
        Entry::new(key.expect("a number serializes"), 0, u64::MAX, 0, true, ())
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
    }
}
