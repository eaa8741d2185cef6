//! What is true: tenants whose values change, and what may be answered of them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// How many functions there are, the programmatic calls among them, and of how many arguments.
const FUNCTIONS: usize = 10;
pub const ARGS: usize = 3;

static VALUES: AtomicI64 = AtomicI64::new(0);
static TENANTS: AtomicI64 = AtomicI64::new(0);

/// How many values there are, clones among them.
pub fn values() -> i64 {
    VALUES.load(SeqCst)
}

/// How many tenants somebody still knows: whoever waits for a body, or runs it in the background.
pub fn tenants() -> i64 {
    TENANTS.load(SeqCst)
}

/// Notes that a value is there for as long as it lives.
#[derive(Debug)]
struct Counted(());

impl Default for Counted {
    fn default() -> Self {
        VALUES.fetch_add(1, SeqCst);
        Self(())
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        VALUES.fetch_sub(1, SeqCst);
    }
}

/// A value says whose it is, of which call, and how new.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Value {
    place: Place,
    org: String,
    user: u64,
    version: u64,
    #[serde(skip)]
    _counted: Counted,
}

/// Of which function, and with which argument.
pub type Place = (usize, usize);

#[derive(Clone, Debug)]
pub enum Failure {
    /// The body's own, which is as new as a value would be.
    Body(Value),
    Cache,
}

impl From<cacheado::Error> for Failure {
    fn from(_: cacheado::Error) -> Self {
        Self::Cache
    }
}

pub struct Tenant {
    pub org: String,
    pub user: u64,
    /// What the source has.
    versions: [[AtomicU64; ARGS]; FUNCTIONS],
    /// What is to be seen by all calls that begin from now on, or newer.
    acknowledged: [[AtomicU64; ARGS]; FUNCTIONS],
    /// One at a time changes something.
    changes: Mutex<()>,
    bodies: AtomicU64,
}

impl Tenant {
    pub fn new(org: String, user: u64) -> Arc<Self> {
        TENANTS.fetch_add(1, SeqCst);
        Arc::new(Self {
            org,
            user,
            versions: Default::default(),
            acknowledged: Default::default(),
            changes: Mutex::default(),
            bodies: AtomicU64::new(0),
        })
    }

    pub fn value(&self, place: Place) -> Value {
        Value {
            place,
            org: self.org.clone(),
            user: self.user,
            version: self.versions[place.0][place.1].load(SeqCst),
            _counted: Counted::default(),
        }
    }

    /// What a body comes to: mostly a value, at times an error, and at times it panics.
    pub fn body(&self, place: Place) -> Result<Value, Failure> {
        let value = self.value(place);
        match self.bodies.fetch_add(1, SeqCst) % 32 {
            // not by `panic!`, which would be told of each time
            7 => std::panic::resume_unwind(Box::new("as asked")),
            13 | 27 => Err(Failure::Body(value)),
            nth => {
                if nth % 4 == 0 {
                    std::thread::yield_now();
                }
                Ok(value)
            }
        }
    }

    /// Changes the source at `places`, and then has `tell` tell the cache.
    pub fn change(&self, places: &[Place], tell: impl FnOnce()) {
        let _alone = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let change = |place: &Place| self.versions[place.0][place.1].fetch_add(1, SeqCst) + 1;
        let versions: Vec<u64> = places.iter().map(change).collect();
        tell();
        for (place, version) in places.iter().zip(versions) {
            self.acknowledged[place.0][place.1].fetch_max(version, SeqCst);
        }
    }

    /// Calls `ask` for what is at `place`, and checks the answer, if there is one.
    pub fn check(&self, place: Place, ask: impl FnOnce() -> Option<Value>) {
        let known = self.known(place);
        if let Some(value) = ask() {
            self.is_right(place, &value, known);
        }
    }

    /// Which version calls from here on see, or a newer one.
    pub fn known(&self, place: Place) -> u64 {
        self.acknowledged[place.0][place.1].load(SeqCst)
    }

    #[track_caller]
    pub fn is_right(&self, place: Place, value: &Value, known: u64) {
        let its_own = value.place == place && value.org == self.org && value.user == self.user;
        assert!(its_own, "asked for {place:?} of {}: {value:?}", self.org);
        assert!(value.version >= known, "older than {known}: {value:?}");
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        TENANTS.fetch_sub(1, SeqCst);
    }
}

/// All arguments of each function.
pub fn everything() -> Vec<Place> {
    let args = |function| (0..ARGS).map(move |arg| (function, arg));
    (0..FUNCTIONS).flat_map(args).collect()
}
