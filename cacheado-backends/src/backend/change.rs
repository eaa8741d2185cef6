//! Changes by other processes, as a shared tier reports them.

use std::fmt;
use std::sync::Arc;

use crate::key::Key;
use crate::scope::Scope;

/// A change that another process made to the shared tier, or in whether this process hears of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The entry under the key was evicted or set.
    Key(Key),
    /// The entries in the scope and below it were evicted.
    Scope(Scope),
    /// All entries were evicted.
    All,
    /// From here on all changes are reported. Earlier ones may not have been.
    Covered,
    /// From here on no changes are reported, until the next `Covered`.
    Lost,
}

/// Where a backend reports what other processes do. A clone is another handle to the same cache. Reporting removes the entries
/// concerned from the process before it returns, and never waits for the shared tier. It does not keep its cache alive: once that is
/// dropped, reports go nowhere. The cache then drops its backend, so a store that others go on using can forget it.
///
/// Create your own to test a backend's [`watch`](super::Backend::watch):
///
/// ```
/// use std::sync::mpsc;
///
/// use cacheado::backends::{Change, Changes};
///
/// let (sender, reports) = mpsc::channel();
/// let changes = Changes::new(move |change| drop(sender.send(change)));
/// changes.report(Change::All); // done by the backend
/// assert_eq!(reports.recv(), Ok(Change::All));
/// ```
#[derive(Clone)]
pub struct Changes(Arc<dyn Fn(Change) + Send + Sync>);

impl Changes {
    /// Sends reports to `listener`, which runs on the reporting thread.
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
