//! What is done to many keys at once takes its time, and a load that begins meanwhile may find what is about to go: not under its own key
//! alone, but whatever its body asks the cache for. What it makes of that would stay, so it stands as the loads that began before.

use std::sync::Arc;

use cacheado_backends::{Key, Scope};

use super::{Flight, Flights, Standing};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// To what something is done.
#[derive(Clone, PartialEq)]
enum Of {
    /// One of several keys.
    Key(Key),
    /// All that is in it and below it.
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

/// What is being done to many keys at once.
#[derive(Default)]
pub(super) struct Changing {
    changes: Mutex<Vec<(Of, Standing)>>,
    /// So that no load takes the lock while there is nothing.
    any: AtomicBool,
}

impl Changing {
    /// Tells the load of `key`, which begins, what is under way. Its shard is locked: who begins a change after this looks there later.
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

/// While it lives, something is done to a key, or to all in a scope and below it. It reaches the loads that began before, and those that
/// begin until it ends. Nobody who comes after that joins one of them.
#[must_use = "it ends when it is dropped"]
pub(crate) struct UnderWay {
    flights: Arc<Flights>,
    change: (Of, Standing),
}

impl Flights {
    /// What is in `scope` goes: the loads there forget their values.
    pub(crate) fn evicting(self: &Arc<Self>, scope: Scope) -> UnderWay {
        UnderWay::begin(self, Of::Scope(scope), Standing::Outdated)
    }

    /// `key` goes, and others do: its loads forget their values until all have gone.
    pub(crate) fn evicting_key(self: &Arc<Self>, key: Key) -> UnderWay {
        UnderWay::begin(self, Of::Key(key), Standing::Outdated)
    }

    /// All copies go, since what others did meanwhile may not have been heard: the loads leave none.
    pub(crate) fn doubting(self: &Arc<Self>) -> UnderWay {
        UnderWay::begin(self, Of::Scope(Scope::global()), Standing::Unsure)
    }

    /// The same where nothing was heard before: what is loaded goes to the shared tier, which knows what it is too old for.
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
