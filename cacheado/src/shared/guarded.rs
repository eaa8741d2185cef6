//! A backend that panics has failed like any other: no caller is to hear of more than that.
//!
//! What it panicked with is not told on: a driver's message may have an address with its password.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use cacheado_backends::backend::{BackendFuture, BackendResult};

/// What `ask` answers.
pub(super) fn guarded<T>(ask: impl FnOnce() -> BackendResult<T>) -> BackendResult<T> {
    catch_unwind(AssertUnwindSafe(ask)).unwrap_or_else(|_| Err("it panicked".into()))
}

/// As [`guarded`], without blocking.
pub(super) async fn guarded_async<'a, T>(
    ask: impl FnOnce() -> BackendFuture<'a, T>,
) -> BackendResult<T> {
    let mut answer = guarded(|| Ok(ask()))?;
    // one that has panicked is not polled again
    poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| answer.as_mut().poll(cx));
        catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err("it panicked".into())))
    })
    .await
}
