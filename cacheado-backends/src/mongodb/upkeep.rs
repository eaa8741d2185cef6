//! Keeps what the server needs so that the store does not grow without end: the index by which it deletes expired documents, and the
//! capped collection of changes. An administrator may drop either at any time, and a later write makes the collection anew without
//! index or cap. So both are checked at the start, when the change stream has ended, and periodically.

use std::sync::Weak;
use std::time::Duration;

use ::mongodb::IndexModel;
use ::mongodb::bson::doc;
use ::mongodb::options::IndexOptions;
use tokio::time::{sleep, timeout};

use super::failure::failure;
use super::notices::ended;
use super::store::Store;
use crate::backend::{BackendResult, Refused};

/// The first pause between two checks that succeed, which take three small commands each; also after a stream has ended. Dropping a
/// database drops one collection after the other, so a check meanwhile may still find one that is about to go. The pause doubles each
/// time.
const SOON: Duration = Duration::from_secs(1);
/// The longest such pause.
const NOW_AND_THEN: Duration = Duration::from_secs(60);

/// The shortest and longest pause after a failure.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Checks both for as long as the store exists. Without them expired documents stay in the server; they are not served.
pub(super) async fn keep_up(store: Weak<Store>) {
    let Some(ended) = ended(&store) else {
        return;
    };
    let mut pause = SHORTEST_PAUSE;
    let mut next = SOON;
    let mut warned = false;
    while let Some(store) = store.upgrade() {
        let indexed = index(&store).await;
        let done = match store.notices.make_sure().await {
            Ok(()) => indexed,
            error => error,
        };
        drop(store);
        match done {
            Err(error) if !error.is::<Refused>() => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            Err(error) if !warned => {
                tracing::warn!(%error, "MongoDB will not delete what has expired: no index could be made");
                warned = true;
            }
            _ => {}
        }
        pause = SHORTEST_PAUSE;
        next = match timeout(next, ended.notified()).await {
            Ok(()) => SOON,
            // the pause is over
            Err(_) => (next * 2).min(NOW_AND_THEN),
        };
    }
}

/// Creates the index for deleting expired documents.
async fn index(store: &Store) -> BackendResult<()> {
    let options = IndexOptions::builder()
        .name("keep".to_owned())
        .expire_after(Duration::ZERO);
    let index = IndexModel::builder()
        .keys(doc! { "keep": 1 })
        .options(options.build());
    let made = store.documents.create_index(index.build()).await;
    made.map(|_| ()).map_err(failure)
}
