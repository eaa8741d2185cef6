//! One schedule: what is done, and in what order all goes on, until nothing is left to be done.

use crate::executor::Executor;
use crate::process::{PAUSE, Process};
use crate::scope;
use crate::truth::{ALL, within};
use crate::world::{Time, World};
use cacheado_tests::random::Random;

/// Nothing takes as many steps that ends.
const MOST_STEPS: u64 = 100_000;

/// So long it takes at most from one operation to the next, in most cases.
const BETWEEN: Time = 12;

pub struct Schedule {
    seed: u64,
    random: Random,
    world: World,
    executor: Executor,
    processes: Vec<Option<Process>>,
    /// The keys that are used: few, so that they meet.
    keys: Vec<usize>,
    /// In how many cases of a hundred an operation is a fault.
    faults: u64,
    calls: u64,
    steps: u64,
}

impl Schedule {
    /// The one of `seed`. `told`: it tells what happens.
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

    /// Runs it to the end. Returns how many calls there were.
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

    /// Goes on until nothing is left that could.
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

    /// Does something.
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
                // who comes at once waits for the same load
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

    /// Something goes wrong.
    fn fault(&mut self, number: usize) {
        // in some cases for longer than copies are kept in which nobody is told of changes
        let longest = if self.random.comes(20) { 400 } else { 60 };
        let span = self.random.below(longest);
        match self.random.below(10) {
            0..2 => self.crash(number),
            2..5 => {
                if let Some(process) = self.executor.cancel_one(&mut self.random) {
                    let mut state = self.world.lock();
                    state.say(|| format!("a caller of {process} goes away"));
                    // it may have been an invalidation
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

    /// A process goes away, with all it has.
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

    /// A process, which begins if there is none.
    fn started(&mut self, number: usize) -> Process {
        let world = &self.world;
        let process = self.processes[number].get_or_insert_with(|| {
            world.say(|| format!("{number} starts"));
            Process::start(world, number)
        });
        process.clone()
    }

    /// Nothing goes wrong any more, and all is delivered: every call ends, and all agree.
    fn settle(&mut self) {
        self.world.say(|| "all is well from now on".to_owned());
        let count = self.processes.len();
        self.world.lock().loss = 0;
        for number in 0..count {
            self.started(number);
            self.world.lock().links[number].up = true;
            self.world.connect(number);
        }
        // until the tier is asked again
        self.world.lock().after(2 * PAUSE, |_| ());
        self.drain();
        self.send_unsent();
        self.world.lock().truth.carried_out();
        // who saw no answer, since it is no more, is followed by one who does it again
        let unsettled = self.world.lock().truth.unsettled();
        for key in unsettled {
            let process = self.started(0);
            self.executor.spawn(0, Box::pin(process.update(key, false)));
        }
        self.drain();
        // the tier may not be asked again as yet
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
        // those that wait in the background are not to be dropped by a runtime that is not there any more
        for number in 0..self.processes.len() {
            self.crash(number);
        }
    }
}
