//! A body that may outlive its call may run on another thread, so its arguments have to go there: each that can't is one error.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cacheado::cache;

#[cache(ttl = 3, stale = 5, skip(count))]
fn blocking(count: Rc<u64>) -> u64 {
    *count
}

#[cache(ttl = 3, stale = 5, skip(count))]
async fn captured(count: Rc<u64>) -> u64 {
    *count
}

#[cache(timeout = 0.5, ttl = 3, stale = 5, skip(count))]
async fn over_an_await(mut count: Rc<u64>) -> u64 {
    tokio::task::yield_now().await;
    count = Rc::new(*count + 1);
    *count
}

#[cache(ttl = |_| Duration::from_secs(*count), refresh_after = 0.5, skip(count))]
async fn in_a_closure(count: Rc<u64>, x: u64) -> u64 {
    x
}

#[cache(ttl = 3, stale = 5, skip(count))]
fn shared(count: Arc<Cell<u64>>) -> u64 {
    count.get()
}

#[cache(ttl = 3, stale = 5, skip(count))]
fn taken_apart((count, _): (Rc<u64>, u64)) -> u64 {
    *count
}

#[cache(ttl = 3, stale = 5, skip(of))]
fn generic<T: 'static>(of: T) -> usize {
    size_of_val(&of)
}

#[cache(ttl = 3, stale = 5, skip(of))]
fn unnamed(of: impl Fn() -> u64) -> u64 {
    of()
}

#[cache(ttl = 3, stale = 5, skip(count))]
async fn lent(count: &Rc<u64>) -> u64 {
    tokio::task::yield_now().await;
    **count
}

#[cache(ttl = 3, stale = 5, skip(of))]
fn lent_generic<T: Clone + 'static>(of: &T) -> usize {
    size_of_val(of)
}

#[derive(Clone)]
struct Shop(Rc<u64>);

impl Shop {
    #[cache(ttl = 3, stale = 5, skip(self))]
    fn lent(&self) -> u64 {
        *self.0
    }

    #[cache(ttl = 3, stale = 5, skip(self))]
    fn consumed(self) -> u64 {
        *self.0
    }

    #[cache(ttl = 3, stale = 5, skip(self))]
    async fn counted(self: Rc<Self>) -> u64 {
        *self.0
    }
}

fn main() {}
