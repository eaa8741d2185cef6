//! Claims among processes: one load of a key at a time. A claim is in the key's document, so it goes with the token when the key is
//! evicted or set. It expires by the server's clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::mongodb::bson::doc;
use ::mongodb::bson::oid::ObjectId;

use super::document;
use super::failure::failure;
use super::mark;
use super::store::{Store, is_named, no_token};
use crate::backend::{BackendResult, Lease, Mark};

impl Store {
    pub(super) async fn lease(self: Arc<Self>, id: String, span: Duration) -> BackendResult<Lease> {
        is_named(&id)?;
        let taken = Instant::now();
        let me = ObjectId::new();
        let place = document::claimed_place(ObjectId::new(), self.load_limit, me, span);
        let found = self
            .upsert(&id, place, document::all_but_the_value())
            .await?;
        let owner = match found.owner {
            Some(owner) if owner == me => Some(me),
            Some(owner) if owner == document::ANYBODY => None,
            _ => return Ok(Lease::Taken),
        };
        let token = found.token.ok_or_else(no_token)?;
        Ok(Lease::Granted(mark::write(token, owner, taken)))
    }

    /// `to_all`: for how long anybody may load from now on.
    pub(super) async fn release(
        self: Arc<Self>,
        id: String,
        mark: Mark,
        to_all: Option<Duration>,
    ) -> BackendResult<()> {
        let Some((_, Some(owner))) = mark::read(&mark) else {
            return Ok(());
        };
        is_named(&id)?;
        let filter = doc! { "_id": id, "owner": owner };
        let release = match to_all {
            None => doc! { "$unset": ["owner", "until"] },
            Some(span) => doc! { "$set": document::claim(document::ANYBODY, span) },
        };
        let release = vec![release];
        let done = self.documents.update_one(filter, release).await;
        done.map(|_| ()).map_err(failure)
    }
}
