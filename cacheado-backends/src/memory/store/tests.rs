//! Entries of different keys with the same hash, as one pair in some billions has.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Dropped, Store};
use crate::clock::{Clock, ManualClock};
use crate::entry::NewEntry;
use crate::key::{Key, Probe, Space, SpaceSpec};
use crate::memory::handle::Handle;
use crate::rule::{Cause, Rule};
use crate::rules::Lru;
use crate::scope::{Hierarchy, Scope};

const SECOND: Duration = Duration::from_secs(1);

/// A hierarchy of rooms and shelves, and a space at the level of shelves.
struct Place {
    hierarchy: Hierarchy,
    space: &'static Space,
}

impl Place {
    fn new() -> Self {
        let hierarchy = Hierarchy::builder()
            .level("room", "room_id")
            .level_under("room", "shelf", "shelf_id")
            .build()
            .expect("a sound hierarchy");
        let space = Space::create(SpaceSpec {
            name: "store::tests".to_owned(),
            version: 0,
            explicit: false,
            level: hierarchy.level("shelf").expect("declared"),
            stable: true,
        });
        Self { hierarchy, space }
    }

    fn room(&self) -> Scope {
        let scope = self.hierarchy.scope("room", [("room_id", 0)]);
        scope.expect("all ids are given")
    }

    fn shelf(&self, nth: u32) -> Scope {
        let ids = [("room_id", 0), ("shelf_id", nth)];
        let scope = self.hierarchy.scope("shelf", ids);
        scope.expect("all ids are given")
    }

    fn key(&self, shelf: &Scope, nth: u32) -> Key {
        // as text, because the hashes of very many consecutive numbers are all different
        let text = nth.to_string();
        let key = Probe::in_scope(self.space, shelf, &text).and_then(|probe| probe.to_key());
        key.expect("a text serializes")
    }

    /// Two keys with the same hash, on one shelf or on two. Among a hundred thousand keys there is such a pair more often than not.
    fn twins(&self, shelves: u32) -> [Key; 2] {
        let shelves: Vec<Scope> = (0..shelves).map(|nth| self.shelf(nth)).collect();
        let mut seen: HashMap<u64, (usize, u32)> = HashMap::new();
        for nth in 0..4_000_000 {
            for (on, shelf) in shelves.iter().enumerate() {
                let key = self.key(shelf, nth);
                match seen.insert(key.hash(), (on, nth)) {
                    Some((other, earlier)) if other != on || shelves.len() == 1 => {
                        return [self.key(&shelves[other], earlier), key];
                    }
                    _ => {}
                }
            }
        }
        unreachable!("a thousand pairs are to be expected")
    }
}

fn store(clock: &ManualClock) -> Arc<Store> {
    store_with(clock, Vec::new())
}

fn store_with(clock: &ManualClock, rules: Vec<Box<dyn Rule>>) -> Arc<Store> {
    let observer = Box::new(|_: &Key, _| {});
    Store::new(Clock::from(clock.clone()), rules, observer)
}

fn insert(store: &Store, key: &Key, lifetime: Option<Duration>) {
    let entry = NewEntry::new(key.clone(), (), 1, true);
    store.insert(entry, lifetime, &mut Dropped::new());
}

/// The handle of the only entry.
fn only(store: &Store) -> Handle {
    let mut handles = Vec::new();
    store.entries.for_each(|entry| handles.push(entry.handle()));
    assert_eq!(handles.len(), 1);
    handles[0]
}

fn has(store: &Store, key: &Key) -> bool {
    store.peek_key(key, |_| ()).is_some()
}

#[test]
fn one_of_two_that_share_a_hash_goes_alone() {
    let place = Place::new();
    for shelves in [1, 2] {
        let [one, other] = place.twins(shelves);
        assert!(one.hash() == other.hash() && one != other);
        let store = store(&ManualClock::new());
        insert(&store, &one, None);
        insert(&store, &other, None);
        // replaces the first entry
        insert(&store, &one, None);
        assert_eq!(store.len(), 2);
        assert!(store.remove(&one, &mut Dropped::new()));
        assert!(!has(&store, &one) && has(&store, &other));
        // the index still leads to the other entry
        assert_eq!(store.remove_scope(&place.room()).entries, 1);
        assert_eq!(store.len(), 0);
    }
}

#[test]
fn a_scope_goes_without_one_elsewhere_that_shares_a_hash() {
    let place = Place::new();
    let [one, other] = place.twins(2);
    let store = store(&ManualClock::new());
    insert(&store, &one, None);
    insert(&store, &other, None);
    assert_eq!(store.remove_scope(&one.scope()).entries, 1);
    assert!(!has(&store, &one) && has(&store, &other));
    assert_eq!(store.remove_scope(&one.scope()).entries, 0);
    insert(&store, &one, None);
    assert_eq!(store.remove_scope(&place.room()).entries, 2);
}

