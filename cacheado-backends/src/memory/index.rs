//! The scope index: the entries of each tenant, so that evicting a tenant costs what the tenant has, not what the store holds.
//!
//! An entry's handle is recorded under each scope that the entry is in: its own scope and every scope above. The index identifies a
//! scope by a hash only. Two scopes with one hash share a group, so an eviction checks the scope in the key of each entry before
//! removing it, and skips the entries of the other scope. Entries of the global scope are not in the index.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::handle::Handle;
use super::handles::{Handles, fit};
use crate::key::{Hash32, Key, varint};
use crate::scope::{Level, Scope};
use crate::sync::{Mutex, MutexGuard, RandomState, lock};

const SHARDS: usize = 16;

/// The size up to which a group is small: its members are recorded one by one. A larger group has a set of its own.
const FEW: usize = 8;

/// Each tree of scopes is in one shard, chosen by its root.
pub(super) struct Index {
    shards: [Mutex<Groups>; SHARDS],
    hasher: RandomState,
}

/// The entries, by the hashes of their scopes.
#[derive(Default)]
struct Groups {
    /// The members of small groups.
    few: HashTable<Member>,
    /// The large groups.
    many: HashTable<Group>,
}

/// An entry and the hash of its scope. Packed into 12 bytes instead of 16.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, packed(4))]
struct Member {
    handle: Handle,
    scope: Hash32,
}

struct Group {
    scope: Hash32,
    handles: Handles,
}

/// The hashes of a scope and of those above it, from the root of the tree. Empty for the global scope.
pub(super) type Path = SmallVec<[Hash32; 4]>;

/// Whether the entry of `key` is in `scope` or below it.
pub(super) fn is_in(scope: &Scope, key: &Key) -> bool {
    // as `Scope::contains`, without building a scope
    key.space().level().at(scope.level().depth()) == Some(scope.level())
        && key.scope_bytes().starts_with(scope.encoded_ids())
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::default(),
        }
    }

    /// The path to the scope of `level` with these encoded `ids`. Further bytes may follow the ids.
    fn path(&self, level: Level, ids: &[u8]) -> Path {
        let mut path = Path::new();
        let (mut hasher, mut rest) = (self.hasher.build_hasher(), ids);
        for depth in 1..=level.depth() {
            let (Some(level), Some((id, after))) = (level.at(depth), varint::text(rest)) else {
                break;
            };
            hasher.write_u32(level.id());
            hasher.write(id);
            path.push(Hash32::fold(hasher.clone().finish()));
            rest = after;
        }
        path
    }

    /// The path of the key's scope; `None` for the global scope, which is not indexed.
    #[inline]
    pub(super) fn path_of(&self, key: &Key) -> Option<Path> {
        let level = key.space().level();
        (level.depth() > 0).then(|| self.path(level, key.encoded()))
    }

    /// The shard of a path's tree; `None` for the global scope.
    fn shard(&self, path: &Path) -> Option<&Mutex<Groups>> {
        // the topmost bits, because the tables use the lowest ones
        let root = path.first()?.0 >> 24;
        Some(&self.shards[root as usize % SHARDS])
    }

    /// Records the entry at `handle`, whose key has this [path](Self::path_of).
    pub(super) fn note(&self, path: &Path, handle: Handle) {
        if let Some(shard) = self.shard(path) {
            let mut groups = lock(shard);
            for scope in path {
                groups.insert(*scope, handle);
            }
        }
    }

    /// Removes the record of the entry of `key`.
    #[inline]
    pub(super) fn forget(&self, key: &Key, handle: Handle) {
        if let Some(path) = self.path_of(key)
            && let Some(shard) = self.shard(&path)
        {
            let mut groups = lock(shard);
            for scope in path {
                groups.remove(scope, handle);
            }
        }
    }

    /// As [`forget`](Self::forget), for several entries. Consecutive entries of one shard take its lock once.
    pub(super) fn forget_all<'k>(&self, gone: impl IntoIterator<Item = (&'k Key, Handle)>) {
        let mut held: Option<(&Mutex<Groups>, MutexGuard<'_, Groups>)> = None;
        for (key, handle) in gone {
            let Some(path) = self.path_of(key) else {
                continue;
            };
            let Some(shard) = self.shard(&path) else {
                continue;
            };
            let groups = match &mut held {
                Some((its, groups)) if std::ptr::eq(*its, shard) => groups,
                other => {
                    // released first: two of these locks are never held together
                    *other = None;
                    &mut other.insert((shard, lock(shard))).1
                }
            };
            for scope in path {
                groups.remove(scope, handle);
            }
        }
    }

    /// The handles of the entries in `scope` and below it, as of one moment. Some may belong to entries of another scope with the same
    /// hash.
    pub(super) fn handles(&self, scope: &Scope) -> Vec<Handle> {
        let path = self.path(scope.level(), scope.encoded_ids());
        match (self.shard(&path), path.last()) {
            (Some(shard), Some(scope)) => lock(shard).handles(*scope),
            _ => Vec::new(),
        }
    }

    /// The number of records: one per entry and scope.
    #[cfg(all(test, not(shuttle)))]
    pub(super) fn noted(&self) -> usize {
        let count = |shard: &Mutex<Groups>| {
            let groups = lock(shard);
            groups.few.len() + groups.many.iter().map(|it| it.handles.len()).sum::<usize>()
        };
        self.shards.iter().map(count).sum()
    }
}

