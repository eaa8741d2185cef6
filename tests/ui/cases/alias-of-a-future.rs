use std::future::{Ready, ready};
use std::pin::Pin;

use cacheado::cache;

type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

trait Boxes: Future + Sized + Send + 'static {
    fn boxed(self) -> Later<Self::Output> {
        Box::pin(self)
    }
}

impl<F: Future + Send + 'static> Boxes for F {}

#[cache]
fn orders(limit: usize) -> Later<usize> {
    Box::pin(async move { limit })
}

#[cache]
fn by_method(limit: usize) -> Later<usize> {
    let twice = limit * 2;
    async move { twice }.boxed()
}

struct Shop;

impl Shop {
    #[cache(skip(self))]
    fn price(&self, id: u64) -> Later<u64> {
        std::boxed::Box::pin(async move { id })
    }
}

// a future that is a value of its own
#[cache(local)]
fn shared(id: u64) -> Ready<u64> {
    ready(id)
}

fn main() {
    let _ = (shared(1), Shop.price(1), orders(2), by_method(3));
}
