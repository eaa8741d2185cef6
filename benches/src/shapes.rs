//! What is cached: the kinds of keys and values that are measured, and how the value of a key is loaded.

use std::cell::Cell;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use equivalent::Equivalent;

thread_local! {
    static LOADS: Cell<u64> = const { Cell::new(0) };
}

/// The number of loads that have run on this thread.
pub(crate) fn loads() -> u64 {
    LOADS.get()
}

fn count_load() {
    LOADS.set(LOADS.get() + 1);
}

/// A kind of key with a kind of value.
pub(crate) trait Shape: Sized + 'static {
    const NAME: &'static str;
    /// The key as a map owns it.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// The key as a caller has it, by which a lookup needs no owned key.
    type Borrowed<'a>: Copy + Hash + Equivalent<Self::Key>;
    type Value: Clone + Send + Sync + 'static;

    /// The n-th key. Different numbers give different keys.
    fn key(nth: u64) -> Self::Key;
    fn borrow(key: &Self::Key) -> Self::Borrowed<'_>;
    /// What a miss computes. Counted by [`loads`].
    fn load(key: Self::Borrowed<'_>) -> Self::Value;
    /// The bytes of a key and its value as a caller counts them: the length of a text, the size of a number.
    fn bytes(key: &Self::Key) -> usize;
}

/// An item of a user of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tenant {
    pub(crate) org: Box<str>,
    pub(crate) user: Box<str>,
    pub(crate) item: u64,
}

/// A [`Tenant`] from a caller's arguments.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct TenantRef<'a> {
    pub(crate) org: &'a str,
    pub(crate) user: &'a str,
    pub(crate) item: u64,
}

impl Equivalent<Tenant> for TenantRef<'_> {
    fn equivalent(&self, key: &Tenant) -> bool {
        self.item == key.item && *self.user == *key.user && *self.org == *key.org
    }
}

impl Tenant {
    /// Organizations have 1,000 items, users have 10.
    fn nth(nth: u64) -> Self {
        Self {
            org: format!("org-{}", nth / 1000).into(),
            user: format!("user-{}", nth / 10).into(),
            item: nth,
        }
    }

    fn as_ref(&self) -> TenantRef<'_> {
        TenantRef {
            org: &self.org,
            user: &self.user,
            item: self.item,
        }
    }
}

/// A [`Box<str>`] from a caller's `&str`.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct TextRef<'a>(pub(crate) &'a str);

impl Equivalent<Box<str>> for TextRef<'_> {
    fn equivalent(&self, key: &Box<str>) -> bool {
        *self.0 == **key
    }
}

const TEXT: &str = "a value of thirty-two characters";
const LONG_KEY: usize = 200;
const KILOBYTE: usize = 1024;

/// What most memoized functions look like: two scope ids and an item, and a shared value.
pub(crate) struct TenantText;

impl Shape for TenantText {
    const NAME: &'static str = "(&str, &str, u64) -> Arc<str>";
    type Key = Tenant;
    type Borrowed<'a> = TenantRef<'a>;
    type Value = Arc<str>;

    fn key(nth: u64) -> Tenant {
        Tenant::nth(nth)
    }
    fn borrow(key: &Tenant) -> TenantRef<'_> {
        key.as_ref()
    }
    fn load(_: TenantRef<'_>) -> Arc<str> {
        count_load();
        TEXT.into()
    }
    fn bytes(key: &Tenant) -> usize {
        key.org.len() + key.user.len() + 8 + TEXT.len()
    }
}

/// A value that a hit must copy.
pub(crate) struct TenantBytes;

impl Shape for TenantBytes {
    const NAME: &'static str = "(&str, &str, u64) -> Vec<u8> of 1 kB";
    type Key = Tenant;
    type Borrowed<'a> = TenantRef<'a>;
    type Value = Vec<u8>;

