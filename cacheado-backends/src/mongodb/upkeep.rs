//! What the server must have for the store not to grow without end: the index by which it deletes what has expired, and the collection
//! of changes with its cap. An administrator may drop either at any time, and a write makes a collection anew that lacks it. So both
//! are made sure of at the beginning, when the change stream has ended, and now and then.

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

/// Between two times that all is well, three small commands each: at first, and after a stream has ended, soon, since who drops a
/// database drops one collection after the other, and what is looked at meanwhile may be there still; then half as often each time,
const SOON: Duration = Duration::from_secs(1);
/// until it is now and then.
const NOW_AND_THEN: Duration = Duration::from_secs(60);

/// Between two attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Makes sure of both for as long as there is the store. Without, what has expired stays there, and is not served.
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
            // over: it is time
            Err(_) => (next * 2).min(NOW_AND_THEN),
        };
    }
}

/// Has the server delete what has expired.
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