impl Groups {
    fn insert(&mut self, scope: Hash32, handle: Handle) {
        let member = Member { handle, scope };
        if let Some(group) = self.many.find_mut(scope.spread(), |it| it.scope == scope) {
            group.handles.insert(handle);
            return;
        }
        let mut others = 0;
        for other in self.small(scope) {
            if *other == member {
                return;
            }
            others += 1;
        }
        if others < FEW {
            self.add_few(member);
        } else {
            let mut handles = Handles::default();
            handles.insert(handle);
            while let Ok(found) = self.few.find_entry(scope.spread(), |it| it.is_in(scope)) {
                handles.insert(found.remove().0.handle);
            }
            fit(&mut self.few, Member::spread);
            let group = Group { scope, handles };
            self.many
                .insert_unique(scope.spread(), group, |it| it.scope.spread());
        }
    }

    /// The members of the small group of `scope`.
    fn small(&self, scope: Hash32) -> impl Iterator<Item = &Member> {
        let all = self.few.iter_hash(scope.spread());
        all.filter(move |member| member.is_in(scope))
    }

    fn add_few(&mut self, member: Member) {
        self.few
            .insert_unique(member.spread(), member, Member::spread);
    }

    fn remove(&mut self, scope: Hash32, handle: Handle) {
        let Ok(mut group) = self.many.find_entry(scope.spread(), |it| it.scope == scope) else {
            let member = Member { handle, scope };
            if let Ok(found) = self.few.find_entry(scope.spread(), |it| *it == member) {
                found.remove();
                fit(&mut self.few, Member::spread);
            }
            return;
        };
        let handles = &mut group.get_mut().handles;
        handles.remove(handle);
        // at half of `FEW`, so that a group whose size varies around `FEW` is not converted back and forth
        if handles.len() <= FEW / 2 {
            let (group, _) = group.remove();
            fit(&mut self.many, |it| it.scope.spread());
            for handle in group.handles.iter() {
                self.add_few(Member { handle, scope });
            }
        }
    }

    fn handles(&self, scope: Hash32) -> Vec<Handle> {
        match self.many.find(scope.spread(), |it| it.scope == scope) {
            Some(group) => group.handles.iter().collect(),
            None => self.small(scope).map(|member| member.handle).collect(),
        }
    }
}

impl Member {
    fn is_in(&self, scope: Hash32) -> bool {
        let its_own = self.scope;
        its_own == scope
    }

