//! The truth, and what follows from it for each process: the oldest version of a key that may be served, and when a load must not
//! begin.

use std::ops::Range;

use cacheado::{Key, Scope};

use crate::network::{TIMEOUT, WAY};
use crate::process::{BODY, COHERENCE};
use crate::world::Time;

/// The number of keys: of three kinds, for two users of two tenants.
pub const KEYS: usize = 12;
pub const ALL: Range<usize> = 0..KEYS;
/// The keys whose loads run in the background.
const AGED: Range<usize> = 4..8;

/// The oldest version that may be served, by key.
pub type Floors = Vec<(usize, u64)>;

/// The longest time from the start of a load until its result is in the process: it looks in the tier, takes a mark and runs the body.
const LOAD: Time = 2 * (2 * WAY + TIMEOUT) + 2 * BODY;

pub struct Truth {
    /// The source's version of each key.
    pub source: [u64; KEYS],
    /// The tier holds nothing older than these versions.
    tier: [u64; KEYS],
    processes: Vec<Process>,
    /// Puts under way whose value is known.
    puts: Vec<Put>,
    /// The number of calls and bodies so far.
    numbers: u64,
    failure: Option<String>,
}

/// What binds a process.
#[derive(Clone, Default)]
struct Process {
    floors: [u64; KEYS],
    /// What binds the process from a time on, since no report reached it.
    later: Vec<(Time, usize, u64)>,
    /// What binds the process once everything that it has begun is carried out.
    owed: Floors,
    /// How often loads under way were outdated.
    invalidations: [u64; KEYS],
    bodies: Vec<Body>,
}

#[derive(Clone)]
struct Body {
    number: u64,
    key: usize,
    /// The number of invalidations when its call began.
    since: u64,
}

struct Put {
    number: u64,
    from: (usize, u64),
    key: usize,
    version: u64,
}

/// What a call is checked against.
#[derive(Clone, Copy)]
pub struct Begun {
    floor: u64,
    pub since: u64,
}

/// The number of a key of the cache.
pub fn index(key: &Key) -> usize {
    let kind = match key.space().name() {
        "plain" => 0,
        "aged" => 1,
        _ => 2,
    };
    let scope = key.scope();
    let ids = scope.ids().map(|id| usize::from(id == "1"));
    4 * kind + ids.fold(0, |number, id| 2 * number + id)
}

/// The numbers of the keys in a scope.
pub fn within(scope: &Scope) -> Vec<usize> {
    let ids: Vec<usize> = scope.ids().map(|id| usize::from(id == "1")).collect();
    let is_in = |key: &usize| {
        let own = [key / 2 % 2, key % 2];
        own.iter().zip(&ids).all(|(own, id)| own == id)
    };
    ALL.filter(is_in).collect()
}

/// The value for a version of a key, which states both.
pub fn value(key: usize, version: u64) -> u64 {
    (key as u64) << 32 | version
}

impl Truth {
    pub fn new(processes: usize) -> Self {
        Self {
            source: [1; KEYS],
            tier: [0; KEYS],
            processes: vec![Process::default(); processes],
            puts: Vec::new(),
            numbers: 0,
            failure: None,
        }
    }

    /// Starts a process that holds nothing.
    pub fn begins(&mut self, process: usize) {
        self.processes[process] = Process {
            floors: self.tier,
            ..Process::default()
        };
    }

    /// The tier has removed everything older.
    pub fn applied(&mut self, floors: &Floors) {
        for &(key, floor) in floors {
            self.tier[key] = self.tier[key].max(floor);
        }
    }

    /// The tier holds nothing older than these versions.
    pub fn in_tier(&self) -> Floors {
        self.tier.iter().copied().enumerate().collect()
    }

    /// The keys of which some process may hold an old value, since the process that changed the source ended before it could say so.
    pub fn unsettled(&self) -> Vec<usize> {
        let old = |&key: &usize| {
            let mut bound = self.processes.iter().map(|it| it.floors[key]);
            bound.any(|floor| floor < self.source[key])
        };
        ALL.filter(old).collect()
    }

