//! A cache tells its backend the cache's name, for which it must be the backend's only owner.
use std::sync::Arc;

use cacheado::{Backend, Cache};

fn build(shared: Arc<dyn Backend>, own: Box<dyn Backend>) {
    let _ = Cache::builder().backend(shared);
    let _ = Cache::builder().backend(own);
    let _ = Cache::builder().backend("redis://127.0.0.1");
}

fn main() {}
