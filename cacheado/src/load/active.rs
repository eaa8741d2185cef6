//! Which loads this thread is inside of, so that a key met again inside its own load runs the body instead of waiting for itself.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use cacheado_backends::Key;

use crate::cache::{Cache, CacheId};
use crate::context::{LoadContext, Wishes};
use crate::sync::thread_local;

/// A load that the thread is inside of.
struct Inside {
    cache: Cache,
    key: Key,
    /// What its body wants, once it has asked for that.
    wishes: Option<Arc<Wishes>>,
}

thread_local! {
    static ACTIVE: RefCell<Vec<Inside>> = const { RefCell::new(Vec::new()) };
}

/// While this lives, the thread is inside the load of a key. For a future: for the span of one poll.
pub(crate) struct Active<'l> {
    wishes: &'l OnceLock<Arc<Wishes>>,
}

impl<'l> Active<'l> {
    /// `wishes` is where those of the body go.
    pub(crate) fn enter(cache: &Cache, key: &Key, wishes: &'l OnceLock<Arc<Wishes>>) -> Self {
        let inside = Inside {
            cache: cache.clone(),
            key: key.clone(),
            wishes: wishes.get().cloned(),
        };
        let _ = ACTIVE.try_with(|active| active.borrow_mut().push(inside));
        Self { wishes }
    }
}

/// Whether the thread is inside of the load of `key`.
pub(crate) fn is_inside(cache: CacheId, key: &Key) -> bool {
    ACTIVE
        .try_with(|active| {
            let active = active.borrow();
            active
                .iter()
                .any(|inside| inside.cache.id() == cache && inside.key == *key)
        })
        .unwrap_or(false)
}

/// The innermost load that the thread is inside of.
pub(crate) fn innermost() -> Option<LoadContext> {
    let innermost = |active: &RefCell<Vec<Inside>>| {
        let mut active = active.borrow_mut();
        let inside = active.last_mut()?;
        let wishes = inside.wishes.get_or_insert_default();
        Some(LoadContext::new(&inside.cache, &inside.key, wishes))
    };
    ACTIVE.try_with(innermost).ok().flatten()
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let popped = ACTIVE.try_with(|active| active.borrow_mut().pop());
        if let Ok(Some(Inside {
            wishes: Some(wishes),
            ..
        })) = popped
        {
            // after the first poll that asked for it, it is there already
            let _ = self.wishes.set(wishes);
        }
    }
}
