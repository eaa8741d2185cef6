//! The two ways in which something is waited for. What has to wait is written once, as a future that is told its way: in the blocking one
//! each wait blocks the thread, inside of the poll, so that the future is over when it is first polled.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::thread;

/// How a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Blocking,
    Async,
}

/// What the future comes to that `begin` makes for the blocking way.
pub(crate) fn blocking<F: Future>(begin: impl FnOnce(Way) -> F) -> F::Output {
    let mut future = pin!(begin(Way::Blocking));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => block_on(future),
    }
}

/// Polls `future` to its end, by parking the thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
