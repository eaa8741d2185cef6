//! The connection between a process and the shared tier: requests and responses take time and get lost, reports overtake each other,
//! and connections break.

use std::time::Duration;

use cacheado::backends::{
    Backend, BackendFuture, BackendResult, Change, Changes, Lookup, Mark, Payload,
};
use cacheado::{Key, Scope};

use crate::signal::Signal;
use crate::truth::{ALL, Floors, index, within};
use crate::world::{State, Time, World};

/// The longest time that a request takes to the tier, and its response back.
pub const WAY: Time = 5;
/// The time after which a lost request is answered with an error.
pub const TIMEOUT: Time = 10;
/// The longest time that a report takes.
const REPORT: Time = 30;
/// The longest time until a broken connection is noticed.
const DETECTION: Time = 20;

/// A process as the network sees it.
#[derive(Default)]
pub struct Link {
    /// Counts the processes that came one after another.
    pub incarnation: u64,
    /// Whether requests get through.
    pub up: bool,
    /// Whether reports are sent to it.
    subscribed: bool,
    /// Whether it was told that it receives all reports.
    heard: bool,
    /// Counts connections for reports: reports sent on an older one do not arrive.
    connection: u64,
    changes: Option<Changes>,
}

/// The tier as a process reaches it.
pub struct Wire {
    pub world: World,
    pub process: usize,
    pub incarnation: u64,
}

impl State {
    /// Starts and connects a process.
    fn begins(&mut self, process: usize, changes: Changes) {
        let link = &mut self.links[process];
        *link = Link {
            incarnation: link.incarnation,
            connection: link.connection + 1,
            up: true,
            changes: Some(changes),
            ..Link::default()
        };
        self.truth.begins(process);
        let span = self.random.below(DETECTION);
        self.after(span, move |world| world.connect(process));
    }

    /// Ends a process.
    pub fn ends(&mut self, process: usize) {
        let link = &mut self.links[process];
        link.incarnation += 1;
        link.connection += 1;
        link.subscribed = false;
        link.changes = None;
    }

    /// Breaks the connection for reports.
    pub fn disconnect(&mut self, process: usize) {
        let link = &mut self.links[process];
        link.connection += 1;
        link.subscribed = false;
        let connection = link.connection;
        let span = self.random.below(DETECTION);
        self.after(span, move |world| {
            if world.lock().links[process].connection == connection {
                world.lost(process);
            }
        });
    }

    /// Reports a change of the tier by `from` to all other processes, and notes when it binds them.
    fn tell(&mut self, from: (usize, u64), change: &Change, floors: &Floors) {
        self.truth.applied(floors);
        let now = self.now();
        for process in 0..self.links.len() {
            let link = &self.links[process];
            if (process, link.incarnation) == from {
                continue;
            }
            if !link.heard {
                self.truth.binds_later(process, now, floors);
            }
            if link.subscribed {
                let connection = link.connection;
                let (change, floors) = (change.clone(), floors.clone());
                let span = self.random.below(REPORT);
                self.after(span, move |world| {
                    world.deliver(process, connection, change, &floors);
                });
            }
        }
    }

    fn span(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The source's versions of `keys`, at the time when the tier removes them.
    fn floors(&self, keys: impl IntoIterator<Item = usize>) -> Floors {
        let source = &self.truth.source;
        keys.into_iter().map(|key| (key, source[key])).collect()
    }
}

impl World {
    /// Sends reports to a process from now on.
    pub fn connect(&self, process: usize) {
        let mut state = self.lock();
        let link = &state.links[process];
        if !link.up || link.subscribed || link.changes.is_none() {
            return;
        }
        drop(state);
        self.lost(process);
        state = self.lock();
        let link = &mut state.links[process];
        link.subscribed = true;
        link.connection += 1;
        let connection = link.connection;
        let span = state.random.below(DETECTION);
        state.after(span, move |world| world.covered(process, connection));
    }

    fn lost(&self, process: usize) {
        let mut state = self.lock();
        let link = &mut state.links[process];
        if !std::mem::replace(&mut link.heard, false) {
            return;
        }
        drop(state);
        self.report_to(process, Change::Lost, None);
    }

    fn covered(&self, process: usize, connection: u64) {
        let mut state = self.lock();
        let link = &mut state.links[process];
        if link.connection != connection {
            return;
        }
        link.heard = true;
        drop(state);
        self.report_to(process, Change::Covered, None);
    }

    fn deliver(&self, process: usize, connection: u64, change: Change, floors: &Floors) {
        if self.lock().links[process].connection == connection {
            self.report_to(process, change, Some(floors));
        }
    }

