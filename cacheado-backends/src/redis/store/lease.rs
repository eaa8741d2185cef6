//! Claims of loads, and the marks that carry them.
//!
//! A mark's bytes are the lease's owner, a semicolon, and the marks seen; no owner if there is no lease. A lease in the server holds the
//! same bytes: those without an owner for as long as it is anybody's.

use std::time::{Duration, Instant};

use super::super::exchange::Exchange;
use super::super::reply;
use super::super::script::{LEASE, RELEASE, ask_one};
use super::{Store, milliseconds};
use crate::backend::{BackendResult, Lease, Mark};
use crate::key::Key;

impl Store {
    pub(in super::super) async fn lease(
        &self,
        io: &impl Exchange,
        key: &Key,
        span: Duration,
    ) -> BackendResult<Lease> {
        let (bucket, name) = self.names.entry(key);
        let owner = self.nonces.next();
        let keys = std::iter::once(bucket.lease(&name)).chain(bucket.marks(&name));
        let mut call = LEASE.call(keys);
        call.arg(&owner)
            .arg(milliseconds(span))
            .arg(self.nonces.next())
            .arg(self.span());
        let sent = Instant::now();
        let held = reply::bytes(ask_one(io, call).await?)?;
        Ok(match held {
            Some(held) => Lease::Granted(Mark::new(held, sent)),
            None => Lease::Taken,
        })
    }

    /// `to_all`: for how long it is anybody's.
    pub(in super::super) async fn release(
        &self,
        io: &impl Exchange,
        key: &Key,
        mark: &Mark,
        to_all: Option<Duration>,
    ) -> BackendResult<()> {
        match parts(mark) {
            None | Some(([], _)) => Ok(()),
            Some(_) => {
                let (bucket, name) = self.names.entry(key);
                let mut call = RELEASE.call([bucket.lease(&name)]);
                call.arg(mark.bytes()).arg(to_all.map(milliseconds));
                reply::integer(ask_one(io, call).await?).map(drop)
            }
        }
    }
}

/// The owner of the mark's lease, which is empty if it has none, and the marks seen. `None` for a mark that this backend did not give.
pub(super) fn parts(mark: &Mark) -> Option<(&[u8], &[u8])> {
    let bytes = mark.bytes();
    let end = bytes.iter().position(|&byte| byte == b';')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The mark of a load without a lease, which has seen these.
pub(super) fn unowned(seen: &[u8], taken: Instant) -> Mark {
    Mark::new([b";", seen].concat(), taken)
}
