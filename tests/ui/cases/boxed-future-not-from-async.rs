use cacheado::cache;

use std::pin::Pin;

#[cache]
fn orders(limit: usize) -> Pin<Box<dyn Future<Output = usize>>> {
    let future = async move { limit };
    Box::pin(future)
}

fn main() {}
