//! Functions of many ids, `#[cache(batch(ids))]`: the requirements of generated code, and the call that it hands the body to.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::pin;

use cacheado_backends::{IdText, Key};
use serde::Serialize;

use crate::batch::Batch;
use crate::cache::Cache;
use crate::function::{Function, Mode};
use crate::ids::Ids;
use crate::load::active::{outside, polled_outside};
use crate::outcome::{Decision, Kind, Outcome, Portable, Value};
use crate::value::Typed;
use crate::way::{Way, blocking};

/// The return type of a function of many ids: a map from ids to values. An id that is not in the map has no value.
#[diagnostic::on_unimplemented(
    message = "a function with `batch` returns a map from its ids to their values",
    label = "`{Self}` is no map of `{I}`",
    note = "return a `HashMap<Id, Value>` or a `BTreeMap<Id, Value>`, or a `Result` of one, where `Id` is `From<{I}>`"
)]
pub trait Batched<I> {
    /// The type stored under each id.
    type Value;

    /// Takes the value of `id` out of the map.
    fn take(&mut self, id: I) -> Option<Self::Value>;

    /// The map of these pairs.
    fn of(values: impl Iterator<Item = (I, Self::Value)>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<I, Id, V, S> Batched<I> for HashMap<Id, V, S>
where
    Id: From<I> + Eq + Hash,
    S: BuildHasher + Default,
{
    type Value = V;

    fn take(&mut self, id: I) -> Option<V> {
        self.remove(&Id::from(id))
    }

    fn of(values: impl Iterator<Item = (I, V)>) -> Self {
        values.map(|(id, value)| (id.into(), value)).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<I, Id, V> Batched<I> for BTreeMap<Id, V>
where
    Id: From<I> + Ord,
{
    type Value = V;

    fn take(&mut self, id: I) -> Option<V> {
        self.remove(&Id::from(id))
    }

    fn of(values: impl Iterator<Item = (I, V)>) -> Self {
        values.map(|(id, value)| (id.into(), value)).collect()
    }
}

/// The map in a return type.
type Map<R, K> = <K as Outcome<R>>::Stored;

/// The type of [`Batched::of`].
type MakeMap<R, K, I, V> = fn(Vec<(I, V)>) -> Map<R, K>;

/// How the values `V` of one function of many ids are kept, and how its map is taken apart and made.
pub struct BatchCarry<R, K: Outcome<R>, I, V> {
    typed: Typed<V>,
    clone: fn(&I) -> I,
    take: fn(&mut Map<R, K>, I) -> Option<V>,
    map: MakeMap<R, K, I, V>,
}

impl<R, K: Outcome<R>, I, V> BatchCarry<R, K, I, V> {
    /// Those of `ids` at the given positions.
    fn at(&self, ids: &[I], places: &[usize]) -> Vec<I> {
        let ids = places.iter().map(|&place| &ids[place]);
        ids.map(self.clone).collect()
    }

    /// The body's values for `ids`.
    fn taken(&self, map: &mut Map<R, K>, ids: Vec<I>) -> Vec<Option<V>> {
        let ids = ids.into_iter();
        ids.map(|id| (self.take)(map, id)).collect()
    }

    /// The function's return value: each id with the value that was found for it.
    fn restored(&self, ids: Vec<I>, values: Vec<Option<V>>) -> R {
        let found = ids.into_iter().zip(values);
        let found = found.filter_map(|(id, value)| Some((id, value?)));
        K::restore((self.map)(found.collect()))
    }
}

impl<R, K, I, V> BatchCarry<R, K, I, V>
where
    K: Outcome<R>,
    I: Clone,
    Map<R, K>: Batched<I, Value = V>,
{
    fn new(typed: Typed<V>) -> Self {
        Self {
            typed,
            clone: Clone::clone,
            take: Batched::take,
            map: |values| Batched::of(values.into_iter()),
        }
    }
}

/// For values that can leave the process.
#[must_use]
pub fn batch_portable<R, K, I>(
    _: &[I],
    _: Kind<R, K>,
) -> BatchCarry<R, K, I, <Map<R, K> as Batched<I>>::Value>
where
    K: Outcome<R>,
    I: Clone,
    Map<R, K>: Batched<I, Value: Portable>,
{
    BatchCarry::new(Typed::PORTABLE)
}

/// For values that stay in the process.
#[must_use]
pub fn batch_local<R, K, I>(
    _: &[I],
    _: Kind<R, K>,
) -> BatchCarry<R, K, I, <Map<R, K> as Batched<I>>::Value>
where
    K: Outcome<R>,
    I: Clone,
    Map<R, K>: Batched<I, Value: Value>,
{
    BatchCarry::new(Typed::LOCAL)
}

/// Names a call. `args` makes the key of each of `ids`; `scope` has the ids of their scope.
pub fn batch<'i, 's, R, K, I, V, A, S, const IDS: usize>(
    function: &'static Function,
    carry: BatchCarry<R, K, I, V>,
    mode: Mode,
    cache: &Cache,
    scope: S,
    ids: &'i [I],
    args: impl Fn(&'i I) -> A,
) -> PendingBatch<R, K, I, V>
where
    K: Outcome<R>,
    V: 'static,
    A: Serialize,
    S: Ids<'s, IDS>,
{
    let scope = scope.texts();
    let scope = scope.each_ref().map(IdText::as_bytes);
    let args = ids.iter().map(args);
    let cached = mode != Mode::Bypass;
    let keys = cached.then(|| function.keys::<V, A>(cache, carry.typed.values, &scope, args));
    PendingBatch {
        keys: keys.flatten().map(|keys| (cache.clone(), keys)),
        ids: ids.iter().map(carry.clone).collect(),
        function,
        carry,
    }
}

/// A call of a function of many ids. It owns all it needs and borrows nothing of the arguments, which the body may consume.
///
/// It has no bounds on the types of ids and values. [`batch_portable`] has them, so a type error is reported only once.
#[must_use = "naming a call does nothing"]
pub struct PendingBatch<R, K: Outcome<R>, I, V> {
    /// `None`: the body runs for all ids, and nothing is stored.
    keys: Option<(Cache, Vec<Key>)>,
    ids: Vec<I>,
    function: &'static Function,
    carry: BatchCarry<R, K, I, V>,
}

impl<R, K: Outcome<R>, I, V> PendingBatch<R, K, I, V> {
    /// The values of all ids. Runs the body once for the missing ids, if there are any.
    pub fn load(self, body: impl FnOnce(Vec<I>) -> R) -> R {
        let ttl = self.function.ttl();
        self.load_if(|_| Decision::Store { ttl }, body)
    }

    /// As [`load`](Self::load). `decide` says what becomes of each value that the body returns.
    pub fn load_if(self, decide: impl FnMut(&V) -> Decision, body: impl FnOnce(Vec<I>) -> R) -> R {
        let Some((cache, keys)) = self.keys else {
            return outside(|| body(self.ids));
        };
        let aging = cache.aging_of(Some(self.function.aging()));
        let mut batch = Batch::begin(&cache, self.carry.typed, aging, keys, Way::Blocking);
        blocking(|way| batch.look(way, true));
        let missing = batch.missing(true);
        if !missing.is_empty() {
            let asked = self.carry.at(&self.ids, &missing);
            let mut loaded = match K::split(batch.run(|| body(asked))) {
                Ok(loaded) => loaded,
                Err(ret) => return ret,
            };
            let asked = self.carry.at(&self.ids, &missing);
            let loaded = self.carry.taken(&mut loaded, asked);
            blocking(|way| batch.store(way, loaded, decide));
        }
        self.carry.restored(self.ids, batch.finish())
    }

    /// As [`load`](Self::load), without blocking.
    pub fn load_async<B: Future<Output = R>>(
        self,
        body: impl FnOnce(Vec<I>) -> B,
    ) -> impl Future<Output = R> {
        let ttl = self.function.ttl();
        self.load_async_if(move |_| Decision::Store { ttl }, body)
    }

    /// As [`load_if`](Self::load_if), without blocking.
    pub async fn load_async_if<B: Future<Output = R>>(
        self,
        decide: impl FnMut(&V) -> Decision,
        body: impl FnOnce(Vec<I>) -> B,
    ) -> R {
        let Some((cache, keys)) = self.keys else {
            return polled_outside(pin!(body(self.ids))).await;
        };
        let aging = cache.aging_of(Some(self.function.aging()));
        let mut batch = Batch::begin(&cache, self.carry.typed, aging, keys, Way::Async);
        batch.look(Way::Async, true).await;
        let missing = batch.missing(true);
        if !missing.is_empty() {
            let asked = self.carry.at(&self.ids, &missing);
            let mut loaded = match K::split(batch.run_async(pin!(body(asked))).await) {
                Ok(loaded) => loaded,
                Err(ret) => return ret,
            };
            let asked = self.carry.at(&self.ids, &missing);
            let loaded = self.carry.taken(&mut loaded, asked);
            batch.store(Way::Async, loaded, decide).await;
        }
        self.carry.restored(self.ids, batch.finish())
    }
}
