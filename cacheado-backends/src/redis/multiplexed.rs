//! Async round trips over connections that all operations share.

use std::sync::Arc;
use std::time::Duration;

use ::redis::{Pipeline, Value};
use tokio::runtime::Handle;

use super::cluster::Cluster;
use super::exchange::{Exchange, join, split};
use super::line::{Dropped, Line};
use super::servers::{Kind, Servers};
use crate::backend::BackendResult;

pub(super) struct Multiplexed {
    timeout: Duration,
    way: Way,
}

enum Way {
    /// To the only server that matters.
    One(Arc<Line>),
    /// To each node of a cluster.
    Several(Arc<Cluster>),
}

impl Multiplexed {
    /// `runtime` drives the connections and must have timers. Without one, this crate's own runtime does.
    pub(super) fn new(servers: Arc<Servers>, timeout: Duration, runtime: Option<Handle>) -> Self {
        let way = match servers.kind {
            Kind::Cluster => Way::Several(Arc::new(Cluster::new(servers, timeout, runtime))),
            Kind::Single | Kind::Sentinels(_) => {
                Way::One(Arc::new(Line::new(servers, None, timeout, runtime)))
            }
        };
        Self { timeout, way }
    }

    /// The same, for commands that store unconditionally: if the caller drops the operation before the answer, what was not sent is
    /// never sent.
    pub(super) fn in_time(&self) -> InTime<'_> {
        InTime(self)
    }

    async fn ask(&self, pipes: &[Pipeline], dropped: Dropped) -> BackendResult<Vec<Vec<Value>>> {
        match (&self.way, pipes) {
            (_, []) => Ok(Vec::new()),
            (Way::One(line), [pipe]) => Ok(vec![line.ask(pipe, self.timeout, dropped).await?]),
            (Way::One(line), pipes) => {
                let answers = line.ask(&join(pipes), self.timeout, dropped).await?;
                Ok(split(pipes, answers))
            }
            // boxed, or the future of each operation would have room for it
            (Way::Several(cluster), pipes) => Box::pin(cluster.ask(pipes, dropped)).await,
        }
    }
}

impl Exchange for Multiplexed {
    async fn exchange(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
        self.ask(pipes, Dropped::Harmless).await
    }
}

/// See [`Multiplexed::in_time`].
pub(super) struct InTime<'m>(&'m Multiplexed);

impl Exchange for InTime<'_> {
    async fn exchange(&self, pipes: &[Pipeline]) -> BackendResult<Vec<Vec<Value>>> {
        self.0.ask(pipes, Dropped::GivesUp).await
    }
}
