//! Hearing of what other processes do: connections of its own, subscribed to the cache's channel.
//!
//! It is looked at twice a second whether they lead to all that there is to hear, so that it is known within a second if they don't. In
//! between nothing says that a message was lost, so on any doubt all of them are given up, and what this process keeps is trusted no more
//! until there are others.

mod life;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use ::redis::{PushInfo, PushKind, Value};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use self::life::Lives;
use self::sources::Sources;
use super::multiplexed::Multiplexed;
use super::nonce::random;
use super::servers::Servers;
use super::store::Store;
use crate::backend::{BackendResult, Change, Changes};
use crate::io;
use crate::said::Said;

/// How often it is looked whether all is heard, and how long the answers may take.
const BEAT: Duration = Duration::from_millis(500);
/// How long it may take to begin, if some of the servers that are asked first are gone.
const OPENING: Duration = Duration::from_secs(4);
/// How many changes may wait while one takes long: beyond that they cost less by forgetting all copies, and what they are kept in ends.
const MOST_WAITING: usize = 10_000;
/// How long to wait before the first and the later attempts to connect again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is to be watched.
pub(super) struct Watch {
    pub(super) servers: Arc<Servers>,
    pub(super) store: Arc<Store>,
    /// How the store is asked.
    pub(super) io: Arc<Multiplexed>,
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
        let channel = self.store.names.channel();
        let mut pause = PAUSES.0;
        let mut lives = Lives::none();
        let mut said = Said::default();
        loop {
            match self.listen(&mut lives).await {
                Ok(why) => {
                    io::report(&self.changes, Change::Lost);
                    tracing::warn!(
                        channel,
                        why,
                        "no longer hearing of other processes' changes"
                    );
                    pause = PAUSES.0;
                    said.forget();
                }
                Err(error) if said.is_new(&error) => {
                    tracing::warn!(channel, %error, "not hearing of other processes' changes: copies are kept for a while only");
                }
                Err(error) => {
                    tracing::debug!(channel, %error, "not hearing of other processes' changes");
                }
            }
            // between half and all of it, so that not all processes come back at once
            let share = u32::try_from(random() % 512).unwrap_or(0) + 512;
            sleep(pause * share / 1024).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Listens until something may be missed, and says why. Fails if there was nothing to listen to to begin with.
    async fn listen(&self, lives: &mut Lives) -> BackendResult<String> {
        let (events, received) = unbounded_channel();
        let opening = Sources::open(&self.servers, self.store.names.channel(), &events);
        let opened = timeout(OPENING, opening).await;
        let sources = opened.map_err(|_| "not connected in time")??;
        let now = sources.lives().await?;
        let beats = tokio::spawn(beats(sources, events));
        let _beats = Watching(beats.abort_handle());
        // what is heard and what is read is to be of the same servers
        self.servers.begin_era();
        for run in lives.that_forgot(&now) {
            self.store.clear_after(&*self.io, run).await?;
        }
        lives.are(now);
        io::report(&self.changes, Change::Covered);
        let why = self.report(received).await;
        lives.end();
        Ok(why)
    }

    /// Reports what is received until a connection is lost or the beats have ended, and says why.
    async fn report(&self, mut received: UnboundedReceiver<Event>) -> String {
        loop {
            let event = received.recv().await;
            if received.len() > MOST_WAITING {
                return format!("more than {MOST_WAITING} changes wait to be applied");
            }
            match event {
                Some(Event::Push(push)) => match push.kind {
                    PushKind::Message => {
                        if let Some(Value::BulkString(message)) = push.data.get(1) {
                            self.heard(message);
                        }
                    }
                    PushKind::Disconnection | PushKind::Unsubscribe => {
                        return "a connection was closed".to_owned();
                    }
                    _ => {}
                },
                Some(Event::Doubt(why)) => return why,
                None => return "nobody watches the connections".to_owned(),
            }
        }
    }

    fn heard(&self, message: &[u8]) {
        let change = match message.split_first_chunk() {
            Some((from, _)) if u64::from_le_bytes(*from) == self.store.nonces.id() => None,
            Some((_, change)) => Change::from_bytes(change),
            // of nobody known: it may be anything
            None => Some(Change::All),
        };
        if let Some(change) = change {
            io::report(&self.changes, change);
        }
    }
}

enum Event {
    Push(PushInfo),
    /// Something may be missed from here on.
    Doubt(String),
}

/// Looks at the sources twice a second, until something is wrong.
async fn beats(mut sources: Sources, events: UnboundedSender<Event>) {
    loop {
        sleep(BEAT).await;
        if let Err(why) = sources.prove().await {
            // nobody listens any more if it was known before
            let _ = events.send(Event::Doubt(why.to_string()));
            return;
        }
    }
}
