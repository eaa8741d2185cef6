//! What is compared: a cache and a way to call it, as one type, so that the loop around the call is compiled for it.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::histogram::Histogram;
use crate::shapes::{self, Shape};

/// A cache, called as its own documentation recommends.
pub(crate) trait Contender<S: Shape>: Send + Sync {
    /// Looks up, and loads on a miss.
    fn get(&self, key: &S::Key) -> S::Value;

    /// Stores a value. Returns false if that is not possible.
    fn put(&self, key: &S::Key, value: S::Value) -> bool;

    /// Runs what the cache has deferred. Never timed.
    fn settle(&self) {}
}

/// A stream of requests: the keys, and the order in which they are requested.
pub(crate) struct Requests<'a, S: Shape> {
    pub(crate) keys: &'a [S::Key],
    pub(crate) order: &'a [u32],
}

impl<'a, S: Shape> Requests<'a, S> {
    /// The share of one of several threads.
    pub(crate) fn share(&self, thread: usize, threads: usize) -> Self {
        let each = self.order.len() / threads;
        Self {
            keys: self.keys,
            order: &self.order[thread * each..(thread + 1) * each],
        }
    }

    fn iter(&self) -> impl Iterator<Item = &'a S::Key> {
        let Self { keys, order } = *self;
        order.iter().map(|&nth| &keys[nth as usize])
    }
}

/// A [`Contender`] behind a pointer: one indirect call for a whole stream, and none inside.
pub(crate) trait Lane<S: Shape>: Send + Sync {
    /// Gets each request.
    fn read(&self, requests: &Requests<'_, S>);

    /// Gets each request, except one in `every`, which puts.
    fn mixed(&self, requests: &Requests<'_, S>, every: usize);

    /// Gets each request, and records how long each hit took.
    fn time_hits(&self, requests: &Requests<'_, S>) -> Histogram;

    /// Whether [`Lane::mixed`] can put. Tries it with one key.
    fn can_put(&self, key: &S::Key) -> bool;

    /// Runs what the cache has deferred. Never timed.
    fn settle(&self);
}

impl<S: Shape, C: Contender<S>> Lane<S> for C {
    fn read(&self, requests: &Requests<'_, S>) {
        for key in requests.iter() {
            black_box(self.get(black_box(key)));
        }
    }

    fn mixed(&self, requests: &Requests<'_, S>, every: usize) {
        for (nth, key) in requests.iter().enumerate() {
            if nth % every == 0 {
                black_box(self.put(black_box(key), S::load(S::borrow(key))));
            } else {
                black_box(self.get(black_box(key)));
            }
        }
    }

    fn time_hits(&self, requests: &Requests<'_, S>) -> Histogram {
        let mut histogram = Histogram::default();
        for key in requests.iter() {
            let before = shapes::loads();
            let began = Instant::now();
            let value = black_box(self.get(black_box(key)));
            let took = began.elapsed();
            drop(value);
            if shapes::loads() == before {
                histogram.add(took);
            }
        }
        histogram
    }

    fn can_put(&self, key: &S::Key) -> bool {
        self.put(key, S::load(S::borrow(key)))
    }

    fn settle(&self) {
        Contender::settle(self);
    }
}

/// A contender that is not created yet.
pub(crate) struct Maker<S: Shape> {
    pub(crate) name: &'static str,
    /// Creates one with room for so many entries, if it is bounded. One made by an attribute exists once in a process, with the bound
    /// that the attribute states.
    pub(crate) make: fn(usize) -> Box<dyn Lane<S>>,
}

/// Makes a type that stands for an attribute's cache a contender for a shape. Without the second closure, it can't store.
macro_rules! contender {
    ($type:ty, $shape:ty, |$key:ident| $get:expr $(,)?) => {
        $crate::contender::contender!($type, $shape, |$key| $get, |_key, _value| false);
    };
    ($type:ty, $shape:ty, |$key:ident| $get:expr, |$to:ident, $value:ident| $put:expr $(,)?) => {
        impl $crate::contender::Contender<$shape> for $type {
            #[inline]
            fn get(
                &self,
                $key: &<$shape as $crate::shapes::Shape>::Key,
            ) -> <$shape as $crate::shapes::Shape>::Value {
                $get
            }

            #[inline]
            fn put(
                &self,
                $to: &<$shape as $crate::shapes::Shape>::Key,
                $value: <$shape as $crate::shapes::Shape>::Value,
            ) -> bool {
                $put
            }
        }
    };
}
pub(crate) use contender;

/// The output of a future that never waits. This shows what an async hit costs, without a runtime.
#[inline]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
        std::thread::yield_now();
    }
}
