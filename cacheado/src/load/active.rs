//! Which loads this thread is inside of, so that a key met again inside its own load runs the body instead of waiting for itself.

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

/// A load that the thread is inside of.
struct Inside {
    cache: Cache,
    key: Key,
    /// What its body wants, once it has asked for that.
    wishes: OnceLock<Arc<Wishes>>,
    /// By which task its body runs: others that the thread polls meanwhile, for a runtime that the body drives, are not inside.
    task: TaskId,
}

impl Inside {
    fn is(&self, (cache, key): &(Cache, Key)) -> bool {
        self.cache.id() == cache.id() && self.key == *key
    }
}

/// What the thread is inside of, one in the other.
enum Frame {
    Load(Inside),
    /// What a body is inside of that was begun elsewhere.
    Around {
        loads: Arc<Loads>,
        /// All frames below are in it: it runs where its caller waits.
        of_below: bool,
    },
    /// A body that is no load of one key: it runs uncached, or for many ids. Those have something to be known of what they make.
    Body(Option<Arc<Wishes>>),
}

/// Loads that a body is inside of which runs elsewhere, and those around them: shared, since bodies may be begun in bodies without end.
struct Loads {
    inner: Vec<(Cache, Key)>,
    /// Those of the bodies inside, be they of one key or of many.
    wishes: Vec<Arc<Wishes>>,
    outer: Option<Arc<Self>>,
}

impl Loads {
    /// Whether `other` is one of those around them, or the same.
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
    /// One after the other: in one another, those of a long chain would take the stack.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(mut loads) = outer.and_then(Arc::into_inner) {
            outer = loads.outer.take();
        }
    }
}

/// What a thread is inside of, outermost first.
struct Frames(Vec<Frame>);

impl Frames {
    /// Whether all of them are in `loads`. A future is polled from other frames each time, so it is told by what they are.
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

    /// Innermost first, without those that are in one of the others.
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
            wishes: wishes.clone(),
            task: runtime::task(),
        };
        let _ = ACTIVE.try_with(|active| active.borrow_mut().0.push(Frame::Load(inside)));
        Self { wishes }
    }
}

/// Whether the thread is inside of the load of `key`.
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

/// Whether the thread is inside of a body.
pub(crate) fn is_in_body() -> bool {
    let is_in = |active: &RefCell<Frames>| !active.borrow().0.is_empty();
    ACTIVE.try_with(is_in).unwrap_or(false)
}

/// The bodies that the thread is inside of are given what may be old, and where nothing says when it is.
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

/// The load whose body the thread is in; `None` if the innermost body is none of one key.
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
            // after the first poll that asked for it, it is there already
            let _ = self.wishes.set(wishes);
        }
    }
}

/// While this lives, the thread is where `frame` says.
struct Entered;

impl Entered {
    fn enter(frame: Frame) -> Self {
        let _ = ACTIVE.try_with(|active| active.borrow_mut().0.push(frame));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // dropped when it is not borrowed any more: it may hold the last of a cache
        let _frame = ACTIVE.try_with(|active| active.borrow_mut().0.pop());
    }
}

/// What a caller is inside of who waits for a body that runs elsewhere: so is that body.
pub(crate) struct Around(Option<Arc<Loads>>);

impl Around {
    /// What the thread is inside of now.
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
                        // it runs on the thread of the one around it
                        Some(known) if loads.are_in(known) => {}
                        // a body that drives others has another around it
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

/// Runs a body that is no load of one key, and knows nothing of the load around it.
pub(crate) fn outside<R>(body: impl FnOnce() -> R) -> R {
    let _outside = Entered::enter(Frame::Body(None));
    body()
}

/// The same, of a body that is a future.
pub(crate) async fn polled_outside<F: Future>(body: Pin<&mut F>) -> F::Output {
    polled_in(None, body).await
}

/// Runs a body for many ids.
pub(crate) fn of_many<R>(wishes: &Arc<Wishes>, body: impl FnOnce() -> R) -> R {
    let _of_many = Entered::enter(Frame::Body(Some(Arc::clone(wishes))));
    body()
}

/// The same, of a body that is a future.
pub(crate) async fn polled_of_many<F: Future>(
    wishes: &Arc<Wishes>,
    body: Pin<&mut F>,
) -> F::Output {
    polled_in(Some(wishes), body).await
}

async fn polled_in<F: Future>(wishes: Option<&Arc<Wishes>>, mut body: Pin<&mut F>) -> F::Output {
    poll_fn(|cx| {
        let _inside = Entered::enter(Frame::Body(wishes.cloned()));
        body.as_mut().poll(cx)
    })
    .await
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
