//! What the cached functions of these tests load from: it counts loads, fails when told to, and holds loads until they are released.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use cacheado::Cache;
use cacheado::testing::ManualClock;

pub const SECOND: Duration = Duration::from_secs(1);
pub const NANO: Duration = Duration::from_nanos(1);

pub fn cache() -> (Cache, ManualClock) {
    let clock = ManualClock::new();
    let cache = Cache::builder().clock(clock.clone()).build().unwrap();
    (cache, clock)
}

/// Waits for something that happens in the background.
#[track_caller]
pub fn comes(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + 20 * SECOND;
    while !holds() {
        assert!(Instant::now() < end, "{what}: it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[derive(Clone, Default)]
pub struct Source(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    /// Loads that have begun.
    begun: u64,
    /// Loads that are running.
    running: u64,
    most: u64,
    closed: bool,
    fails: Option<Failure>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Failure {
    Error,
    Panic,
}

impl Source {
    /// The number of loads that have begun.
    pub fn loads(&self) -> u64 {
        self.0.0.lock().unwrap().begun
    }

    /// The most loads that ran at once.
    pub fn most(&self) -> u64 {
        self.0.0.lock().unwrap().most
    }

    /// Holds loads from now on.
    pub fn close(&self) {
        self.0.0.lock().unwrap().closed = true;
    }

    /// Releases held loads.
    pub fn open(&self) {
        self.0.0.lock().unwrap().closed = false;
        self.0.1.notify_all();
    }

    pub fn fails(&self, failure: impl Into<Option<Failure>>) {
        self.0.0.lock().unwrap().fails = failure.into();
    }

    /// Waits until `count` loads have begun.
    #[track_caller]
    pub fn has_begun(&self, count: u64) {
        comes("a load", || self.loads() >= count);
        assert_eq!(self.loads(), count);
    }

    /// Loads once, and returns the number of the load.
    pub fn load(&self) -> Result<u64, String> {
        let (state, changed) = &*self.0;
        let mut held = state.lock().unwrap();
        held.begun += 1;
        held.running += 1;
        held.most = held.most.max(held.running);
        let number = held.begun;
        while held.closed {
            held = changed.wait(held).unwrap();
        }
        held.running -= 1;
        let fails = held.fails;
        drop(held);
        match fails {
            None => Ok(number),
            Some(Failure::Error) => Err("as asked".to_owned()),
            Some(Failure::Panic) => std::panic::panic_any("as asked"),
        }
    }

    /// The same, async: while this load is held, other tasks are polled.
    pub async fn load_async(&self) -> Result<u64, String> {
        {
            let mut state = self.0.0.lock().unwrap();
            state.begun += 1;
            state.running += 1;
            state.most = state.most.max(state.running);
        }
        let number = self.loads();
        while self.0.0.lock().unwrap().closed {
            tokio::task::yield_now().await;
        }
        self.0.0.lock().unwrap().running -= 1;
        let fails = self.0.0.lock().unwrap().fails;
        match fails {
            None => Ok(number),
            Some(Failure::Error) => Err("as asked".to_owned()),
            Some(Failure::Panic) => std::panic::panic_any("as asked"),
        }
    }
}
