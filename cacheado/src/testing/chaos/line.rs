//! The path of reports from the backend to the cache, which loses some of them.

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
    /// The wrapped backend reports all changes.
    covered: bool,
    missed: Missed,
}

/// What the cache was not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Missed {
    #[default]
    Nothing,
    /// Some reports, and it knows.
    Announced,
    /// Some reports, and it does not know.
    Silently,
}

impl State {
    fn report(&self, change: Change) {
        if let Some(changes) = &self.changes {
            changes.report(change);
        }
    }

    /// Resumes reporting everything.
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

    /// Passes `change` on, or loses it.
    pub(super) fn report(&self, change: Change, faults: &Faults) {
        let mut state = lock(&self.0);
        match change {
            Change::Covered | Change::Lost => {
                state.covered = change == Change::Covered;
                if state.covered {
                    state.missed = Missed::Nothing;
                }
                // under the lock, so that these are reported in the order in which they are recorded
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

    /// Makes the cache drop what it may not have been told about.
    pub(super) fn mend(&self) {
        lock(&self.0).mend();
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({:?})", lock(&self.0).missed)
    }
}
