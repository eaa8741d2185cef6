//! What is done to many keys at once takes its time, and a load that begins meanwhile may find what is about to go: not under its own key
//! alone, but whatever its body asks the cache for. What it makes of that would stay, so it stands as the loads that began before.

use cacheado_backends::{Key, Scope};

use super::{Flight, Flights, Standing};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, lock};

/// What is being done to many keys at once.
#[derive(Default)]
pub(super) struct Changing {
    changes: Mutex<Vec<(Scope, Standing)>>,
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
        let theirs = changes
            .iter()
            .filter(|(scope, _)| scope.contains(&key.scope()));
        if let Some(worst) = theirs.map(|(_, standing)| *standing).max() {
            lock(&flight.state).worsen(worst);
        }
    }

    fn begin(&self, change: (Scope, Standing)) {
        let mut changes = lock(&self.changes);
        changes.push(change);
        self.any.store(true, Ordering::SeqCst);
    }

    fn end(&self, change: &(Scope, Standing)) {
        let mut changes = lock(&self.changes);
        if let Some(its) = changes.iter().position(|it| it == change) {
            changes.swap_remove(its);
        }
        self.any.store(!changes.is_empty(), Ordering::SeqCst);
    }
}

/// While it lives, something is done to all keys in a scope and below it. It reaches the loads that began before, and those that begin
/// until it ends. Nobody who comes after that joins one of them.
#[must_use = "it ends when it is dropped"]
pub(crate) struct UnderWay<'f> {
    flights: &'f Flights,
    change: (Scope, Standing),
}

impl Flights {
    /// What is in `scope` goes: the loads there forget their values.
    pub(crate) fn evicting(&self, scope: Scope) -> UnderWay<'_> {
        UnderWay::begin(self, scope, Standing::Outdated)
    }

    /// All copies go, since what others did meanwhile may not have been heard: the loads leave none.
    pub(crate) fn doubting(&self) -> UnderWay<'_> {
        UnderWay::begin(self, Scope::global(), Standing::Unsure)
    }

    /// The same where nothing was heard before: what is loaded goes to the shared tier, which knows what it is too old for.
    pub(crate) fn beginning_to_hear(&self) -> UnderWay<'_> {
        UnderWay::begin(self, Scope::global(), Standing::Unheard)
    }
}

impl<'f> UnderWay<'f> {
    fn begin(flights: &'f Flights, scope: Scope, standing: Standing) -> Self {
        let change = (scope, standing);
        flights.changing.begin(change.clone());
        let this = Self { flights, change };
        this.reach_all();
        this
    }

    fn reach_all(&self) {
        match &self.change {
            (scope, Standing::Outdated) => self.flights.invalidate_scope(scope),
            (_, standing) => self.flights.part_with(*standing),
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.flights.changing.end(&self.change);
        self.reach_all();
    }
}
