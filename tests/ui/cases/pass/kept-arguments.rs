//! Arguments of functions whose body may outlive its call, or whose patterns an option takes apart.

#![deny(warnings)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cacheado::{cache, cache_evict, peek};

#[derive(Clone)]
struct Id(u32);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl Id {
    #[cache(ttl = 60, stale = 60, key = (self.0, than))]
    fn text(&self, than: u32) -> String {
        struct More {
            pub(self) than: u32,
        }
        let more = More { than };
        assert!(self.0 > more.than, "{self} is no more than {}", more.than,);
        format!("{self}")
    }

    #[cache(ttl = 60, stale = 60, key = self.0)]
    async fn text_later(&self) -> String {
        format!("{self} {}", 1)
    }
}

#[cache(ttl = 60, stale = 60)]
fn tail(mut xs: &[u32]) -> usize {
    xs = &xs[1..];
    xs.len()
}

// a closure sees what the call was given, whatever the body makes of it
#[cache(ttl = |value| Duration::from_secs(*value + step), stale = 60)]
fn longer(mut step: u64) -> u64 {
    step += 1;
    step
}

#[cache(ttl = 60, stale = 60, when = |value| *value <= text.len() + by)]
async fn trimmed(mut text: &str, (mut by, _): (usize, u8)) -> usize {
    text = text.trim();
    by += 1;
    text.len() + by
}

#[cache(ttl = 60, stale = 60, skip(by, of, all))]
fn measured(
    by: Arc<dyn Fn(&str) -> usize + Send + Sync>,
    of: fn(&str) -> usize,
    all: impl for<'a> Fn(&'a str) -> usize + Send + 'static,
    text: &str,
) -> usize {
    by(text) + of(text) + all(text)
}

#[cache(skip(a, b), bypass = *a > 3)]
fn sum((a, b): (u32, u32), id: u32) -> u32 {
    a + b + id
}

#[cache_evict(sum(id), sum(_, id))]
fn changed(id: u32) {
    let _ = id;
}

#[tokio::main]
async fn main() {
    assert_eq!(Id(3).text(2), "#3");
    assert_eq!(Id(3).text_later().await, "#3 1");
    assert_eq!(tail(&[1, 2, 3]), 2);
    assert_eq!(longer(1), 2);
    assert_eq!(trimmed(" ab ", (3, 0)).await, 6);
    assert_eq!(peek!(trimmed(" ab ", (3, 0))).await.unwrap(), Some(6));
    assert_eq!(measured(Arc::new(str::len), str::len, str::len, "ab"), 6);

    assert_eq!(sum((1, 2), 3), 6);
    assert_eq!(sum((4, 2), 3), 9);
    assert_eq!(peek!(sum((9, 9), 3)).unwrap(), Some(6));
    changed(3);
    assert_eq!(peek!(sum((9, 9), 3)).unwrap(), None);
}
