//! Changes to many keys at once take time, and a load that begins meanwhile may find entries that are about to go: under its own key,
//! or in whatever its body asks the cache for. Its value would then outlive the change. So such a load is treated like the loads that
//! began before the change.

use std::sync::Arc;

use cacheado_backends::{Key, Scope};

use super::{Flight, Flights, Standing};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// What a change applies to.
#[derive(Clone, PartialEq)]
enum Of {
    /// One of several keys.
    Key(Key),
    /// A scope and everything below it.
    Scope(Scope),
}

impl Of {
    fn has(&self, key: &Key) -> bool {
        match self {
            Self::Key(it) => it == key,
            Self::Scope(scope) => scope.contains(&key.scope()),
        }
    }
}

/// The changes to many keys that are under way.
#[derive(Default)]
pub(super) struct Changing {
    changes: Mutex<Vec<(Of, Standing)>>,
    /// Avoids taking the lock while there are no changes.
    any: AtomicBool,
}

impl Changing {
    /// Applies the changes under way to `flight`, a load of `key` that is just beginning. The caller holds the lock of the key's
    /// shard, so a change that begins after this call has yet to visit that shard.
    pub(super) fn reach(&self, key: &Key, flight: &Flight) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let changes = lock(&self.changes);
        let theirs = changes.iter().filter(|(of, _)| of.has(key));
        if let Some(worst) = theirs.map(|(_, standing)| *standing).max() {
            lock(&flight.state).worsen(worst);
        }
    }

    fn begin(&self, change: (Of, Standing)) {
        let mut changes = lock(&self.changes);
        changes.push(change);
        self.any.store(true, Ordering::SeqCst);
    }

    fn end(&self, change: &(Of, Standing)) {
        let mut changes = lock(&self.changes);
        if let Some(its) = changes.iter().position(|it| it == change) {
            changes.swap_remove(its);
        }
        self.any.store(!changes.is_empty(), Ordering::SeqCst);
    }
}

/// A change under way to a key, or to a scope and everything below it. It applies to the loads that began before, and to those that
/// begin until this is dropped. No later caller joins any of them.
#[must_use = "it ends when it is dropped"]
pub(crate) struct UnderWay {
    flights: Arc<Flights>,
    change: (Of, Standing),
}

impl Flights {
    /// Begins evicting `scope`: the loads in it discard their values.
    pub(crate) fn evicting(self: &Arc<Self>, scope: Scope) -> UnderWay {
        UnderWay::begin(self, Of::Scope(scope), Standing::Outdated)
    }

    /// Begins evicting `key` together with others: the loads of the key discard their values until all are gone.
    pub(crate) fn evicting_key(self: &Arc<Self>, key: Key) -> UnderWay {
        UnderWay::begin(self, Of::Key(key), Standing::Outdated)
    }

    /// Begins dropping all copies, because other processes may have made changes that were not reported: the loads leave no copies.
    pub(crate) fn doubting(self: &Arc<Self>) -> UnderWay {
        UnderWay::begin(self, Of::Scope(Scope::global()), Standing::Unsure)
    }

    /// As [`doubting`](Self::doubting), when reports begin to arrive for the first time: loaded values still go to the shared tier,
    /// which knows what they are too old for.
    pub(crate) fn beginning_to_hear(self: &Arc<Self>) -> UnderWay {
        UnderWay::begin(self, Of::Scope(Scope::global()), Standing::Unheard)
    }
}

impl UnderWay {
    fn begin(flights: &Arc<Flights>, of: Of, standing: Standing) -> Self {
        let change = (of, standing);
        flights.changing.begin(change.clone());
        let this = Self {
            flights: Arc::clone(flights),
            change,
        };
        this.reach_all();
        this
    }

    fn reach_all(&self) {
        match &self.change {
            (Of::Key(key), _) => self.flights.invalidate(key, || ()),
            (Of::Scope(scope), Standing::Outdated) => self.flights.invalidate_scope(scope),
            (Of::Scope(_), standing) => self.flights.part_with(*standing),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.flights.changing.end(&self.change);
        self.reach_all();
    }
}
