//! The way of reports from the backend to the cache, which loses some.

use std::fmt;

use cacheado_backends::backend::{Change, Changes};

use super::faults::{Fault, Faults};
use crate::sync::{Mutex, lock};

#[derive(Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    /// The cache's end.
    changes: Option<Changes>,
    /// What is wrapped reports all.
    covered: bool,
    missed: Missed,
}

/// What the cache was not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Missed {
    #[default]
    Nothing,
    /// Something, and it knows.
    Announced,
    /// Something, and it doesn't know.
    Silently,
}

impl State {
    fn report(&self, change: Change) {
        if let Some(changes) = &self.changes {
            changes.report(change);
        }
    }

    /// From here on all is reported again.
    fn mend(&mut self) {
        let missed = std::mem::take(&mut self.missed) != Missed::Nothing;
        if missed && self.covered {
            self.report(Change::Covered);
        }
    }
}

impl Line {
    pub(super) fn open(&self, changes: Changes) {
        lock(&self.0).changes = Some(changes);
    }

    /// Hands `change` on, or loses it.
    pub(super) fn report(&self, change: Change, faults: &Faults) {
        let mut state = lock(&self.0);
        match change {
            Change::Covered | Change::Lost => {
                state.covered = change == Change::Covered;
                if state.covered {
                    state.missed = Missed::Nothing;
                }
                // the lock is held so that two of these are not told in another order than they were noted
                state.report(change);
            }
            Change::Key(_) | Change::Scope(_) | Change::All => {
                let draw = faults.draw();
                let lost = |fault| faults.comes(draw, fault);
                if lost(Fault::LoseSilently) {
                    faults.count(Fault::LoseSilently);
                    if state.missed == Missed::Nothing {
                        state.missed = Missed::Silently;
                    }
                } else if lost(Fault::Lose) {
                    faults.count(Fault::Lose);
                    if state.missed != Missed::Announced {
                        state.missed = Missed::Announced;
                        state.report(Change::Lost);
                    }
                } else {
                    if state.missed == Missed::Announced {
                        state.mend();
                    }
                    let changes = state.changes.clone();
                    drop(state);
                    if let Some(changes) = changes {
                        changes.report(change);
                    }
                }
            }
        }
    }

    /// Has the cache forget what it may not have been told.
    pub(super) fn mend(&self) {
        lock(&self.0).mend();
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({:?})", lock(&self.0).missed)
    }
}
