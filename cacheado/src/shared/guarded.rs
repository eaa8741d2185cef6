//! A backend that panics has failed like any other: no caller is to hear of more than that.
//!
//! What it panicked with is not told on: a driver's message may have an address with its password.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use cacheado_backends::backend::BackendResult;

/// What is answered.
pub(super) async fn guarded<T>(answer: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
    let mut answer = pin!(answer);
    // one that has panicked is not polled again
    poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| answer.as_mut().poll(cx));
        catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err("it panicked".into())))
    })
    .await
}
