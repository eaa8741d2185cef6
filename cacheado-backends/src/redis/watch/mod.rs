//! Hearing of what other processes do: a connection of its own, subscribed to the cache's channel.
//!
//! It is looked at twice a second whether the connection still leads anywhere, so that a dead one is noticed within a second. In between
//! nothing says that a message was lost, so on any doubt the connection is given up, and what this process keeps is trusted no more until
//! there is another.

use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, PushInfo, PushKind, RedisResult, Value, cmd,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::nonce::random;
use super::servers::{Kind, Servers};
use crate::backend::{BackendResult, Change, Changes};
use crate::io;

/// How often the connection is looked at, and how long an answer may take.
const BEAT: Duration = Duration::from_millis(500);
/// How long to wait before the first and the later attempts to connect again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is to be watched.
pub(super) struct Watch {
    pub(super) servers: Arc<Servers>,
    pub(super) channel: String,
    /// Whose messages are this process's own.
    pub(super) own: u64,
    pub(super) changes: Changes,
}

/// Ends the watch when it is dropped.
pub(super) struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// # Errors
    ///
    /// If the system gave no thread for it.
    pub(super) fn begin(self) -> BackendResult<Watching> {
        let task = io::runtime()?.spawn(async move { self.run().await });
        Ok(Watching(task.abort_handle()))
    }

    async fn run(&self) {
        let mut pause = PAUSES.0;
        loop {
            match self.listen().await {
                Ok(()) => {
                    self.changes.report(Change::Lost);
                    tracing::warn!(
                        channel = self.channel,
                        "no longer hearing of other processes' changes"
                    );
                    pause = PAUSES.0;
                }
                Err(error) => {
                    tracing::debug!(channel = self.channel, %error, "not hearing of other processes' changes");
                }
            }
            // between half and all of it, so that not all processes come back at once
            let share = u32::try_from(random() % 512).unwrap_or(0) + 512;
            sleep(pause * share / 1024).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Listens until the connection is lost, or fails if there was none to begin with.
    async fn listen(&self) -> BackendResult<()> {
        let (events, received) = unbounded_channel();
        let pushed = events.clone();
        let config = AsyncConnectionConfig::new()
            .set_push_sender(move |push: PushInfo| pushed.send(Event::Push(push)));
        let mut connection = timeout(
            2 * BEAT,
            self.servers
                .connect_async(BEAT, config, Some(ProtocolVersion::RESP3)),
        )
        .await
        .map_err(|_| "no connection in time")??;
        timeout(BEAT, connection.subscribe(&self.channel))
            .await
            .map_err(|_| "no answer in time")??;
        let beats = Beats {
            connection,
            kind: self.servers.kind.clone(),
            events,
        };
        let beats = tokio::spawn(async move { beats.run().await });
        let _beats = Watching(beats.abort_handle());
        self.changes.report(Change::Covered);
        self.report(received).await;
        Ok(())
    }

    /// Reports what is received until the connection is lost.
    async fn report(&self, mut received: UnboundedReceiver<Event>) {
        while let Some(Event::Push(push)) = received.recv().await {
            match push.kind {
                PushKind::Message => {
                    if let Some(Value::BulkString(message)) = push.data.get(1) {
                        self.heard(message);
                    }
                }
                PushKind::Disconnection | PushKind::Unsubscribe => return,
                _ => {}
            }
        }
    }

    fn heard(&self, message: &[u8]) {
        let change = match message.split_first_chunk() {
            Some((from, _)) if u64::from_le_bytes(*from) == self.own => None,
            Some((_, change)) => Change::from_bytes(change),
            // of nobody known: it may be anything
            None => Some(Change::All),
        };
        if let Some(change) = change {
            self.changes.report(change);
        }
    }
}

enum Event {
    Push(PushInfo),
    Dead,
}

/// Looks at the connection now and then.
struct Beats {
    connection: MultiplexedConnection,
    kind: Kind,
    events: UnboundedSender<Event>,
}

impl Beats {
    async fn run(mut self) {
        loop {
            sleep(BEAT).await;
            let alive = timeout(BEAT, self.beat()).await;
            if !matches!(alive, Ok(Ok(true))) {
                let _ = self.events.send(Event::Dead);
                return;
            }
        }
    }

    /// Whether the server is one to which others' messages come.
    async fn beat(&mut self) -> RedisResult<bool> {
        let ask = |command: &str, arg: Option<&str>| -> Cmd {
            let mut it = cmd(command);
            it.arg(arg);
            it
        };
        match self.kind {
            Kind::Single => {
                let _: Value = ask("PING", None).query_async(&mut self.connection).await?;
                Ok(true)
            }
            // a node that has lost the others hears nothing
            Kind::Cluster => {
                let info: String = ask("CLUSTER", Some("INFO"))
                    .query_async(&mut self.connection)
                    .await?;
                Ok(info.contains("cluster_state:ok"))
            }
            // a master that has become a replica is asked by nobody
            Kind::Sentinels(_) => {
                let role: Value = ask("ROLE", None).query_async(&mut self.connection).await?;
                Ok(
                    matches!(role, Value::Array(it) if it.first() == Some(&Value::BulkString(b"master".to_vec()))),
                )
            }
        }
    }
}
