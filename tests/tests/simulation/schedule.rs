//! One schedule: the operations, and the order in which everything proceeds until nothing is left to do.

use crate::executor::Executor;
use crate::process::{PAUSE, Process};
use crate::scope;
use crate::truth::{ALL, within};
use crate::world::{Time, World};
use cacheado_tests::random::Random;

/// More steps than any schedule takes that ends.
const MOST_STEPS: u64 = 100_000;

/// The longest time from one operation to the next, in most cases.
const BETWEEN: Time = 12;

pub struct Schedule {
    seed: u64,
    random: Random,
    world: World,
    executor: Executor,
    processes: Vec<Option<Process>>,
    /// The keys in use: few, so that operations meet.
    keys: Vec<usize>,
    /// The percentage of operations that are faults.
    faults: u64,
    calls: u64,
    steps: u64,
}

impl Schedule {
    /// The schedule of `seed`. `told`: it logs what happens.
    pub fn new(seed: u64, told: bool) -> Self {
        let mut random = Random::new(!seed);
        let count = 2 + random.index(2);
        let world = World::new(seed, count, told);
        let processes = (0..count).map(|number| Some(Process::start(&world, number)));
        let processes = processes.collect();
        let keys = (0..=random.index(3)).map(|_| random.index(ALL.len()));
        let keys = keys.collect();
        let faults = [0, 8, 20][random.index(3)];
        Self {
            seed,
            world,
            executor: Executor::new(),
            processes,
            keys,
            faults,
            random,
            calls: 0,
            steps: 0,
        }
    }

    pub fn log(&self) -> Vec<String> {
        self.world.log()
    }

    /// Runs to the end. Returns the number of calls.
    pub fn run(&mut self) -> u64 {
        let operations = 10 + self.random.below(30);
        let mut at = 0;
        for _ in 0..operations {
            at += self.random.below(BETWEEN);
            if self.random.comes(2) {
                // long enough for lifetimes to end
                at += self.random.below(500);
            }
            self.world.lock().after(at, |world| world.lock().due += 1);
        }
        self.drain();
        self.settle();
        self.calls
    }

    /// Runs until nothing can continue.
    fn drain(&mut self) {
        let mut background = true;
        loop {
            while self.is_due() {
                self.operate();
            }
            let event = self.world.lock().happens_now();
            let task = self.executor.is_ready();
            background &= self.executor.has_background();
            if !event && !task && !background {
                if !self.world.advance() {
                    break;
                }
                background = true;
                continue;
            }
            let turn = self.random.below(3);
            if turn == 0 && background {
                self.run_background();
                background = false;
            } else if (turn == 1 && event) || !task {
                if self.world.step() {
                    background = true;
                } else if background {
                    self.run_background();
                    background = false;
                }
            } else {
                self.executor.poll_one(&mut self.random);
                background = true;
            }
            self.check();
        }
    }

    fn run_background(&mut self) {
        self.executor.run_background();
        self.world.lock().truth.background();
    }

    fn is_due(&self) -> bool {
        let mut state = self.world.lock();
        let due = state.due > 0;
        state.due -= u64::from(due);
        due
    }

