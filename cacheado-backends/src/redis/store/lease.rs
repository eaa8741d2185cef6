//! Claims of loads, and the marks that carry them.
//!
//! The bytes of a mark are the owner of the lease, a semicolon, and the marks seen. Without a lease the owner is empty. A lease in the
//! server holds the same bytes, without an owner while anybody may load.

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

    /// `to_all`: for how long anybody may load from now on.
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

/// Splits a mark into the owner of its lease, empty if it has none, and the marks seen. `None` for a mark of another kind.
pub(super) fn parts(mark: &Mark) -> Option<(&[u8], &[u8])> {
    let bytes = mark.bytes();
    let end = bytes.iter().position(|&byte| byte == b';')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The mark of a load without a lease that has `seen` these marks.
pub(super) fn unowned(seen: &[u8], taken: Instant) -> Mark {
    Mark::new([b";", seen].concat(), taken)
}
