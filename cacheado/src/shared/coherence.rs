//! Applies changes by other processes to the copies and loads in this process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cacheado_backends::Scope;
use cacheado_backends::backend::{Change, Changes};
use cacheado_backends::memory::{Dropped, Store};

use crate::flight::{Flights, UnderWay};

/// How many panics of removals are tolerated for one change.
const MOST_PANICS: usize = 100;

/// Keeps the copies in this process coherent with the shared tier.
pub(crate) struct Coherence {
    store: Arc<Store>,
    flights: Arc<Flights>,
    /// The longest that a copy lives while changes are not reported; `None` if there are no copies.
    bound: Option<Duration>,
    /// Whether changes are reported, or were at some time.
    has_heard: AtomicBool,
}

impl Coherence {
    /// A coherence without reports so far. `bound`: the longest that copies live while that is so; `None` if there are no copies.
    pub(crate) fn new(
        store: Arc<Store>,
        flights: Arc<Flights>,
        bound: Option<Duration>,
    ) -> Arc<Self> {
        let this = Self {
            store,
            flights,
            bound,
            has_heard: AtomicBool::new(false),
        };
        this.limit_copies(false);
        Arc::new(this)
    }

    fn limit_copies(&self, heard: bool) {
        let bound = self.bound.filter(|bound| !heard && *bound != Duration::MAX);
        self.store.limit_copies(bound);
    }

    /// The handle that a backend reports to. A store may outlive its caches and hold this forever, so it keeps nothing of a cache
    /// alive.
    pub(crate) fn changes(self: &Arc<Self>) -> Changes {
        let this = Arc::downgrade(self);
        Changes::new(move |change| {
            if let Some(this) = this.upgrade() {
                this.apply_all(&change);
                // this may be the cache's last handle, and dropping a value may panic
                let _ = catch_unwind(AssertUnwindSafe(|| drop(this)));
            }
        })
    }

    /// Applies `change` completely, even if a rule or a value's destructor panics: the entry that panicked is gone by then.
    fn apply_all(&self, change: &Change) {
        for _ in 0..MOST_PANICS {
            let apply = AssertUnwindSafe(|| self.apply(change));
            if catch_unwind(apply).is_ok() {
                return;
            }
            tracing::error!(
                ?change,
                "a rule or a value has panicked while a change was applied"
            );
        }
        // copies expire soon, so that outdated ones are not served for long
        self.limit_copies(false);
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Key(key) => {
                // dropped outside the locks
                let mut dropped = Dropped::new();
                let remove = || self.store.remove(key, &mut dropped);
                self.flights.invalidate(key, remove);
            }
            Change::Scope(scope) => self.evict(scope),
            Change::All => self.evict(&Scope::global()),
            Change::Covered => {
                // changes from the time without reports are unknown
                self.forget_copies(if self.has_heard.swap(true, Ordering::AcqRel) {
                    Flights::doubting
                } else {
                    Flights::beginning_to_hear
                });
                self.limit_copies(true);
                tracing::debug!("changes of other processes are heard");
            }
            Change::Lost => {
                self.limit_copies(false);
                self.forget_copies(Flights::doubting);
                tracing::warn!(bound = ?self.bound, "changes of other processes are not heard: copies are kept for a while only");
            }
        }
    }

    fn evict(&self, scope: &Scope) {
        let _under_way = self.flights.evicting(scope.clone());
        self.store.remove_scope(scope);
    }

    fn forget_copies(&self, doubt: fn(&Arc<Flights>) -> UnderWay) {
        let _under_way = doubt(&self.flights);
        if self.bound.is_some() {
            self.store.remove_copies();
        }
    }
}