    fn key(nth: u64) -> Tenant {
        Tenant::nth(nth)
    }
    fn borrow(key: &Tenant) -> TenantRef<'_> {
        key.as_ref()
    }
    fn load(_: TenantRef<'_>) -> Vec<u8> {
        count_load();
        vec![7; KILOBYTE]
    }
    fn bytes(key: &Tenant) -> usize {
        key.org.len() + key.user.len() + 8 + KILOBYTE
    }
}

/// The smallest thing that can be cached.
pub(crate) struct Numbers;

impl Shape for Numbers {
    const NAME: &'static str = "u64 -> u64";
    type Key = u64;
    type Borrowed<'a> = u64;
    type Value = u64;

    fn key(nth: u64) -> u64 {
        nth
    }
    fn borrow(key: &u64) -> u64 {
        *key
    }
    fn load(key: u64) -> u64 {
        count_load();
        key ^ 1
    }
    fn bytes(_: &u64) -> usize {
        8 + 8
    }
}

/// A value whose clones share a counter.
pub(crate) struct NumberText;

impl Shape for NumberText {
    const NAME: &'static str = "u64 -> Arc<str>";
    type Key = u64;
    type Borrowed<'a> = u64;
    type Value = Arc<str>;

    fn key(nth: u64) -> u64 {
        nth
    }
    fn borrow(key: &u64) -> u64 {
        *key
    }
    fn load(_: u64) -> Arc<str> {
        count_load();
        TEXT.into()
    }
    fn bytes(_: &u64) -> usize {
        8 + TEXT.len()
    }
}

/// A key that is slow to hash and to compare.
pub(crate) struct LongText;

impl Shape for LongText {
    const NAME: &'static str = "&str of 200 bytes -> Arc<str>";
    type Key = Box<str>;
    type Borrowed<'a> = TextRef<'a>;
    type Value = Arc<str>;

    fn key(nth: u64) -> Box<str> {
        format!("{nth:0LONG_KEY$}").into()
    }
    fn borrow(key: &Box<str>) -> TextRef<'_> {
        TextRef(key)
    }
    fn load(_: TextRef<'_>) -> Arc<str> {
        count_load();
        TEXT.into()
    }
    fn bytes(key: &Box<str>) -> usize {
        key.len() + TEXT.len()
    }
}

/// A load that takes five milliseconds. It is counted over all threads.
pub(crate) struct Slow;

static SLOW_LOADS: AtomicU64 = AtomicU64::new(0);

impl Slow {
    pub(crate) const TAKES: Duration = Duration::from_millis(5);

    /// The number of loads that have run on any thread.
    pub(crate) fn loads() -> u64 {
        SLOW_LOADS.load(Ordering::Relaxed)
    }
}

impl Shape for Slow {
    const NAME: &'static str = "u64 -> u64, loaded in 5 ms";
    type Key = u64;
    type Borrowed<'a> = u64;
    type Value = u64;

    fn key(nth: u64) -> u64 {
        nth
    }
    fn borrow(key: &u64) -> u64 {
        *key
    }
    fn load(key: u64) -> u64 {
        SLOW_LOADS.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        while began.elapsed() < Self::TAKES {
            std::thread::yield_now();
        }
        key
    }
    fn bytes(_: &u64) -> usize {
        8 + 8
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    fn same<S: Shape>() {
        let hasher = RandomState::new();
        let (key, other) = (S::key(123_456), S::key(123_457));
        assert!(S::borrow(&key).equivalent(&key));
        assert!(!S::borrow(&other).equivalent(&key));
        assert_eq!(hasher.hash_one(S::borrow(&key)), hasher.hash_one(&key));
    }

    #[test]
    fn a_borrowed_key_finds_the_owned_one() {
        same::<TenantText>();
        same::<LongText>();
        same::<Numbers>();
    }

    #[test]
    fn loads_are_counted_on_the_thread_that_ran_them() {
        let before = loads();
        Numbers::load(1);
        assert_eq!(loads(), before + 1);
    }
}
