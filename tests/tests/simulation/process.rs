//! What a process does with its cache.

use std::time::Duration;

use cacheado::{Cache, Scope, cache, evict, refresh};

use crate::network::Wire;
use crate::scope;
use crate::truth::{Begun, Floors, value};
use crate::world::{Time, World};

/// The longest life of a copy in a process that receives no reports of changes.
pub const COHERENCE: Time = 50;
/// The longest time until a body reads the source, and again until it returns.
pub const BODY: Time = 8;
/// How long the tier is not called after failures.
pub const PAUSE: Time = 25;

const TTL: Duration = Duration::from_millis(400);
const STALE: Duration = Duration::from_millis(300);

/// A process: its cache and its world.
#[derive(Clone)]
pub struct Process {
    pub world: World,
    pub cache: Cache,
    pub number: usize,
    pub incarnation: u64,
}

/// A call of a cached function.
#[derive(Clone)]
pub struct Call {
    process: Process,
    key: usize,
    number: u64,
    begun: Begun,
    /// What the body does to the source.
    source: Source,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Reads,
    /// Reads the source for a refresh.
    ReadsAnew,
    /// Changes the source, for a refresh.
    Writes,
}

#[cache(name = "plain", ttl = TTL, scope = "user", cache = call.process.cache, skip(call))]
async fn plain(call: &Call, tenant_id: u64, user_id: u64) -> u64 {
    call.body().await
}

#[cache(name = "aged", ttl = TTL, stale = STALE, scope = "user", cache = call.process.cache, skip(call))]
async fn aged(call: &Call, tenant_id: u64, user_id: u64) -> u64 {
    call.body().await
}

/// The ids of the tenant and the user.
fn ids(key: usize) -> (u64, u64) {
    (key as u64 / 2 % 2, key as u64 % 2)
}

fn scope_of(key: usize) -> Scope {
    let (tenant, user) = ids(key);
    scope::user(tenant, user)
}

impl Process {
    /// A process with an empty cache.
    pub fn start(world: &World, number: usize) -> Self {
        let incarnation = world.lock().links[number].incarnation;
        let clock = world.lock().clock.clone();
        let wire = Wire {
            world: world.clone(),
            process: number,
            incarnation,
        };
        let cache = Cache::builder()
            .clock(clock)
            .backend(wire)
            .coherence(Duration::from_millis(COHERENCE))
            .circuit_breaker(3, Duration::from_millis(PAUSE))
            // real time, which must not matter
            .flight_timeout(Duration::from_secs(3600))
            .__sends_by_hand();
        Self {
            world: world.clone(),
            cache: cache.build().expect("it makes sense"),
            number,
            incarnation,
        }
    }

    fn call(&self, key: usize, source: Source) -> Call {
        let mut state = self.world.lock();
        let now = state.now();
        let number = state.truth.number();
        state.say(|| format!("{} calls {key} ({number})", self.number));
        Call {
            process: self.clone(),
            key,
            number,
            begun: state.truth.call(self.number, key, now),
            source,
        }
    }

    /// Calls the function of `key`. `exact`: the result must be what the source has.
    pub async fn read(self, key: usize, exact: bool) {
        let call = self.call(key, Source::Reads);
        let (tenant, user) = ids(key);
        let found = match key / 4 {
            0 => plain(&call, tenant, user).await,
            1 => aged(&call, tenant, user).await,
            _ => {
                let body = call.clone();
                let load = self
                    .cache
                    .get_or_load("value", || async move { body.body().await });
                let loaded = load.scope(scope_of(key)).ttl(TTL).await;
                loaded.expect("it never fails")
            }
        };
        call.returned(found);
        if exact {
            let mut state = self.world.lock();
            let true_one = value(key, state.truth.source[key]);
            if found != true_one {
                state.truth.fail(format!(
                    "in the end {} has {key} of version {} where the source has {}",
                    self.number,
                    found & 0xffff_ffff,
                    true_one & 0xffff_ffff
                ));
            }
        }
    }

