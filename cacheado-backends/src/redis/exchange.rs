//! One round trip to the servers: the only difference between blocking and async operations.
//!
//! An operation is written once, as an async function over an [`Exchange`]. The blocking `Exchange` waits inside `poll`, so the future
//! of its operation is ready on the first poll.

use std::future::Future;

use ::redis::{Pipeline, Value};

use crate::backend::BackendResult;

/// A way to reach the servers.
pub(super) trait Exchange: Sync {
    /// Sends the commands of `pipes`, each of which concerns one bucket, and returns the answers to each pipe. An error that a server
    /// answered is one of the answers. A pipe whose answers were lost may be sent twice.
    ///
    /// Takes at most the backend's timeout.
    ///
    /// # Errors
    ///
    /// If a server could not be reached, or did not answer in time.
    fn exchange(
        &self,
        pipes: &[Pipeline],
    ) -> impl Future<Output = BackendResult<Vec<Vec<Value>>>> + Send;
}

/// Joins `pipes` into one.
pub(super) fn join(pipes: &[Pipeline]) -> Pipeline {
    let mut joined = Pipeline::with_capacity(pipes.iter().map(Pipeline::len).sum());
    for command in pipes.iter().flat_map(Pipeline::cmd_iter) {
        joined.add_command(command.clone());
    }
    joined
}

/// Splits the answers to a [joined](join) pipe by its original pipes.
pub(super) fn split(pipes: &[Pipeline], answers: Vec<Value>) -> Vec<Vec<Value>> {
    let mut answers = answers.into_iter();
    let of = |pipe: &Pipeline| answers.by_ref().take(pipe.len()).collect();
    pipes.iter().map(of).collect()
}
