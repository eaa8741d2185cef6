//! What a process does while its server is killed: threads and tasks read without a pause, and a thread changes the source.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::accounts::{Accounts, INVALIDATIONS, WAYS, slot};
use crate::truth::now;
use cacheado_tests::random::Random;

/// The number of users of the first organization whose slots are used.
pub const USERS: u32 = 6;

pub struct Storm {
    shared: Arc<Shared>,
    changer: Mutex<Option<JoinHandle<()>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    accounts: Arc<Accounts>,
    changing: AtomicBool,
    reading: AtomicBool,
    /// The oldest version this process may serve of each slot, since it has invalidated older ones itself.
    own: Vec<AtomicU64>,
    /// The slots whose last change could not be sent to the shared tier, as bits.
    untold: AtomicU64,
    reads: AtomicU64,
    changes: AtomicU64,
    failed: AtomicU64,
    stale: AtomicU64,
    read_took: AtomicU64,
    change_took: AtomicU64,
}

impl Storm {
    pub fn new(accounts: Arc<Accounts>) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            shared: Arc::new(Shared {
                accounts,
                changing: AtomicBool::new(true),
                reading: AtomicBool::new(true),
                own: (0..USERS).map(|_| zero()).collect(),
                untold: zero(),
                reads: zero(),
                changes: zero(),
                failed: zero(),
                stale: zero(),
                read_took: zero(),
                change_took: zero(),
            }),
            changer: Mutex::default(),
            readers: Mutex::default(),
        }
    }

    /// Starts to read all slots, and to change those of `users`. The last number is the seed.
    pub fn begin(&self, users_and_seed: &[u64]) {
        let (seed, users) = users_and_seed.split_last().expect("a seed");
        let (seed, users) = (*seed, users.to_vec());
        let shared = Arc::clone(&self.shared);
        *self.changer.lock().unwrap() = Some(thread::spawn(move || shared.change(&users, seed)));
        let mut readers = self.readers.lock().unwrap();
        for nth in 1..3 {
            let shared = Arc::clone(&self.shared);
            readers.push(thread::spawn(move || shared.read(seed + nth)));
        }
        let shared = Arc::clone(&self.shared);
        readers.push(thread::spawn(move || {
            let tasks = (3..6).map(|nth| Arc::clone(&shared).read_async(seed + nth));
            let runtime = &shared.accounts.runtime;
            let tasks: Vec<_> = tasks.map(|task| runtime.spawn(task)).collect();
            for task in tasks {
                runtime.block_on(task).expect("no panic");
            }
        }));
    }

    /// Stops the changes. Returns for how many slots the last change did not reach the shared tier.
    pub fn calm(&self) -> u64 {
        self.shared.changing.store(false, Ordering::SeqCst);
        let changer = self.changer.lock().unwrap().take();
        changer.expect("it runs").join().expect("no panic");
        self.shared
            .untold
            .load(Ordering::SeqCst)
            .count_ones()
            .into()
    }

    /// How many changes reached the shared tier.
    pub fn told(&self) -> u64 {
        let failed = self.shared.failed.load(Ordering::SeqCst);
        self.shared.changes.load(Ordering::SeqCst) - failed
    }

    /// Stops the reads. Returns the longest staleness, read and change in nanoseconds, and the numbers of reads, changes and failures.
    pub fn end(&self) -> Vec<u64> {
        self.shared.reading.store(false, Ordering::SeqCst);
        for reader in self.readers.lock().unwrap().drain(..) {
            reader.join().expect("no panic");
        }
        let it = &self.shared;
        let all = [
            &it.stale,
            &it.read_took,
            &it.change_took,
            &it.reads,
            &it.changes,
            &it.failed,
        ];
        all.map(|it| it.load(Ordering::SeqCst)).to_vec()
    }
}

fn nanos(span: Duration) -> u64 {
    span.as_nanos() as u64
}

impl Shared {
    fn change(&self, users: &[u64], seed: u64) {
        let mut random = Random::new(seed);
        while self.changing.load(Ordering::SeqCst) {
            let user = users[random.below(users.len() as u64) as usize] as u32;
            let slot = slot(0, user);
            let version = self.accounts.truth.change(slot);
            let invalidation = random.below(INVALIDATIONS);
            let began = Instant::now();
            let told = self.accounts.invalidate(slot, version, invalidation);
            let took = nanos(began.elapsed());
            self.change_took.fetch_max(took, Ordering::SeqCst);
            self.changes.fetch_add(1, Ordering::SeqCst);
            let bit = 1 << user;
            if told.is_ok() {
                self.accounts.truth.acknowledge(slot, version);
                self.untold.fetch_and(!bit, Ordering::SeqCst);
            } else {
                self.failed.fetch_add(1, Ordering::SeqCst);
                self.untold.fetch_or(bit, Ordering::SeqCst);
            }
            self.own[slot as usize].store(version, Ordering::SeqCst);
            random.pause(Duration::from_millis(8));
        }
    }

    fn read(&self, seed: u64) {
        let mut random = Random::new(seed);
        while self.reading.load(Ordering::SeqCst) {
            let call = Call::new(&mut random);
            let least = self.own[call.slot as usize].load(Ordering::SeqCst);
            let version = self.accounts.get(call.slot, call.way);
            self.check(&call, least, version);
            random.pause(Duration::from_micros(600));
        }
    }

    async fn read_async(self: Arc<Self>, seed: u64) {
        let mut random = Random::new(seed);
        while self.reading.load(Ordering::SeqCst) {
            // an async function, or a programmatic call
            let mut call = Call::new(&mut random);
            call.way = call.way.max(1);
            let least = self.own[call.slot as usize].load(Ordering::SeqCst);
            let version = self.accounts.get_async(call.slot, call.way).await;
            self.check(&call, least, version);
            tokio::time::sleep(Duration::from_micros(random.below(600))).await;
        }
    }

    fn check(&self, call: &Call, least: u64, version: u64) {
        self.read_took
            .fetch_max(nanos(call.started.elapsed()), Ordering::SeqCst);
        let Call { slot, way, .. } = call;
        assert!(
            version >= least,
            "slot {slot} by way {way} is {version} where {least} was invalidated"
        );
        let stale = self.accounts.truth.staleness(*slot, version, call.began);
        self.stale.fetch_max(nanos(stale), Ordering::SeqCst);
        self.reads.fetch_add(1, Ordering::SeqCst);
    }
}

/// A call about to be made.
struct Call {
    slot: u32,
    way: u64,
    began: u64,
    started: Instant,
}

impl Call {
    fn new(random: &mut Random) -> Self {
        Self {
            slot: slot(0, 1 + random.below(u64::from(USERS)) as u32),
            way: random.below(WAYS),
            began: now(),
            started: Instant::now(),
        }
    }
}
