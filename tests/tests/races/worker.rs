//! A process, seen from inside: it reads orders, carries out each on a thread of its own, and answers with numbers.

use std::fs;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::accounts::{Accounts, WAYS};
use crate::claims;
use crate::process::{ANSWER, PANIC, SETTINGS, Settings};
use crate::storm::Storm;
use crate::truth::now;
use cacheado_tests::random::Random;

struct Worker {
    settings: Settings,
    accounts: Arc<Accounts>,
    storm: Storm,
}

fn say(number: &str, answer: &str) {
    // the test harness has printed an unfinished line
    let mut out = io::stdout().lock();
    let written = write!(out, "\n{ANSWER}{number} {answer}\n").and_then(|()| out.flush());
    written.expect("somebody listens");
}

#[test]
#[ignore = "it is what the other tests start as processes"]
fn a_process() {
    let settings = std::env::var(SETTINGS).expect("a test says how to work");
    let settings: Settings = serde_json::from_str(&settings).expect("settings");
    std::panic::set_hook(Box::new(|panic| {
        say(PANIC, &panic.to_string().replace('\n', " "));
    }));
    let accounts = Arc::new(settings.accounts(true));
    let worker = Arc::new(Worker {
        storm: Storm::new(Arc::clone(&accounts)),
        accounts,
        settings,
    });
    for line in io::stdin().lines().map_while(Result::ok) {
        let worker = Arc::clone(&worker);
        thread::spawn(move || {
            let (number, order) = line.split_once(' ').expect("a number and an order");
            let mut words = order.split(' ');
            let verb = words.next().expect("a verb");
            let numbers: Vec<u64> = words.map(|word| word.parse().expect("a number")).collect();
            let answer = worker.carry_out(verb, &numbers);
            let answer: Vec<String> = answer.iter().map(u64::to_string).collect();
            say(number, &answer.join(" "));
        });
    }
    // the test is over or gone, so no result is needed any more
    std::process::exit(0);
}

impl Worker {
    fn carry_out(&self, verb: &str, numbers: &[u64]) -> Vec<u64> {
        match (verb, numbers) {
            ("read", [slot, times, seed]) => self.read(*slot as u32, *times, *seed),
            ("settle", [slot]) => self.settle(*slot as u32),
            ("change", [slot, invalidation, seed]) => {
                let mut random = Random::new(*seed);
                random.pause(Duration::from_millis(2));
                vec![u64::from(self.change(*slot as u32, *invalidation))]
            }
            ("others", slots) => vec![self.others(slots)],
            ("claim", [nth]) => vec![claims::claim(&self.accounts, &self.settings, *nth)],
            ("claimed", [nth]) => claims::stored(&self.accounts, &self.settings, *nth),
            ("storm", slots) => {
                self.storm.begin(slots);
                Vec::new()
            }
            ("copies", []) => vec![self.accounts.cache.stats().total_keys],
            ("told", []) => vec![self.storm.told()],
            ("calm", []) => vec![self.storm.calm()],
            ("end", []) => self.storm.end(),
            ("errors", []) => vec![self.accounts.cache.stats().backend_errors],
            _ => panic!("{verb} {numbers:?}"),
        }
    }

    /// Reads `slot` many times in all ways. Returns the longest staleness in nanoseconds, and the version served then.
    fn read(&self, slot: u32, times: u64, seed: u64) -> Vec<u64> {
        let mut random = Random::new(seed);
        let mut longest = (Duration::ZERO, 0);
        for _ in 0..times {
            let way = random.below(WAYS);
            let began = now();
            let version = if random.below(2) == 0 {
                self.accounts.get(slot, way)
            } else {
                let get = self.accounts.get_async(slot, way);
                self.accounts.runtime.block_on(get)
            };
            let stale = self.accounts.truth.staleness(slot, version, began);
            longest = longest.max((stale, version));
            random.pause(Duration::from_micros(400));
        }
        vec![longest.0.as_nanos() as u64, longest.1]
    }

    /// Reads `slot` until every way returns the current version. Returns the longest staleness in nanoseconds.
    fn settle(&self, slot: u32) -> Vec<u64> {
        let newest = self.accounts.truth.version(slot);
        let mut longest = Duration::ZERO;
        let limit = Instant::now() + Duration::from_secs(20);
        for way in 0..WAYS {
            loop {
                let began = now();
                let version = self.accounts.get(slot, way);
                let stale = self.accounts.truth.staleness(slot, version, began);
                longest = longest.max(stale);
                if version == newest {
                    break;
                }
                assert!(
                    Instant::now() < limit,
                    "slot {slot} has {version}, not {newest}, by way {way}"
                );
                thread::sleep(Duration::from_micros(200));
            }
        }
        vec![longest.as_nanos() as u64]
    }

    /// Changes the version of `slot`, and invalidates the old one. Later calls in this process return nothing older, even if the
    /// shared tier failed. Returns whether it did not fail.
    fn change(&self, slot: u32, invalidation: u64) -> bool {
        let version = self.accounts.truth.change(slot);
        let told = self.accounts.invalidate(slot, version, invalidation);
        if told.is_ok() {
            self.accounts.truth.acknowledge(slot, version);
        }
        for way in 0..WAYS {
            let served = self.accounts.get(slot, way);
            assert_eq!(
                served, version,
                "slot {slot} by way {way} after invalidation {invalidation}: {told:?}"
            );
        }
        told.is_ok()
    }

    /// Reads each of `slots` in every way. Returns how many loads that took.
    fn others(&self, slots: &[u64]) -> u64 {
        let loads = |slot: &u64| self.accounts.loads(*slot as u32);
        let before: u64 = slots.iter().map(loads).sum();
        for slot in slots {
            for way in 0..WAYS {
                assert_eq!(self.accounts.get(*slot as u32, way), 0, "nobody changed it");
            }
        }
        slots.iter().map(loads).sum::<u64>() - before
    }
}

/// The contents of the file `name` in the test's directory.
pub fn file(settings: &Settings, name: &str) -> Option<String> {
    fs::read_to_string(settings.directory.join(name)).ok()
}
