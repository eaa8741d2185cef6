//! Wakers are code of the executor: what runs when a waker is dropped may itself affect the awaited call.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use cacheado::testing::ManualClock;
use cacheado::{Cache, cache};
use cacheado_tests::within;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::yield_now;

/// A test that exceeds this hangs.
const LIMIT: Duration = Duration::from_mins(1);

#[derive(Debug, PartialEq, Clone)]
struct Late;

impl From<cacheado::Error> for Late {
    fn from(_: cacheado::Error) -> Self {
        Self
    }
}

#[cache(ttl = 60, hard_timeout = 10, cache = cache, skip(cache, open))]
async fn bounded(cache: &Cache, open: &Arc<Notify>) -> Result<u64, Late> {
    open.notified().await;
    Ok(1)
}

#[cache(ttl = 60, detached, cache = cache, skip(cache, open))]
async fn detached(cache: &Cache, open: &Arc<Notify>) -> u64 {
    open.notified().await;
    1
}

/// Calls the closure when its last clone is dropped.
struct Acts<F: Fn()>(F);

impl<F: Fn() + Send + Sync> Wake for Acts<F> {
    fn wake(self: Arc<Self>) {}
}

impl<F: Fn()> Drop for Acts<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

/// A cache whose waiters give up nothing within a test.
fn cache(clock: &ManualClock) -> Cache {
    let builder = Cache::builder().clock(clock.clone());
    let builder = builder.flight_timeout(Duration::from_hours(1));
    builder.build().expect("a patient cache")
}

/// The result of `call`. It is polled with a waker that runs `act` when dropped; then `between` runs; then another waker takes its
/// place. If the call is still pending, it continues in `runtime`.
fn replaced<R>(
    call: impl Future<Output = R>,
    act: impl Fn() + Send + Sync + 'static,
    between: impl FnOnce(),
    runtime: &Runtime,
) -> R {
    let mut call = pin!(call);
    let acted = Arc::new(AtomicBool::new(false));
    let waker = {
        let acted = Arc::clone(&acted);
        Waker::from(Arc::new(Acts(move || {
            acted.store(true, Ordering::SeqCst);
            act();
        })))
    };
    assert!(
        call.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    between();
    assert!(!acted.load(Ordering::SeqCst), "the call is to be woken");
    let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(acted.load(Ordering::SeqCst), "another is in its place");
    match polled {
        Poll::Ready(ret) => ret,
        Poll::Pending => runtime.block_on(call),
    }
}

#[test]
fn one_that_moves_the_clock_as_it_is_replaced() {
    within(LIMIT, || {
        let clock = ManualClock::new();
        let (cache, open) = (cache(&clock), Arc::new(Notify::new()));
        let runtime = runtime();
        let _inside = runtime.enter();
        let act = {
            let open = Arc::clone(&open);
            move || {
                clock.advance(Duration::from_secs(1));
                open.notify_one();
            }
        };
        assert_eq!(
            replaced(bounded(&cache, &open), act, || {}, &runtime),
            Ok(1)
        );
    });
}

#[test]
fn one_that_wakes_the_body_of_a_task_as_it_is_replaced() {
    within(LIMIT, || {
        let (cache, open) = (cache(&ManualClock::new()), Arc::new(Notify::new()));
        let runtime = runtime();
        let _inside = runtime.enter();
        let act = {
            let open = Arc::clone(&open);
            move || open.notify_one()
        };
        // the task begins here
        let begins = || runtime.block_on(yield_now());
        assert_eq!(replaced(detached(&cache, &open), act, begins, &runtime), 1);
    });
}

#[test]
fn one_that_wakes_the_body_it_polls_as_it_is_replaced() {
    within(LIMIT, || {
        let (cache, open) = (cache(&ManualClock::new()), Arc::new(Notify::new()));
        let act = {
            let open = Arc::clone(&open);
            move || open.notify_one()
        };
        assert_eq!(replaced(detached(&cache, &open), act, || {}, &runtime()), 1);
    });
}
