//! Turns a panic of a backend into an ordinary failure, which is all that callers see.
//!
//! The panic's message is dropped: a driver's message may contain an address with its password.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use cacheado_backends::backend::BackendResult;

/// Awaits `answer`. A panic is an error.
pub(super) async fn guarded<T>(answer: impl Future<Output = BackendResult<T>>) -> BackendResult<T> {
    let mut answer = pin!(answer);
    // a future that has panicked is not polled again
    poll_fn(|cx| {
        let poll = AssertUnwindSafe(|| answer.as_mut().poll(cx));
        catch_unwind(poll).unwrap_or_else(|_| Poll::Ready(Err("it panicked".into())))
    })
    .await
}