    /// A process begins an invalidation. It is carried out in the end, even if its caller goes away.
    pub fn owes(&mut self, process: usize, floors: &Floors) {
        self.processes[process].owed.extend(floors);
    }

    /// Everything that was begun has been carried out by the live processes.
    pub fn carried_out(&mut self) {
        for process in 0..self.processes.len() {
            let owed = std::mem::take(&mut self.processes[process].owed);
            self.binds(process, &owed);
        }
    }

    /// A process received a report, or has invalidated by itself.
    pub fn binds(&mut self, process: usize, floors: &Floors) {
        let bound = &mut self.processes[process];
        for &(key, floor) in floors {
            bound.floors[key] = bound.floors[key].max(floor);
            bound.invalidations[key] += 1;
        }
    }

    /// A process receives no report: what it holds by then, or is loading, goes by itself.
    pub fn binds_later(&mut self, process: usize, now: Time, floors: &Floors) {
        let from = now + LOAD + COHERENCE;
        let later = floors.iter().map(|&(key, floor)| (from, key, floor));
        self.processes[process].later.extend(later);
    }

    /// Loads of `keys` under way in a process are not joined any more.
    pub fn invalidated(&mut self, process: usize, keys: impl IntoIterator<Item = usize>) {
        for key in keys {
            self.processes[process].invalidations[key] += 1;
        }
    }

    /// Background loads have gone on, and may be outdated as those of calls are.
    pub fn background(&mut self) {
        for process in &mut self.processes {
            AGED.for_each(|key| process.invalidations[key] += 1);
        }
    }

    pub fn call(&mut self, process: usize, key: usize, now: Time) -> Begun {
        let bound = &mut self.processes[process];
        let floors = &mut bound.floors;
        bound.later.retain(|&(from, key, floor)| {
            let due = from <= now;
            if due {
                floors[key] = floors[key].max(floor);
            }
            !due
        });
        Begun {
            floor: bound.floors[key],
            since: bound.invalidations[key],
        }
    }

    /// Checks the result `found` of a call that began with `begun`.
    pub fn returned(&mut self, process: usize, key: usize, begun: Begun, found: u64) {
        let invalidations = &mut self.processes[process].invalidations[key];
        if *invalidations != begun.since {
            // an outdated load also removes what others brought from the tier meanwhile
            *invalidations += 1;
        }
        let newest = self.source[key];
        if !(value(key, begun.floor)..=value(key, newest)).contains(&found) {
            self.fail(format!(
                "{process} was served {}.{} as {key}, of which it must have {} to {newest}",
                found >> 32,
                found & 0xffff_ffff,
                begun.floor
            ));
        }
    }

    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Begins a body of a shared load. It must be the only one, unless one of two is outdated.
    pub fn body(&mut self, process: usize, key: usize, since: u64) -> u64 {
        let number = self.number();
        let here = &mut self.processes[process];
        let now = here.invalidations[key];
        let joinable = |it: &Body| it.key == key && it.since == now;
        let twice = since == now && here.bodies.iter().any(joinable);
        here.bodies.push(Body { number, key, since });
        if twice {
            self.fail(format!("{process} loads {key} twice at once"));
        }
        number
    }

    pub fn body_is_over(&mut self, process: usize, number: u64) {
        self.processes[process]
            .bodies
            .retain(|it| it.number != number);
    }

    /// The number of running bodies.
    pub fn bodies(&self) -> usize {
        self.processes.iter().map(|it| it.bodies.len()).sum()
    }

    pub fn puts(&mut self, number: u64, from: (usize, u64), key: usize, version: u64) {
        self.puts.push(Put {
            number,
            from,
            key,
            version,
        });
    }

    pub fn put_is_over(&mut self, number: u64) {
        self.puts.retain(|it| it.number != number);
    }

    /// The version that a process is about to put; of several, the oldest.
    pub fn being_put(&self, from: (usize, u64), key: usize) -> u64 {
        let puts = self
            .puts
            .iter()
            .filter(|it| (it.from, it.key) == (from, key));
        puts.map(|it| it.version).min().unwrap_or(0)
    }

    pub fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}
