//! The world of a schedule: time, and the events to come.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cacheado::testing::ManualClock;

use crate::network::Link;
use crate::signal::Signal;
use crate::tier::Tier;
use crate::truth::Truth;
use cacheado_tests::random::Random;

/// A point in time, or a span, in milliseconds.
pub type Time = u64;

#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

pub struct State {
    pub random: Random,
    pub clock: ManualClock,
    pub tier: Tier,
    pub links: Vec<Link>,
    pub truth: Truth,
    /// The percentage of requests and of responses that are lost although the link is up.
    pub loss: u64,
    /// The number of operations to start now.
    pub due: u64,
    events: BinaryHeap<Event>,
    log: Option<Vec<String>>,
}

struct Event {
    at: Time,
    /// Events of one moment happen in a random order.
    order: u64,
    happens: Box<dyn FnOnce(&World) + Send>,
}

impl World {
    pub fn new(seed: u64, processes: usize, told: bool) -> Self {
        let mut random = Random::new(seed);
        let loss = [0, 0, 3, 10][random.index(4)];
        Self(Arc::new(Mutex::new(State {
            random,
            loss,
            clock: ManualClock::new(),
            tier: Tier::default(),
            links: (0..processes).map(|_| Link::default()).collect(),
            truth: Truth::new(processes),
            due: 0,
            events: BinaryHeap::new(),
            log: told.then(Vec::new),
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a random time.
    pub fn pause(&self, longest: Time) -> Signal<()> {
        let signal = Signal::new();
        let done = signal.clone();
        let mut state = self.lock();
        let span = state.random.below(longest + 1);
        state.after(span, move |_| done.set(()));
        signal
    }

    /// Runs the next event, if it is due now.
    pub fn step(&self) -> bool {
        let mut state = self.lock();
        let now = state.now();
        if state.events.peek().is_none_or(|event| event.at > now) {
            return false;
        }
        let event = state.events.pop();
        drop(state);
        if let Some(event) = event {
            (event.happens)(self);
        }
        true
    }

    /// Advances the time to the next event. Returns whether there is one.
    pub fn advance(&self) -> bool {
        let state = self.lock();
        let Some(at) = state.events.peek().map(|event| event.at) else {
            return false;
        };
        let (clock, span) = (state.clock.clone(), at - state.now());
        drop(state);
        // wakes the futures that wait for this time
        clock.advance(std::time::Duration::from_millis(span));
        true
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        self.lock().say(what);
    }

    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone().unwrap_or_default()
    }
}

impl State {
    pub fn now(&self) -> Time {
        self.clock.elapsed().as_millis() as Time
    }

    /// Runs `happens` after `span`.
    pub fn after(&mut self, span: Time, happens: impl FnOnce(&World) + Send + 'static) {
        let event = Event {
            at: self.now() + span,
            order: self.random.number(),
            happens: Box::new(happens),
        };
        self.events.push(event);
    }

    pub fn happens_now(&self) -> bool {
        let now = self.now();
        self.events.peek().is_some_and(|event| event.at <= now)
    }

    pub fn say(&mut self, what: impl FnOnce() -> String) {
        let now = self.now();
        if let Some(log) = &mut self.log {
            log.push(format!("{now:>5} {}", what()));
        }
    }
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Event {}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Event {
    /// The next event is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}
