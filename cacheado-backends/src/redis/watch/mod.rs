//! Hears what other processes do, over separate connections that are subscribed to the cache's channel.
//!
//! Twice a second these connections are checked to cover all sources, so a gap is noticed within a second. In between nothing reports
//! a lost message. So on any doubt all connections are dropped, and this process no longer trusts its copies until there are new ones.

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

/// The interval of the checks, and how long their answers may take.
const BEAT: Duration = Duration::from_millis(500);
/// How long opening may take, also if some of the servers that are asked first are gone.
const OPENING: Duration = Duration::from_secs(4);
/// How many changes may wait while one takes long. Beyond that, dropping all copies is cheaper, and it bounds the queue.
const MOST_WAITING: usize = 10_000;
/// The pause before the first and before later attempts to reconnect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is to be watched.
pub(super) struct Watch {
    pub(super) servers: Arc<Servers>,
    pub(super) store: Arc<Store>,
    /// For commands to the store.
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
            // between half of the pause and all of it, so that not all processes come back at once
            let share = u32::try_from(random() % 512).unwrap_or(0) + 512;
            sleep(pause * share / 1024).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Listens until a change may be missed, and returns why. Fails if listening could not begin.
    async fn listen(&self, lives: &mut Lives) -> BackendResult<String> {
        let (events, received) = unbounded_channel();
        let opening = Sources::open(&self.servers, self.store.names.channel(), &events);
        let opened = timeout(OPENING, opening).await;
        let sources = opened.map_err(|_| "not connected in time")??;
        let now = sources.lives().await?;
        let beats = tokio::spawn(beats(sources, events));
        let _beats = Watching(beats.abort_handle());
        // commands and messages must concern the same servers
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

    /// Reports what is received until a connection is lost or the checks end, and returns why.
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
            // an unknown sender: it may be anything
            None => Some(Change::All),
        };
        if let Some(change) = change {
            io::report(&self.changes, change);
        }
    }
}

enum Event {
    Push(PushInfo),
    /// Changes may be missed from here on.
    Doubt(String),
}

/// Checks the sources twice a second, until something is wrong.
async fn beats(mut sources: Sources, events: UnboundedSender<Event>) {
    loop {
        sleep(BEAT).await;
        if let Err(why) = sources.prove().await {
            // the receiver is gone if the trouble was known before
            let _ = events.send(Event::Doubt(why.to_string()));
            return;
        }
    }
}
