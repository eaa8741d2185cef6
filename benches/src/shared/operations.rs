//! What is measured: the operations, how many callers do them and in which way, and the tables of the times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use crate::Outcome;
use crate::measure::{grouped, in_turns, middle, nanos_each, round_ratio};
use crate::options::Options;
use crate::report::{Report, Table};

use super::Contenders;
use super::callers::Callers;
use super::contender::{Contender, Item, SIZES};

pub(super) const MOST_CALLERS: usize = 64;

/// The number of keys that are asked for at once, or one after the other, where there are many.
const MANY: usize = 100;

/// The number of entries for hits and sets. Each operation of a turn is for another one, because concurrent callers of one key would
/// be one caller to the server.
const ENTRIES: u64 = 1536;

/// The entries that are set differ from those that are hit.
const SET: u64 = 500_000;

/// The next key that was never looked up.
static FRESH: AtomicU64 = AtomicU64::new(1_000_000);

static ITEMS: LazyLock<[Item; 2]> = LazyLock::new(|| SIZES.map(|size| Item::new(0, size)));

/// Many keys, all of one owner.
static KEYS: LazyLock<Vec<u64>> = LazyLock::new(|| (0..MANY as u64).map(|nth| nth * 100).collect());

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Operation {
    Hit,
    /// Looks up in vain, loads and stores.
    Miss,
    Set,
    /// A hit of many keys, in one operation.
    Many,
    /// A hit of each of many keys, one after the other.
    Each,
}

/// One operation, repeated. The n-th one has the n-th key.
#[derive(Clone, Copy)]
pub(super) struct Work {
    operation: Operation,
    /// The index in [`SIZES`].
    size: usize,
    /// The first key.
    base: u64,
}

impl Work {
    pub(super) fn new(operation: Operation, size: usize, operations: usize) -> Self {
        let base = match operation {
            Operation::Miss => FRESH.fetch_add(operations as u64, Ordering::Relaxed),
            Operation::Set => SET,
            Operation::Hit | Operation::Many | Operation::Each => 0,
        };
        Self {
            operation,
            size,
            base,
        }
    }

    fn key(self, nth: usize) -> u64 {
        match self.operation {
            Operation::Miss => self.base + nth as u64,
            _ => self.base + nth as u64 % ENTRIES,
        }
    }

    /// Does the n-th operation, blocking.
    pub(super) fn run(self, on: &dyn Contender, caller: usize, nth: usize) {
        let (key, size) = (self.key(nth), SIZES[self.size]);
        match self.operation {
            Operation::Hit => assert!(on.get(caller, key, size).is_some()),
            Operation::Miss => drop(on.load(caller, key, size)),
            Operation::Set => on.set(caller, &ITEMS[self.size], key, size),
            Operation::Many => all_there(on.get_many(&KEYS, size)),
            Operation::Each => {
                for &key in &*KEYS {
                    assert!(on.get(caller, key, size).is_some());
                }
            }
        }
    }

    /// Does the n-th operation without blocking.
    pub(super) async fn run_async(self, on: &dyn Contender, nth: usize) {
        let (key, size) = (self.key(nth), SIZES[self.size]);
        match self.operation {
            Operation::Hit => assert!(on.get_async(key, size).await.is_some()),
            Operation::Miss => drop(on.load_async(key, size).await),
            Operation::Set => on.set_async(&ITEMS[self.size], key, size).await,
            Operation::Many => all_there(on.get_many_async(&KEYS, size).await),
            Operation::Each => {
                for &key in &*KEYS {
                    assert!(on.get_async(key, size).await.is_some());
                }
            }
        }
    }
}

fn all_there(found: Option<Vec<Option<Item>>>) {
    let found = found.expect("it is asked of those that can");
    assert!(found.len() == MANY && found.iter().all(Option::is_some));
}

/// Stores the entries that hits will find.
pub(super) fn fill(contenders: &Contenders) {
    for contender in contenders {
        for size in SIZES {
            Callers::threads(4, 4, |caller, quarter| {
                let own = |key: &u64| key % 4 == quarter as u64;
                let others = KEYS.iter().copied().filter(|key| *key >= ENTRIES);
                for key in (0..ENTRIES).chain(others).filter(own) {
                    contender.load(caller, key, size);
                }
            });
        }
    }
}

/// How operations are done.
#[derive(Clone, Copy)]
struct How {
    blocking: bool,
    callers: usize,
}

impl How {
    const ALL: [Self; 4] = [
        Self::new(true, 1),
        Self::new(true, MOST_CALLERS),
        Self::new(false, 1),
        Self::new(false, MOST_CALLERS),
    ];

