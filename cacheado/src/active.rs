//! Which loads this thread is inside of, so that a key met again inside its own load runs the body instead of waiting for itself.

use std::cell::RefCell;

use cacheado_backends::Key;

use crate::cache::CacheId;
use crate::sync::thread_local;

thread_local! {
    static ACTIVE: RefCell<Vec<(CacheId, Key)>> = const { RefCell::new(Vec::new()) };
}

/// While this lives, the thread is inside the load of a key. For a future: for the span of one poll.
pub(crate) struct Active(());

impl Active {
    pub(crate) fn enter(cache: CacheId, key: &Key) -> Self {
        let _ = ACTIVE.try_with(|active| active.borrow_mut().push((cache, key.clone())));
        Self(())
    }

    pub(crate) fn contains(cache: CacheId, key: &Key) -> bool {
        ACTIVE
            .try_with(|active| {
                active
                    .borrow()
                    .iter()
                    .any(|(of, inside)| *of == cache && inside == key)
            })
            .unwrap_or(false)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        let _ = ACTIVE.try_with(|active| active.borrow_mut().pop());
    }
}
