//! What other processes did to the shared tier, done here: to the copies in the process and to the loads under way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cacheado_backends::Scope;
use cacheado_backends::backend::{Change, Changes};
use cacheado_backends::memory::{Dropped, Store};

use crate::flight::{Flights, UnderWay};

/// So often what is removed for one change may panic.
const MOST_PANICS: usize = 100;

/// The copies in one process of what a shared tier has.
pub(crate) struct Coherence {
    store: Arc<Store>,
    flights: Arc<Flights>,
    /// How long a copy lives at most while nothing says when it is old; `None` if there are no copies.
    bound: Option<Duration>,
    /// Whether changes are heard, or have been.
    has_heard: AtomicBool,
}

impl Coherence {
    /// Nothing is heard as yet. `bound`: how long copies live at most while that is so; `None` if there are none.
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

    /// Where a backend reports. A store outlives its caches, and may know of this ever after: it keeps nothing of one that has gone.
    pub(crate) fn changes(self: &Arc<Self>) -> Changes {
        let this = Arc::downgrade(self);
        Changes::new(move |change| {
            if let Some(this) = this.upgrade() {
                this.apply_all(&change);
                // the cache may have gone meanwhile, and a value panic as it goes
                let _ = catch_unwind(AssertUnwindSafe(|| drop(this)));
            }
        })
    }

    /// Applies `change` to the end, though a rule or the destructor of a value may panic: what has panicked is gone by then.
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
        // nothing that is known to be old is served: copies end soon
        self.limit_copies(false);
    }

    fn apply(&self, change: &Change) {
        match change {
            Change::Key(key) => {
                // dropped where no lock is held
                let mut dropped = Dropped::new();
                let remove = || self.store.remove(key, &mut dropped);
                self.flights.invalidate(key, remove);
            }
            Change::Scope(scope) => self.evict(scope),
            Change::All => self.evict(&Scope::global()),
            Change::Covered => {
                // what happened while nothing was heard is not known
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