    fn check(&mut self) {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            self.fail("it goes on without an end");
        }
        let failure = self.world.lock().truth.failure().map(str::to_owned);
        if let Some(failure) = failure {
            self.fail(&failure);
        }
    }

    fn fail(&self, what: &str) -> ! {
        for line in self.log() {
            println!("{line}");
        }
        panic!("{what}");
    }

    /// Starts an operation.
    fn operate(&mut self) {
        let number = self.random.index(self.processes.len());
        if self.random.comes(self.faults) {
            self.fault(number);
            return;
        }
        let process = self.started(number);
        let key = self.keys[self.random.index(self.keys.len())];
        self.calls += 1;
        match self.random.below(100) {
            0..60 => {
                // callers that come at once wait for the same load
                for _ in 0..=self.random.below(2) {
                    let read = process.clone().read(key, false);
                    self.executor.spawn(number, Box::pin(read));
                }
            }
            60..75 => self
                .executor
                .spawn(number, Box::pin(process.update(key, true))),
            75..78 => self
                .executor
                .spawn(number, Box::pin(process.update(key, false))),
            78..88 if key < 8 => {
                let writes = self.random.comes(60);
                self.executor
                    .spawn(number, Box::pin(process.put(key, writes)));
            }
            78..93 => {
                let (tenant, user) = (key as u64 / 2 % 2, key as u64 % 2);
                let scope = if self.random.comes(50) {
                    scope::user(tenant, user)
                } else {
                    scope::tenant(tenant)
                };
                let update = process.update_all(within(&scope), Some(scope));
                self.executor.spawn(number, Box::pin(update));
            }
            93..95 => {
                let update = process.update_all(ALL.collect(), None);
                self.executor.spawn(number, Box::pin(update));
            }
            _ => self
                .executor
                .spawn(number, Box::pin(process.send_unsent(false))),
        }
    }

    /// Causes a fault.
    fn fault(&mut self, number: usize) {
        // in some cases longer than copies are kept without reports of changes
        let longest = if self.random.comes(20) { 400 } else { 60 };
        let span = self.random.below(longest);
        match self.random.below(10) {
            0..2 => self.crash(number),
            2..5 => {
                if let Some(process) = self.executor.cancel_one(&mut self.random) {
                    let mut state = self.world.lock();
                    state.say(|| format!("a caller of {process} goes away"));
                    // the dropped call may have been an invalidation
                    state.truth.invalidated(process, ALL);
                }
            }
            5..8 => {
                let mut state = self.world.lock();
                state.say(|| format!("{number} is cut off"));
                state.links[number].up = false;
                state.disconnect(number);
                state.after(span, move |world| {
                    world.lock().links[number].up = true;
                    world.connect(number);
                });
            }
            _ => {
                let mut state = self.world.lock();
                state.say(|| format!("{number} is told nothing"));
                state.disconnect(number);
                state.after(span, move |world| world.connect(number));
            }
        }
    }

    /// Ends a process, with everything it has.
    fn crash(&mut self, number: usize) {
        let Some(process) = self.processes[number].take() else {
            return;
        };
        self.world.say(|| format!("{number} crashes"));
        process.cache.shutdown();
        self.executor.end(number);
        self.executor.run_background();
        self.world.lock().ends(number);
    }

    /// The process of this number, started if there is none.
    fn started(&mut self, number: usize) -> Process {
        let world = &self.world;
        let process = self.processes[number].get_or_insert_with(|| {
            world.say(|| format!("{number} starts"));
            Process::start(world, number)
        });
        process.clone()
    }

    /// Ends all faults and delivers everything: every call must end, and all processes must agree.
    fn settle(&mut self) {
        self.world.say(|| "all is well from now on".to_owned());
        let count = self.processes.len();
        self.world.lock().loss = 0;
        for number in 0..count {
            self.started(number);
            self.world.lock().links[number].up = true;
            self.world.connect(number);
        }
        // until the tier is called again
        self.world.lock().after(2 * PAUSE, |_| ());
        self.drain();
        self.send_unsent();
        self.world.lock().truth.carried_out();
        // invalidations whose process ended before it saw an answer are done again by another process
        let unsettled = self.world.lock().truth.unsettled();
        for key in unsettled {
            let process = self.started(0);
            self.executor.spawn(0, Box::pin(process.update(key, false)));
        }
        self.drain();
        // the tier may not be called again yet
        self.send_unsent();
        for number in 0..count {
            for key in self.keys.clone() {
                let process = self.started(number);
                self.executor
                    .spawn(number, Box::pin(process.read(key, true)));
            }
        }
        self.drain();
        let (tasks, bodies) = (self.executor.live(), self.world.lock().truth.bodies());
        if (tasks, bodies) != (0, 0) {
            self.fail(&format!("{tasks} calls and {bodies} bodies never end"));
        }
    }
}

impl Schedule {
    fn send_unsent(&mut self) {
        for number in 0..self.processes.len() {
            let process = self.started(number);
            let work = Box::pin(process.send_unsent(true));
            self.executor.spawn(number, work);
        }
        self.drain();
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("the seed was CACHEADO_SEED={}", self.seed);
        }
        // background work must not be dropped by a runtime that no longer exists
        for number in 0..self.processes.len() {
            self.crash(number);
        }
    }
}
