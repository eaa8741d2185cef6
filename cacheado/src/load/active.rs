//! Which loads the current thread is inside, so that a key requested inside its own load runs the body instead of waiting for itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::iter::successors;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use cacheado_backends::Key;

use crate::cache::{Cache, CacheId};
use crate::context::{LoadContext, Wishes};
use crate::runtime::{self, TaskId};
use crate::sync::thread_local;

/// A load that the thread is inside.
struct Inside {
    cache: Cache,
    key: Key,
    /// What the body requested, once it has done so.
    wishes: OnceLock<Arc<Wishes>>,
    /// The task that runs the body. Other tasks, which the thread polls meanwhile for a runtime that the body drives, are not inside
    /// the load.
    task: TaskId,
}

impl Inside {
    fn is(&self, (cache, key): &(Cache, Key)) -> bool {
        self.cache.id() == cache.id() && self.key == *key
    }
}

/// One level of what the thread is inside.
enum Frame {
    Load(Inside),
    /// The loads around a body that was started elsewhere.
    Around {
        loads: Arc<Loads>,
        /// All frames below belong to `loads`: the body runs on the thread where its caller waits.
        of_below: bool,
    },
    /// A body that is not the load of a single key: it runs uncached (`None`), or for many ids, which have wishes.
    Body(Option<Arc<Wishes>>),
}

/// The loads around a body that runs elsewhere, and those around them in turn. Shared, because bodies may nest without limit.
struct Loads {
    inner: Vec<(Cache, Key)>,
    /// The wishes of the bodies inside, whether for one key or for many.
    wishes: Vec<Arc<Wishes>>,
    outer: Option<Arc<Self>>,
}

impl Loads {
    /// Whether these loads are `other`, or among the loads around it.
    fn are_in(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let mut chain = successors(Some(other), |loads| loads.outer.as_ref());
        chain.any(|loads| Arc::ptr_eq(loads, self))
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        successors(Some(self), |loads| loads.outer.as_deref())
    }

    fn all(&self) -> impl Iterator<Item = &(Cache, Key)> {
        self.chain().flat_map(|loads| &loads.inner)
    }
}

impl Drop for Loads {
    /// Drops the chain iteratively. Nested drops of a long chain would overflow the stack.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(mut loads) = outer.and_then(Arc::into_inner) {
            outer = loads.outer.take();
        }
    }
}

/// What a thread is inside, outermost first.
struct Frames(Vec<Frame>);

impl Frames {
    /// Whether all frames belong to `loads`. They are compared by content, because a future is polled from different frames each time.
    fn are_in(&self, loads: &Arc<Loads>) -> bool {
        let mut inner = loads.inner.iter();
        for frame in self.0.iter().rev() {
            match frame {
                Frame::Load(inside) if inner.next().is_some_and(|it| inside.is(it)) => {}
                Frame::Load(_) => return false,
                Frame::Around {
                    loads: of,
                    of_below,
                } => return *of_below && of.are_in(loads),
                Frame::Body(_) => {}
            }
        }
        true
    }

    /// The frames, innermost first, without those that belong to one of the others.
    fn inmost_first(&self) -> impl Iterator<Item = &Frame> {
        let mut is_over = false;
        self.0.iter().rev().take_while(move |frame| {
            let was_over = is_over;
            is_over |= matches!(frame, Frame::Around { of_below: true, .. });
            !was_over
        })
    }
}

thread_local! {
    static ACTIVE: RefCell<Frames> = const { RefCell::new(Frames(Vec::new())) };
}

/// While this lives, the thread is inside the load of a key. For a future, that is for one poll.
pub(crate) struct Active<'l> {
    wishes: &'l OnceLock<Arc<Wishes>>,
}

impl<'l> Active<'l> {
    /// Enters the load of `key`. The wishes of its body go to `wishes`.
    pub(crate) fn enter(cache: &Cache, key: &Key, wishes: &'l OnceLock<Arc<Wishes>>) -> Self {
        let inside = Inside {
            cache: cache.clone(),
            key: key.clone(),
            wishes: wishes.clone(),
            task: runtime::task(),
        };
        let _ = ACTIVE.try_with(|active| active.borrow_mut().0.push(Frame::Load(inside)));
        Self { wishes }
    }
}

/// Whether the thread is inside the load of `key`.
pub(crate) fn is_inside(cache: CacheId, key: &Key) -> bool {
    ACTIVE
        .try_with(|active| {
            let active = active.borrow();
            if active.0.is_empty() {
                return false;
            }
            let is_it = |of: &Cache, its: &Key| of.id() == cache && its == key;
            active.inmost_first().any(|frame| match frame {
                Frame::Load(inside) => is_it(&inside.cache, &inside.key),
                Frame::Around { loads, .. } => loads.all().any(|(of, its)| is_it(of, its)),
                Frame::Body(_) => false,
            })
        })
        .unwrap_or(false)
}

/// Whether the thread is inside a body.
pub(crate) fn is_in_body() -> bool {
    let is_in = |active: &RefCell<Frames>| !active.borrow().0.is_empty();
    ACTIVE.try_with(is_in).unwrap_or(false)
}