    fn spread(&self) -> u64 {
        let scope = self.scope;
        scope.spread()
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::key::{Probe, Space, SpaceSpec};
    use crate::scope::Hierarchy;

    /// The number of records in small groups, the number of large groups, and the capacity of the tables.
    fn noted(index: &Index) -> (usize, usize, usize) {
        let mut all = (0, 0, 0);
        for shard in &index.shards {
            let groups = lock(shard);
            all.0 += groups.few.len();
            all.1 += groups.many.len();
            all.2 += groups.few.capacity() + groups.many.capacity();
        }
        all
    }

    fn key(space: &'static Space, scope: &Scope, arg: u32) -> Key {
        let key = Probe::in_scope(space, scope, &arg).and_then(|probe| probe.to_key());
        key.expect("a number serializes")
    }

    #[test]
    fn what_is_noted_goes_with_its_entry() {
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
            stable: true,
        });
        let shelf = |room: u32, shelf: u32| {
            let ids = [("room_id", room), ("shelf_id", shelf)];
            hierarchy.scope("shelf", ids).expect("all ids are given")
        };
        let room = |room: u32| {
            hierarchy
                .scope("room", [("room_id", room)])
                .expect("all ids are given")
        };
        let index = Index::new();
        let keys: Vec<_> = (0..6_000)
            .map(|n| {
                (
                    key(space, &shelf(n % 3, n % 1_500), n),
                    Handle::of(key(space, &shelf(n % 3, n % 1_500), n).head(), n),
                )
            })
            .collect();
        for (key, handle) in &keys {
            let path = index.path_of(key).expect("it has a scope");
            index.note(&path, *handle);
            index.note(&path, *handle);
        }
        // the shelves are small, the rooms are large
        let (few, many, _) = noted(&index);
        assert_eq!((few, many), (6_000, 3));
        assert_eq!(index.handles(&room(1)).len(), 2_000);
        let on_shelf = index.handles(&shelf(1, 4));
        assert_eq!(on_shelf.len(), 4);
        assert!(
            keys.iter()
                .filter(|(_, handle)| on_shelf.contains(handle))
                .all(|(key, _)| is_in(&shelf(1, 4), key))
        );
        assert_eq!(index.handles(&shelf(2, 4)).len(), 0);
        // `is_in` distinguishes scopes whose hashes collide in the index
        let all_in = |scope| keys.iter().filter(|(key, _)| is_in(&scope, key)).count();
        assert_eq!(
            [all_in(shelf(1, 4)), all_in(shelf(2, 4)), all_in(room(1))],
            [4, 0, 2_000]
        );
        // and so are levels whose ids are alike
        let box_levels = Hierarchy::builder().level("box", "box_id").build();
        let same_id = box_levels.and_then(|levels| levels.scope("box", [("box_id", 1)]));
        let same_id = same_id.expect("its id is given");
        assert_eq!(same_id.encoded_ids(), room(1).encoded_ids());
        assert_eq!(index.handles(&same_id).len(), 0);
        assert_eq!(all_in(same_id), 0);

        for (key, handle) in &keys[2..] {
            index.forget(key, *handle);
        }
        // two entries are left, so the rooms are small groups now
        let (few, many, room_for) = noted(&index);
        assert_eq!((few, many), (2 + 2, 0));
        assert!(room_for < 16 * 64, "room for {room_for}");
        assert_eq!(index.handles(&room(1)), [keys[1].1]);
        for (key, handle) in &keys {
            index.forget(key, *handle);
        }
        assert_eq!((noted(&index).0, noted(&index).1), (0, 0));

        // all at once, alternating between rooms whose trees are in several shards
        for (key, handle) in &keys {
            index.note(&index.path_of(key).expect("it has a scope"), *handle);
        }
        index.forget_all(keys.iter().map(|(key, handle)| (key, *handle)));
        assert_eq!((noted(&index).0, noted(&index).1), (0, 0));
    }
}