    const fn new(blocking: bool, callers: usize) -> Self {
        Self { blocking, callers }
    }

    fn label(self, size: usize) -> String {
        let way = if self.blocking { "sync" } else { "async" };
        let plural = if self.callers == 1 { "" } else { "s" };
        let size = grouped(SIZES[size]);
        format!("{way}, {} caller{plural}, {size} B", self.callers)
    }
}

/// An operation, and the contender that does it.
struct Lane {
    name: String,
    on: Arc<dyn Contender>,
    operation: Operation,
}

/// One turn: microseconds per operation.
fn turn(callers: &Callers, how: How, lane: &Lane, size: usize, operations: usize) -> f64 {
    let work = Work::new(lane.operation, size, operations);
    let took = if how.blocking {
        let run = |caller, nth| work.run(&*lane.on, caller, nth);
        Callers::threads(how.callers, operations, run)
    } else {
        callers.tasks(how.callers, operations, &lane.on, work)
    };
    nanos_each(took, operations) / 1e3
}

/// A row for each of `rows`. The other lanes are compared with the first.
fn measure(
    callers: &Callers,
    options: &Options,
    lanes: &[Lane],
    rows: impl IntoIterator<Item = (How, usize)>,
) -> Table {
    let mut headers = vec![String::new()];
    for (nth, lane) in lanes.iter().enumerate() {
        headers.push(format!("{} µs", lane.name));
        headers.extend((nth > 0).then(|| "×".to_owned()));
    }
    let mut table = Table::new(headers);
    for (how, size) in rows {
        let single = matches!(
            lanes[0].operation,
            Operation::Hit | Operation::Miss | Operation::Set
        );
        let operations = match (options.quick, single) {
            (true, true) => how.callers.max(16) * 4,
            (true, false) => 4,
            (false, true) if how.callers == 1 => 400,
            (false, true) => MOST_CALLERS * 24,
            (false, false) => 16,
        };
        for lane in lanes {
            // makes the connections, and lets the server do what it does first
            turn(callers, how, lane, size, how.callers * 2);
        }
        let times = in_turns(options.rounds, lanes.len(), |nth| {
            turn(callers, how, &lanes[nth], size, operations)
        });
        let mut cells = vec![how.label(size)];
        for (nth, times_of_lane) in times.iter().enumerate() {
            cells.push(format!("{:.1}", middle(times_of_lane)));
            if nth > 0 {
                cells.push(format!("{:.2}", round_ratio(times_of_lane, &times[0])));
            }
        }
        table.row(cells);
    }
    table
}

/// Measures everything on one server.
pub(super) fn run(
    server: &str,
    contenders: &Contenders,
    callers: &Callers,
    options: &Options,
    report: &Report,
) -> Outcome {
    fill(contenders);
    let every = |sizes: &'static [usize]| {
        let of = move |how| sizes.iter().map(move |&size| (how, size));
        How::ALL.into_iter().flat_map(of)
    };
    for (operation, name, title, sizes) in [
        (Operation::Hit, "hit", "a hit; aimed at: 1.15", &[0, 1][..]),
        (
            Operation::Miss,
            "miss",
            "a miss that is loaded and stored; aimed at: 1.5",
            &[0][..],
        ),
        (Operation::Set, "set", "a set; aimed at: 1.5", &[0, 1][..]),
    ] {
        let lane = |on: &Arc<dyn Contender>| Lane {
            name: on.name().to_owned(),
            on: Arc::clone(on),
            operation,
        };
        let lanes: Vec<_> = contenders.iter().map(lane).collect();
        let table = measure(callers, options, &lanes, every(sizes));
        table.print(&format!(
            "{server}: {title}; µs an operation, × that of the bare driver"
        ));
        report.csv(&format!("shared-{server}-{name}"), &table)?;
    }
    let (Some(bare), Some(cache)) = (contenders.first(), contenders.last()) else {
        return Ok(());
    };
    let lane = |name: &str, on, operation| Lane {
        name: name.to_owned(),
        on: Arc::clone(on),
        operation,
    };
    let lanes = [
        lane("bare, in one", bare, Operation::Many),
        lane("get_many", cache, Operation::Many),
        lane("bare, one by one", bare, Operation::Each),
        lane("get, one by one", cache, Operation::Each),
    ];
    let rows = How::ALL.into_iter().filter(|how| how.callers == 1);
    let table = measure(callers, options, &lanes, rows.map(|how| (how, 0)));
    table.print(&format!(
        "{server}: {MANY} hits; µs for all, × that of the bare driver in one"
    ));
    report.csv(&format!("shared-{server}-many"), &table)
}
