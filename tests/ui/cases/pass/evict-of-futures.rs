//! `#[cache_evict]` on functions that return a future of their own making, or borrow what they return: what is evicted goes when
//! the future is over, and only if it succeeded.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cacheado::{cache, cache_evict, peek};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cache]
fn name(id: u32) -> u32 {
    id + RUNS.fetch_add(1, Ordering::Relaxed)
}

fn is_there(id: u32) -> bool {
    peek!(name(id)).unwrap().is_some()
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[cache_evict(name(id))]
fn by_a_local(id: u32, fails: bool) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
    let work = async move { if fails { Err(String::from("fails")) } else { Ok(()) } };
    Box::pin(work)
}

#[cache_evict(name(id))]
fn early(id: u32, fails: bool) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
    if fails {
        return Box::pin(std::future::ready(Err(String::from("fails"))));
    }
    if id == 2 {
        return Box::pin(std::future::ready(Ok(())));
    }
    Box::pin(async move { Ok(()) })
}

// ahead of the body: when the function is called
#[cache_evict(name(id), before)]
fn ahead(id: u32) -> Boxed<Result<(), String>> {
    Box::pin(std::future::ready(Err(format!("{id} fails"))))
}

#[derive(Default)]
struct Names {
    all: Vec<String>,
}

impl Names {
    #[cache_evict(name(id))]
    fn add(&mut self, id: u32) -> &mut Self {
        self.all.push(id.to_string());
        self
    }

    #[cache_evict(name(id))]
    fn slot(&mut self, id: u32) -> &mut String {
        self.all.push(id.to_string());
        self.all.last_mut().unwrap()
    }
}

#[async_trait]
trait Rename {
    async fn rename(&self, pair: (u32, String)) -> usize;
}

#[async_trait]
impl Rename for Names {
    #[cache_evict(name(id))]
    async fn rename(&self, (id, to): (u32, String)) -> usize {
        drop(id.to_string());
        to.len()
    }
}

#[tokio::main]
async fn main() {
    for id in [1, 2] {
        for change in [by_a_local, early] {
            name(id);
            let changed = change(id, true);
            assert!(is_there(id));
            changed.await.unwrap_err();
            assert!(is_there(id));

            let changed = change(id, false);
            assert!(is_there(id));
            changed.await.unwrap();
            assert!(!is_there(id));
        }
    }

    name(3);
    let changed = ahead(3);
    assert!(!is_there(3));
    changed.await.unwrap_err();

    let mut names = Names::default();
    name(4);
    names.add(4).add(5);
    assert!(!is_there(4));
    name(4);
    names.slot(4).push('!');
    assert!(!is_there(4));
    name(4);
    assert_eq!(names.rename((4, String::from("four"))).await, 4);
    assert!(!is_there(4));
}
