//! What a shared tier reports of what others do.

use std::fmt;
use std::sync::Arc;

use crate::key::Key;
use crate::scope::Scope;

/// Something that another process did to what is shared, or that keeps this one from hearing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What is under the key was evicted or set.
    Key(Key),
    /// What is in the scope and below it was evicted.
    Scope(Scope),
    /// Everything was evicted.
    All,
    /// From here on all is reported. What happened before may not have been.
    Covered,
    /// From here on nothing is reported, until the next `Covered`.
    Lost,
}

/// Where a backend reports what others do. Cloning gives another handle to the same place. Reporting removes what is concerned
/// from the process before it returns; it never waits for the shared tier. It keeps nothing of its cache: once that has gone, reports
/// go nowhere. The cache drops its backend then, which is when a store that others go on using can forget it.
///
/// One's own are for tests of a backend's [`watch`](super::Backend::watch):
///
/// ```
/// use std::sync::mpsc;
///
/// use cacheado::backends::{Change, Changes};
///
/// let (sender, reports) = mpsc::channel();
/// let changes = Changes::new(move |change| drop(sender.send(change)));
/// changes.report(Change::All); // the backend does that
/// assert_eq!(reports.recv(), Ok(Change::All));
/// ```
#[derive(Clone)]
pub struct Changes(Arc<dyn Fn(Change) + Send + Sync>);

impl Changes {
    /// Reports go to `listener`, which runs on whatever thread reports.
    pub fn new(listener: impl Fn(Change) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    /// Reports `change`.
    pub fn report(&self, change: Change) {
        (self.0)(change);
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes")
    }
}