    /// Refreshes the value of `key`, which is stored as newer than any other.
    pub async fn put(self, key: usize, writes: bool) {
        let source = if writes {
            Source::Writes
        } else {
            Source::ReadsAnew
        };
        let call = self.call(key, source);
        let _over = PutIsOver(&call);
        let (tenant, user) = ids(key);
        let put = match key / 4 {
            0 => refresh!(plain(&call, tenant, user)).await,
            _ => refresh!(aged(&call, tenant, user)).await,
        };
        call.returned(put);
        self.bound(&vec![(key, put & 0xffff_ffff)]);
    }

    /// Changes the source if `changes`, and then evicts `key`.
    pub async fn update(self, key: usize, changes: bool) {
        let call = self.call(key, Source::Reads);
        let floors = self.changed(vec![key], changes);
        let (tenant, user) = ids(key);
        let evicted = match key / 4 {
            0 => evict!(plain(&call, tenant, user)).await,
            1 => evict!(aged(&call, tenant, user)).await,
            _ => self.cache.evict("value").scope(scope_of(key)).await,
        };
        self.say_invalidated(evicted.is_ok(), &floors);
        self.bound(&floors);
    }

    /// Changes the source, and then evicts a scope; `None`: clears the cache.
    pub async fn update_all(self, keys: Vec<usize>, scope: Option<Scope>) {
        let floors = self.changed(keys, true);
        let done = match scope {
            Some(scope) => self.cache.evict_by_scope(scope).await.is_ok(),
            None => self.cache.clear().await.is_ok(),
        };
        self.say_invalidated(done, &floors);
        self.bound(&floors);
    }

    /// Sends what could not be sent; `all`: until nothing is left.
    pub async fn send_unsent(self, all: bool) {
        while self.cache.__send_next().await && all {}
    }

    fn changed(&self, keys: Vec<usize>, changes: bool) -> Floors {
        let mut state = self.world.lock();
        let source = &mut state.truth.source;
        let mut floors = Floors::new();
        for key in keys {
            source[key] += u64::from(changes);
            floors.push((key, source[key]));
        }
        let keys = floors.iter().map(|it| it.0);
        state.truth.invalidated(self.number, keys);
        state.truth.owes(self.number, &floors);
        state.say(|| format!("{} invalidates {floors:?}", self.number));
        floors
    }

    fn say_invalidated(&self, done: bool, floors: &Floors) {
        let how = if done { "has" } else { "could not have" };
        self.world
            .say(|| format!("{} {how} invalidated {floors:?}", self.number));
    }

    /// An invalidation returned, as done or as failed: in either case this process's own cache serves nothing older.
    fn bound(&self, floors: &Floors) {
        self.world.lock().truth.binds(self.number, floors);
    }
}

impl Call {
    async fn body(&self) -> u64 {
        let world = &self.process.world;
        let here = self.process.number;
        let _over = (self.source == Source::Reads).then(|| {
            let mut state = world.lock();
            state.say(|| format!("{here} is to load {} ({})", self.key, self.number));
            let number = state.truth.body(here, self.key, self.begun.since);
            BodyIsOver(&self.process, number)
        });
        world.pause(BODY).await;
        let version = {
            let mut state = world.lock();
            state.truth.source[self.key] += u64::from(self.source == Source::Writes);
            let version = state.truth.source[self.key];
            state.say(|| format!("{here} loads {}.{version} ({})", self.key, self.number));
            version
        };
        world.pause(BODY).await;
        if self.source != Source::Reads {
            let from = (here, self.process.incarnation);
            let mut state = world.lock();
            state.truth.puts(self.number, from, self.key, version);
            state.truth.invalidated(here, [self.key]);
        }
        value(self.key, version)
    }

    fn returned(&self, found: u64) {
        let mut state = self.process.world.lock();
        let here = self.process.number;
        state.say(|| {
            format!(
                "{here} has {}.{} ({})",
                self.key,
                found & 0xffff_ffff,
                self.number
            )
        });
        state.truth.returned(here, self.key, self.begun, found);
    }
}

/// Notes that a body is over, however it ends.
struct BodyIsOver<'a>(&'a Process, u64);

impl Drop for BodyIsOver<'_> {
    fn drop(&mut self) {
        self.0
            .world
            .lock()
            .truth
            .body_is_over(self.0.number, self.1);
    }
}

struct PutIsOver<'a>(&'a Call);

impl Drop for PutIsOver<'_> {
    fn drop(&mut self) {
        let mut state = self.0.process.world.lock();
        state.truth.put_is_over(self.0.number);
    }
}
