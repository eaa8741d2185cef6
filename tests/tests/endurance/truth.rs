//! The source of truth: tenants whose values change, and which values are valid answers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The number of functions, counting the programmatic calls as one, and of arguments of each.
const FUNCTIONS: usize = 10;
pub const ARGS: usize = 3;

static VALUES: AtomicI64 = AtomicI64::new(0);
static TENANTS: AtomicI64 = AtomicI64::new(0);

/// The number of live values, including clones.
pub fn values() -> i64 {
    VALUES.load(SeqCst)
}

/// The number of tenants still referenced by anything, such as a waiting caller or a background body.
pub fn tenants() -> i64 {
    TENANTS.load(SeqCst)
}

/// Counts a value for as long as it lives.
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

/// A value states its tenant, its call and its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Value {
    place: Place,
    org: String,
    user: u64,
    version: u64,
    #[serde(skip)]
    _counted: Counted,
}

/// The function and its argument.
pub type Place = (usize, usize);

#[derive(Clone, Debug)]
pub enum Failure {
    /// The body's own error, as recent as a value would be.
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
    /// The versions in the source.
    versions: [[AtomicU64; ARGS]; FUNCTIONS],
    /// The versions, or newer ones, that every call must see that begins from now on.
    acknowledged: [[AtomicU64; ARGS]; FUNCTIONS],
    /// Serializes changes.
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

    /// What a body does: mostly return a value, sometimes an error, and sometimes panic.
    pub fn body(&self, place: Place) -> Result<Value, Failure> {
        let value = self.value(place);
        match self.bodies.fetch_add(1, SeqCst) % 32 {
            // not `panic!`, whose hook would print each one
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

    /// Changes the source at `places`, and then calls `tell`, which tells the cache.
    pub fn change(&self, places: &[Place], tell: impl FnOnce()) {
        let _alone = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let change = |place: &Place| self.versions[place.0][place.1].fetch_add(1, SeqCst) + 1;
        let versions: Vec<u64> = places.iter().map(change).collect();
        tell();
        for (place, version) in places.iter().zip(versions) {
            self.acknowledged[place.0][place.1].fetch_max(version, SeqCst);
        }
    }

    /// Calls `ask` for the value at `place`, and checks the result, if any.
    pub fn check(&self, place: Place, ask: impl FnOnce() -> Option<Value>) {
        let known = self.known(place);
        if let Some(value) = ask() {
            self.is_right(place, &value, known);
        }
    }

    /// The version that calls must see from here on, or a newer one.
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

/// All arguments of all functions.
pub fn everything() -> Vec<Place> {
    let args = |function| (0..ARGS).map(move |arg| (function, arg));
    (0..FUNCTIONS).flat_map(args).collect()
}