#[test]
fn each_of_two_that_share_a_hash_expires_in_its_time() {
    let place = Place::new();
    let [one, other] = place.twins(1);
    for lifetimes in [[1, 1], [1, 2], [2, 1], [1, 100], [100, 101]] {
        let clock = ManualClock::new();
        let store = store(&clock);
        insert(&store, &one, Some(SECOND * lifetimes[0]));
        insert(&store, &other, Some(SECOND * lifetimes[1]));
        for second in 1..=102 {
            clock.advance(SECOND);
            let left = lifetimes.iter().filter(|lifetime| **lifetime > second);
            // not `len()`, which frees expired entries
            assert_eq!(
                store.len.load(std::sync::atomic::Ordering::Relaxed),
                left.count()
            );
        }
        // the other still expires if the first is removed before
        insert(&store, &one, Some(SECOND));
        insert(&store, &other, Some(SECOND));
        assert!(store.remove(&one, &mut Dropped::new()));
        clock.advance(SECOND);
        assert_eq!(store.len.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

#[test]
fn of_two_that_share_a_hash_the_least_recently_used_goes() {
    let place = Place::new();
    let [one, other] = place.twins(1);
    let elsewhere = |nth: u32| place.key(&place.shelf(7), nth);
    let store = store_with(&ManualClock::new(), vec![Box::new(Lru::new(3))]);
    let has_all = |keys: &[&Key]| keys.iter().all(|key| has(&store, key));
    let used = |key: &Key| assert!(store.get_key(key, |_| ()).is_some());
    for key in [&one, &other, &elsewhere(0)] {
        insert(&store, key, None);
    }
    used(&one);
    insert(&store, &elsewhere(1), None);
    assert!(has_all(&[&one, &elsewhere(0), &elsewhere(1)]));
    insert(&store, &other, None);
    assert!(has_all(&[&one, &other, &elsewhere(1)]));
    used(&one);
    insert(&store, &elsewhere(2), None);
    insert(&store, &elsewhere(3), None);
    assert!(has_all(&[&one, &elsewhere(2), &elsewhere(3)]));
    // often enough that the rule drops its records of removed entries meanwhile
    for nth in 0..1000 {
        insert(&store, &elsewhere(nth % 2 + 2), None);
        store.remove(&other, &mut Dropped::new());
        insert(&store, &other, None);
        used(&other);
        insert(&store, &one, None);
    }
    insert(&store, &elsewhere(4), None);
    insert(&store, &elsewhere(5), None);
    assert!(has_all(&[&one, &elsewhere(4), &elsewhere(5)]));
}

#[test]
fn an_old_handle_removes_nothing_of_another_key() {
    let place = Place::new();
    // the two keys have one hash, so the second entry takes the slot of the first
    let [one, other] = place.twins(2);
    let clock = ManualClock::new();
    let store = store(&clock);
    insert(&store, &one, Some(SECOND));
    let handle = only(&store);
    assert!(store.remove(&one, &mut Dropped::new()));
    insert(&store, &other, None);
    assert!(only(&store) == handle);
    for cause in [Cause::Expired, Cause::Evicted, Cause::Rule] {
        store.remove_found(handle, &one, cause);
        assert!(has(&store, &other), "{cause:?}");
    }
    store.remove_copy(handle, &one, &mut Dropped::new());
    assert!(has(&store, &other));

    // the handle was found expired, but the same key has been stored again
    store.remove_found(handle, &other, Cause::Expired);
    assert!(has(&store, &other));
    store.remove_found(handle, &other, Cause::Rule);
    assert!(!has(&store, &other));
    insert(&store, &other, None);
    store.remove_copy(only(&store), &other, &mut Dropped::new());
    assert!(!has(&store, &other));

    // an entry that never leaves the process is not a copy
    let own = NewEntry::new(one.clone(), (), 1, false);
    store.insert(own, None, &mut Dropped::new());
    store.remove_copy(only(&store), &one, &mut Dropped::new());
    assert!(has(&store, &one));
}

#[test]
fn what_goes_leaves_nothing_noted() {
    let place = Place::new();
    let shelves: Vec<Scope> = (0..4).map(|nth| place.shelf(nth)).collect();
    let clock = ManualClock::new();
    let store = store(&clock);
    for nth in 0..20_000 {
        let shelf = &shelves[nth as usize % 4];
        let lifetime = SECOND * (1 + nth % 100);
        insert(&store, &place.key(shelf, nth), Some(lifetime));
    }
    assert_eq!(store.index.noted(), 2 * 20_000);
    assert_eq!(store.expiry.noted(), 20_000);
    // some of those with the longest lifetime, one by one
    for nth in (99..20_000).step_by(100) {
        let key = place.key(&shelves[nth as usize % 4], nth);
        assert!(store.remove(&key, &mut Dropped::new()));
    }
    assert_eq!(store.index.noted(), 2 * 19_800);
    assert_eq!(store.expiry.noted(), 19_800);
    clock.advance(SECOND * 30);
    assert_eq!(store.remove_scope(&shelves[1]).entries, 3_400);
    assert_eq!(store.index.noted(), 2 * store.len());
    assert_eq!(store.expiry.noted(), store.len());
    assert_eq!(store.remove_scope(&place.room()).entries, 10_400);
    assert_eq!((store.index.noted(), store.expiry.noted()), (0, 0));
}
