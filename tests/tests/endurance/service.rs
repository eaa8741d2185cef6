//! A service: the users of its caches, and the life of what is in them.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use cacheado::{Cache, Scope};
use cacheado_tests::random::Random;
use futures::FutureExt;
use futures::executor::block_on;
use tokio::runtime::Runtime;

use crate::allocator::live_bytes;
use crate::calls::{Asked, Call};
use crate::comes;
use crate::fleet::{Fleet, KINDS};
use crate::functions::{AWAITED, DETACHED};
use crate::scope;
use crate::truth::{Tenant, tenants, values};

/// The most threads that use one cache at once.
const CROWD: usize = 20;

/// The calls of a blocking user.
fn blocking(asked: &Asked, tenants: &[Arc<Tenant>], mut random: Random) {
    for _ in 0..30 {
        let call = Call::any(asked, tenants, &mut random);
        if random.comes(15) {
            call.change(&mut random);
        } else {
            call.read(&mut random);
        }
    }
}

/// The calls of an async user. Some of its futures are dropped before they complete.
async fn awaiting(asked: &Asked, tenants: &[Arc<Tenant>], mut random: Random) {
    for _ in 0..15 {
        let call = Call::any(asked, tenants, &mut random);
        let function = AWAITED + random.index(DETACHED - AWAITED + 1);
        // a panicking body does not end its caller
        let mut read = Box::pin(AssertUnwindSafe(call.read_async(function)).catch_unwind());
        let over = if random.comes(20) {
            let mut over = None;
            for _ in 0..=random.below(2) {
                if over.is_none() {
                    over = poll_once(&mut read).await;
                }
            }
            over
        } else {
            Some(read.await)
        };
        if let Some(Err(panic)) = over
            && panic.downcast_ref() != Some(&"as asked")
        {
            resume_unwind(panic);
        }
    }
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match futures::poll!(future) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Stores entries with lifetimes of every magnitude, since a cache allocates the parts of its expiry schedule at first use.
fn use_all_of_the_schedule(cache: &Cache) {
    for power in 24..60 {
        let lifetime = Duration::from_nanos(1 << power);
        for key in 0..30 {
            // it may be refused
            let _ = cache.set((power, key), &key).ttl(lifetime).run();
        }
        let _ = cache.clear().run();
    }
}

/// Everything that makes up a service.
pub struct Service {
    pub fleet: Arc<Fleet>,
    runtime: Runtime,
    random: Random,
    round: u64,
}

impl Service {
    pub fn new(random: Random) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build();
        Self {
            fleet: Arc::new(Fleet::new()),
            runtime: runtime.unwrap(),
            random,
            round: 0,
        }
    }

    fn random(&mut self) -> Random {
        Random::new(self.random.number())
    }

    /// Users of a new organization.
    fn newcomers(&mut self, cache: &str) -> Vec<Arc<Tenant>> {
        let org = format!("{cache}/{}/{}", self.round, self.random.number());
        (0..2).map(|user| Tenant::new(org.clone(), user)).collect()
    }

    /// Threads and tasks use `asked` while time advances, and end with that.
    fn use_cache(&mut self, asked: &Asked) {
        let tenants = self.newcomers(asked.name);
        let [one, two, three, four] = std::array::from_fn(|_| self.random());
        let pause = Duration::from_secs([1, 600, 1800, 3000][self.random.index(4)]);
        thread::scope(|scope| {
            scope.spawn(|| blocking(asked, &tenants, one));
            scope.spawn(|| blocking(asked, &tenants, two));
            scope.spawn(|| block_on(awaiting(asked, &tenants, three)));
            scope.spawn(|| {
                for _ in 0..4 {
                    thread::yield_now();
                    self.fleet.clock.advance(pause);
                }
            });
            self.runtime.block_on(awaiting(asked, &tenants, four));
        });
        if self.random.comes(30) {
            let org = scope::organization(tenants[0].org.as_str());
            // if the store does not receive it now, it does later
            let _ = asked.cache.evict_by_scope(org).run();
        }
    }

    /// Newcomers use each cache, and short-lived caches come and go; then a long time passes.
    pub fn rounds(&mut self, count: u64) {
        for _ in 0..count {
            self.round += 1;
            let fleet = Arc::clone(&self.fleet);
            for asked in &fleet.caches {
                self.use_cache(asked);
            }
            for _ in 0..3 {
                // dropped while its bodies still run in the background
                let (short_lived, _) = fleet.cache(self.random.index(KINDS));
                self.use_cache(&short_lived);
            }
            for chaos in &fleet.chaos {
                match self.round % 8 {
                    0 => chaos.fail(1.0),
                    1 => chaos.fail(0.05),
                    _ => chaos,
                };
            }
            let hours = [1, 24, 30 * 24][self.random.index(3)];
            fleet.clock.advance(Duration::from_hours(hours));
        }
    }

    /// More threads at once than at any later time: a later thread takes over what a cache keeps for a thread's counts.
    pub fn rush(&mut self) {
        let fleet = Arc::clone(&self.fleet);
        for asked in &fleet.caches {
            let tenants = self.newcomers(asked.name);
            let all_there = Barrier::new(CROWD);
            thread::scope(|scope| {
                for _ in 0..CROWD {
                    let random = self.random();
                    scope.spawn(|| {
                        blocking(asked, &tenants, random);
                        all_there.wait();
                    });
                }
            });
            use_all_of_the_schedule(&asked.cache);
        }
    }

    /// Lets everything expire or evicts it, checks that nothing is left of it, and returns the bytes still held.
    pub fn settle(&mut self) -> i64 {
        let fleet = Arc::clone(&self.fleet);
        fleet.clock.advance(Duration::from_hours(1));
        comes("the end of all bodies", || tenants() == 0);
        for chaos in &fleet.chaos {
            chaos.calm();
        }
        for asked in &fleet.caches {
            if self.random.comes(50) {
                asked.cache.clear().run().unwrap();
            } else {
                let everything = asked.cache.evict_by_scope(Scope::global());
                everything.run().unwrap();
            }
            assert_eq!(asked.cache.stats().total_keys, 0, "{}", asked.name);
            asked.has_counted();
        }
        fleet.client.forget();
        comes("the end of all values", || values() == 0);
        live_bytes()
    }
}
