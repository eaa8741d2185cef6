//! One round trip to the servers, which is all that blocking and async operations differ in.
//!
//! An operation is written once, as an async function over an [`Exchange`]. That of a blocking operation waits inside of its `poll`, so
//! its future is ready when it is first polled.

use std::future::Future;

use ::redis::{Pipeline, Value};

use crate::backend::BackendResult;

/// A way to the servers.
pub(super) trait Exchange: Sync {
    /// Sends the commands of `pipes`, each of which concerns one bucket, and returns what was answered to each; what a server would
    /// not do is in there as an error of its. A pipe whose answers were lost may be sent twice.
    ///
    /// Takes as long as the backend's timeout at most.
    ///
    /// # Errors
    ///
    /// If a server could not be reached, or did not answer in time.
    fn exchange(
        &self,
        pipes: &[Pipeline],
    ) -> impl Future<Output = BackendResult<Vec<Vec<Value>>>> + Send;
}

/// The commands of all of `pipes` in one.
pub(super) fn join(pipes: &[Pipeline]) -> Pipeline {
    let mut joined = Pipeline::with_capacity(pipes.iter().map(Pipeline::len).sum());
    for command in pipes.iter().flat_map(Pipeline::cmd_iter) {
        joined.add_command(command.clone());
    }
    joined
}

/// The answers to a [joined](join) pipe, by those that it was made of.
pub(super) fn split(pipes: &[Pipeline], answers: Vec<Value>) -> Vec<Vec<Value>> {
    let mut answers = answers.into_iter();
    let of = |pipe: &Pipeline| answers.by_ref().take(pipe.len()).collect();
    pipes.iter().map(of).collect()
}
