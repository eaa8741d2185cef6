use std::future::Future;
use std::pin::Pin;

use cacheado::cache;

cacheado::scopes! {
    organization(org_id)
}

#[cache]
fn changed(mut id: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    id /= 10;
    Box::pin(async move { id })
}

#[cache]
fn bound_anew(id: u32) -> Pin<Box<dyn Future<Output = String> + Send>> {
    let id = id + 1;
    Box::pin(async move { id.to_string() })
}

#[cache(scope = "organization")]
fn id_of_scope(org_id: String) -> Pin<Box<dyn Future<Output = String> + Send>> {
    let (_, org_id) = ("", org_id.to_uppercase());
    Box::pin(async move { org_id })
}

#[cache]
fn pattern((a, b): (u32, u32)) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    let sum = a;
    Box::pin(async move { sum + b })
}

#[cache(skip(fresh), bypass = fresh)]
fn bypassed(fresh: bool) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    let fresh = !fresh;
    Box::pin(async move { u32::from(fresh) })
}

struct Counter {
    count: u32,
}

impl Counter {
    #[cache(key = self.count)]
    fn next(&mut self) -> Pin<Box<dyn Future<Output = u32> + Send + '_>> {
        self.count += 1;
        Box::pin(async move { self.count })
    }
}

mod other {
    pub const id: u32 = 1;
}

#[cache]
#[allow(unused_variables)]
fn hidden(id: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
    use other::*;
    println!("runs");
    Box::pin(async move { id })
}

fn main() {
    drop(changed(1));
    drop(cacheado::evict!(bound_anew(1)));
}
