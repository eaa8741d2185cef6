//! What is compared: ways to keep an item in a server. Each panics where it fails: then there is nothing to measure.

use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// How many bytes an item has, about.
pub(super) const SIZES: [usize; 2] = [100, 10_000];

/// How long what is stored lives.
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

/// Whose item it is: the organization and the user.
pub(super) fn owner(nth: u64) -> (u64, u64) {
    (nth % 10, nth % 100)
}

pub(super) type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to keep items. `nth` and `size` are the key; `caller` is the number of the thread.
pub(super) trait Contender: Send + Sync {
    fn name(&self) -> &'static str;

    /// What is stored, asked for as a hit is.
    fn get(&self, caller: usize, nth: u64, size: usize) -> Option<Item>;

    /// What is stored, or what is loaded and stored.
    fn load(&self, caller: usize, nth: u64, size: usize) -> Item;

    fn set(&self, caller: usize, item: &Item, nth: u64, size: usize);

    /// What is stored of each; `None` if there is no such operation. All belong to [`owner`]`(0)`.
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