/// Records that the bodies around this point were given a value that may be outdated without a report of it.
pub(crate) fn in_doubt() {
    let doubt = |active: &RefCell<Frames>| {
        for frame in active.borrow().inmost_first() {
            match frame {
                Frame::Load(inside) => inside.wishes.get_or_init(Arc::default).doubt(),
                Frame::Around { loads, .. } => {
                    let wishes = loads.chain().flat_map(|loads| &loads.wishes);
                    wishes.for_each(|wishes| wishes.doubt());
                }
                Frame::Body(wishes) => wishes.iter().for_each(|wishes| wishes.doubt()),
            }
        }
    };
    let _ = ACTIVE.try_with(doubt);
}

/// The load whose body the thread is in; `None` if the innermost body is not that of a single key.
pub(crate) fn innermost() -> Option<LoadContext> {
    let innermost = |active: &RefCell<Frames>| {
        let active = active.borrow();
        let Frame::Load(inside) = active.0.last()? else {
            return None;
        };
        if inside.task != runtime::task() {
            return None;
        }
        let wishes = inside.wishes.get_or_init(Arc::default);
        Some(LoadContext::new(&inside.cache, &inside.key, wishes))
    };
    ACTIVE.try_with(innermost).ok().flatten()
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let popped = ACTIVE.try_with(|active| active.borrow_mut().0.pop());
        if let Ok(Some(Frame::Load(inside))) = popped
            && let Some(wishes) = inside.wishes.into_inner()
        {
            // set already, unless this is the first poll that asked for it
            let _ = self.wishes.set(wishes);
        }
    }
}

/// While this lives, the thread is inside a frame.
struct Entered;

impl Entered {
    fn enter(frame: Frame) -> Self {
        let _ = ACTIVE.try_with(|active| active.borrow_mut().0.push(frame));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // dropped after the borrow has ended: it may hold the last handle of a cache
        let _frame = ACTIVE.try_with(|active| active.borrow_mut().0.pop());
    }
}

/// The loads that a caller is inside while it waits for a body that runs elsewhere: that body is inside them too.
pub(crate) struct Around(Option<Arc<Loads>>);

impl Around {
    /// What the thread is inside now.
    pub(crate) fn here() -> Self {
        let around = |active: &RefCell<Frames>| {
            let active = active.borrow();
            let (mut inner, mut wishes, mut outer) = (Vec::new(), Vec::new(), None);
            for frame in active.inmost_first() {
                match frame {
                    Frame::Load(inside) => {
                        inner.push((inside.cache.clone(), inside.key.clone()));
                        wishes.push(Arc::clone(inside.wishes.get_or_init(Arc::default)));
                    }
                    Frame::Around { loads, .. } => match &outer {
                        None => outer = Some(Arc::clone(loads)),
                        // this body runs on the thread of the one around it
                        Some(known) if loads.are_in(known) => {}
                        // a body that drives others has a different one around it
                        Some(_) => {
                            inner.extend(loads.all().cloned());
                            wishes.extend(loads.chain().flat_map(|it| &it.wishes).cloned());
                        }
                    },
                    Frame::Body(of) => wishes.extend(of.clone()),
                }
            }
            if wishes.is_empty() {
                return outer;
            }
            Some(Arc::new(Loads {
                inner,
                wishes,
                outer,
            }))
        };
        Self(ACTIVE.try_with(around).ok().flatten())
    }

    /// Runs the body, or polls it once.
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        let around = self.0.as_ref().map(Arc::clone);
        let _inside = around.map(|loads| {
            let of_below = ACTIVE.try_with(|active| active.borrow().are_in(&loads));
            let of_below = of_below.unwrap_or(false);
            Entered::enter(Frame::Around { loads, of_below })
        });
        body()
    }
}

/// Runs a body that is not the load of a single key, and that has no access to the load around it.
pub(crate) fn outside<R>(body: impl FnOnce() -> R) -> R {
    let _outside = Entered::enter(Frame::Body(None));
    body()
}

/// As [`outside`], for a body that is a future.
pub(crate) async fn polled_outside<F: Future>(body: Pin<&mut F>) -> F::Output {
    polled_in(None, body).await
}

/// Runs a body for many ids.
pub(crate) fn of_many<R>(wishes: &Arc<Wishes>, body: impl FnOnce() -> R) -> R {
    let _of_many = Entered::enter(Frame::Body(Some(Arc::clone(wishes))));
    body()
}

/// As [`of_many`], for a body that is a future.
pub(crate) async fn polled_of_many<F: Future>(
    wishes: &Arc<Wishes>,
    body: Pin<&mut F>,
) -> F::Output {
    polled_in(Some(wishes), body).await
}

async fn polled_in<F: Future>(wishes: Option<&Arc<Wishes>>, mut body: Pin<&mut F>) -> F::Output {
    poll_fn(|cx| inside(wishes, &mut || body.as_mut().poll(cx))).await
}

/// One poll of such a body. Compiled once for all functions of one return type.
pub(super) fn inside<R>(wishes: Option<&Arc<Wishes>>, poll: &mut dyn FnMut() -> R) -> R {
    let _inside = Entered::enter(Frame::Body(wishes.cloned()));
    poll()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_chain_takes_the_stack() {
        let one = |outer| {
            let (inner, wishes) = (Vec::new(), Vec::new());
            Some(Arc::new(Loads {
                inner,
                wishes,
                outer,
            }))
        };
        let chain = (0..1_000_000).fold(None, |outer, _| one(outer));
        drop(chain);
    }
}
