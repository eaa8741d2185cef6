//! What is compared: ways to keep an item in a server. Each panics if it fails, since there is nothing to measure then.

use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// The size of an item in bytes, approximately.
pub(super) const SIZES: [usize; 2] = [100, 10_000];

/// The lifetime of what is stored.
pub(super) const LIFETIME: std::time::Duration = std::time::Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    id: u64,
    name: String,
    tags: Vec<String>,
    text: String,
}

impl Item {
    /// What a load finds.
    pub(super) fn new(nth: u64, size: usize) -> Self {
        let name = format!("item {nth}");
        let tags = ["new", "small", "blue"].map(str::to_owned).to_vec();
        let text = "Lorem ipsum dolor sit amet, ".chars().cycle();
        Self {
            id: nth,
            name,
            tags,
            text: text.take(size.saturating_sub(30)).collect(),
        }
    }
}

/// The owner of an item: the organization and the user.
pub(super) fn owner(nth: u64) -> (u64, u64) {
    (nth % 10, nth % 100)
}

pub(super) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to keep items. The key is `nth` with `size`; `caller` is the number of the thread.
pub(super) trait Contender: Send + Sync {
    fn name(&self) -> &'static str;

    /// The stored item, looked up as for a hit.
    fn get(&self, caller: usize, nth: u64, size: usize) -> Option<Item>;

    /// The stored item, or else one that is loaded and stored.
    fn load(&self, caller: usize, nth: u64, size: usize) -> Item;

    fn set(&self, caller: usize, item: &Item, nth: u64, size: usize);

    /// The stored item of each key; `None` if there is no such operation. All keys belong to [`owner`]`(0)`.
    fn get_many(&self, keys: &[u64], size: usize) -> Option<Vec<Option<Item>>>;

    fn get_async(&self, nth: u64, size: usize) -> Waiting<'_, Option<Item>>;

    fn load_async(&self, nth: u64, size: usize) -> Waiting<'_, Item>;

    fn set_async<'a>(&'a self, item: &'a Item, nth: u64, size: usize) -> Waiting<'a, ()>;

    fn get_many_async<'a>(
        &'a self,
        keys: &'a [u64],
        size: usize,
    ) -> Waiting<'a, Option<Vec<Option<Item>>>>;
}