    /// `floors`: what the report binds the process to; `None`: everything that the tier was told so far.
    fn report_to(&self, process: usize, change: Change, floors: Option<&Floors>) {
        let mut state = self.lock();
        state.say(|| format!("{process} hears {change:?}"));
        let changes = state.links[process].changes.clone();
        let all = state.truth.in_tier();
        let floors = floors.unwrap_or(&all);
        state
            .truth
            .invalidated(process, floors.iter().map(|it| it.0));
        drop(state);
        if let Some(changes) = changes {
            changes.report(change);
        }
        self.lock().truth.binds(process, floors);
    }
}

impl Wire {
    /// Has the tier do `what` when the request arrives there. When it is sent and when it is answered, the process may drop its
    /// entries of `keys`, and their loads under way.
    fn request<T: Send + 'static>(
        &self,
        keys: Vec<usize>,
        what: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> BackendFuture<'static, T> {
        let signal: Signal<BackendResult<T>> = Signal::new();
        let answer = signal.clone();
        let process = self.process;
        let mut state = self.world.lock();
        state.truth.invalidated(process, keys.iter().copied());
        let (to, back) = (state.random.below(WAY + 1), state.random.below(WAY + 1));
        let loss = state.loss;
        let lost = state.random.comes(loss);
        let unheard = state.random.comes(loss);
        // half of the requests that no caller waits for any more were on their way already
        let sent = state.random.comes(50);
        let late = state.random.comes(25);
        state.after(to, move |world| {
            if answer.is_alone() && !sent {
                return;
            }
            let mut state = world.lock();
            if lost || !state.links[process].up {
                state.after(TIMEOUT, move |_| answer.set(Err("no answer".into())));
                if late {
                    state.after(TIMEOUT + WAY * to, move |world| {
                        what(&mut world.lock());
                    });
                }
                return;
            }
            let result = what(&mut state);
            state.after(back, move |world| {
                let mut state = world.lock();
                let heard = !unheard && state.links[process].up;
                state.truth.invalidated(process, keys);
                drop(state);
                answer.set(if heard {
                    Ok(result)
                } else {
                    Err("the answer was lost".into())
                });
            });
        });
        Box::pin(signal)
    }

    fn from(&self) -> (usize, u64) {
        (self.process, self.incarnation)
    }
}

/// Nothing blocks here.
fn never<T>() -> BackendResult<T> {
    unreachable!("a simulation has futures only")
}

impl Backend for Wire {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn watch(&self, changes: Changes) -> bool {
        self.world.lock().begins(self.process, changes);
        true
    }

    fn get(&self, _: &Key) -> BackendResult<Lookup> {
        never()
    }

    fn set(&self, _: &Key, _: &Payload) -> BackendResult<()> {
        never()
    }

    fn evict(&self, _: &Key) -> BackendResult<bool> {
        never()
    }

    fn evict_by_scope(&self, _: &Scope) -> BackendResult<u64> {
        never()
    }

    fn clear(&self) -> BackendResult<()> {
        never()
    }

    fn get_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, Lookup> {
        let key = key.clone();
        self.request(Vec::new(), move |state| state.tier.get(&key, state.span()))
    }

    fn mark_async<'a>(&'a self, _: &'a Key) -> BackendFuture<'a, Mark> {
        self.request(Vec::new(), |state| state.tier.mark())
    }

    fn set_async<'a>(&'a self, _: &'a Key, _: &'a Payload) -> BackendFuture<'a, ()> {
        unreachable!("what is put has a mark, or is an eviction")
    }

    fn fill_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        let (process, number) = (self.process, index(key));
        let (key, payload, mark) = (key.clone(), payload.clone(), mark.clone());
        self.request(Vec::new(), move |state| {
            let current = state.tier.is_current(&key, &mark);
            state.say(|| format!("{process} fills {number}: {current}"));
            if current {
                let now = state.span();
                state.tier.insert(&key, &payload, now);
            } else {
                // this tells the process of an invalidation
                state.truth.invalidated(process, [number]);
            }
            current
        })
    }

    fn put_async<'a>(
        &'a self,
        key: &'a Key,
        payload: &'a Payload,
        mark: &'a Mark,
    ) -> BackendFuture<'a, bool> {
        let (key, payload, mark) = (key.clone(), payload.clone(), mark.clone());
        let (from, number) = (self.from(), index(&key));
        // read now: the request may arrive long after its caller has gone on and puts another version
        let version = self.world.lock().truth.being_put(from, number);
        self.request(vec![number], move |state| {
            let current = state.tier.is_current(&key, &mark);
            state.say(|| format!("{} puts {number}: {current}", from.0));
            state.tier.evict(&key);
            let mut floors = state.floors([number]);
            if current {
                let now = state.span();
                state.tier.insert(&key, &payload, now);
                floors[0].1 = version;
            }
            state.tell(from, &Change::Key(key), &floors);
            current
        })
    }

    fn evict_async<'a>(&'a self, key: &'a Key) -> BackendFuture<'a, bool> {
        let (from, number, key) = (self.from(), index(key), key.clone());
        self.request(vec![number], move |state| {
            state.say(|| format!("{} evicts {number} from the tier", from.0));
            let floors = state.floors([number]);
            let removed = state.tier.evict(&key);
            state.tell(from, &Change::Key(key), &floors);
            removed
        })
    }

    fn evict_by_scope_async<'a>(&'a self, scope: &'a Scope) -> BackendFuture<'a, u64> {
        let (from, scope) = (self.from(), scope.clone());
        self.request(within(&scope), move |state| {
            state.say(|| format!("{} evicts {scope:?} from the tier", from.0));
            let floors = state.floors(within(&scope));
            let removed = state.tier.evict_by_scope(&scope);
            state.tell(from, &Change::Scope(scope), &floors);
            removed
        })
    }

    fn clear_async(&self) -> BackendFuture<'_, ()> {
        let from = self.from();
        self.request(ALL.collect(), move |state| {
            state.say(|| format!("{} clears the tier", from.0));
            let floors = state.floors(ALL);
            state.tier.evict_by_scope(&Scope::global());
            state.tell(from, &Change::All, &floors);
        })
    }
}
