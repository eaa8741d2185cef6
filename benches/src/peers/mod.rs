//! The caches that are compared. Each has a file, which says how its own documentation recommends to use it.

pub(crate) mod cacheado;
mod cached;
mod cachelito;
mod dashmap;
pub(crate) mod foyer;
mod memoize;
mod mini_moka;
pub(crate) mod moka;
pub(crate) mod quick_cache;

use crate::contender::{Contender, Lane, Maker};
use crate::measure::grouped;
use crate::shapes::Shape;

use self::cacheado::Cacheado;
use self::cached::{Cached, CachedByKey, CachedOneLock, CachedTtl};
use self::cachelito::Cachelito;
use self::dashmap::Dashmap;
use self::foyer::Foyer;
use self::memoize::Memoize;
use self::mini_moka::MiniMoka;
use self::moka::Moka;
use self::quick_cache::QuickCache;

/// The bound of the caches of [`bounded`]. It has to be written in the attributes as well.
pub(crate) const BOUND: usize = 100_000;

/// The caches that keep everything, for sets of so many entries. One that can't be unbounded has the bound that its maker is given,
/// which must be more than there are entries.
pub(crate) fn unbounded<S: Shape>(entries: usize) -> Vec<Maker<S>>
where
    Cacheado: Contender<S>,
    Cached: Contender<S>,
    CachedOneLock: Contender<S>,
    CachedTtl: Contender<S>,
    Cachelito: Contender<S>,
    Memoize: Contender<S>,
{
    let mut makers: Vec<Maker<S>> = vec![
        maker("cacheado", |_| Box::new(Cacheado)),
        maker("cached", |_| Box::new(Cached)),
        maker("cached, ttl", |_| Box::new(CachedTtl)),
        maker("cached, one lock", |_| Box::new(CachedOneLock)),
        maker("memoize", |_| Box::new(Memoize)),
        maker("dashmap", |_| Box::new(Dashmap::new())),
        maker("moka", |_| Box::new(Moka::unbounded())),
        maker("quick_cache", |room| Box::new(QuickCache::new(room))),
        maker("foyer", |room| Box::new(Foyer::new(room))),
        maker("mini-moka", |_| Box::new(MiniMoka::unbounded())),
    ];
    if entries <= cachelito::AT_MOST {
        makers.push(maker("cachelito", |_| Box::new(Cachelito)));
    }
    makers
}

/// Prints which cache is left out above so many entries.
pub(crate) fn print_left_out() {
    println!(
        "cachelito is left out above {} entries: to store one, it searches all of them",
        grouped(cachelito::AT_MOST)
    );
}

/// The caches that evict beyond [`BOUND`] entries.
pub(crate) fn bounded<S: Shape>() -> Vec<Maker<S>>
where
    cacheado::Bounded: Contender<S>,
    cached::Bounded: Contender<S>,
    memoize::Bounded: Contender<S>,
{
    vec![
        maker("cacheado", |_| Box::new(cacheado::Bounded)),
        maker("cached", |_| Box::new(cached::Bounded)),
        maker("memoize", |_| Box::new(memoize::Bounded)),
        maker("moka", |entries| Box::new(Moka::new(entries))),
        maker("quick_cache", |entries| Box::new(QuickCache::new(entries))),
        maker("foyer", |entries| Box::new(Foyer::new(entries))),
        maker("mini-moka", |entries| Box::new(MiniMoka::new(entries))),
    ]
}

/// The caches in which concurrent callers of one key share a load, and those that leave it open.
pub(crate) fn loaders<S: Shape>() -> Vec<Maker<S>>
where
    Cacheado: Contender<S>,
    Cached: Contender<S>,
    CachedByKey: Contender<S>,
    Cachelito: Contender<S>,
    Memoize: Contender<S>,
{
    vec![
        maker("cacheado", |_| Box::new(Cacheado)),
        maker("cached", |_| Box::new(Cached)),
        maker("cached, by_key", |_| Box::new(CachedByKey)),
        maker("cachelito", |_| Box::new(Cachelito)),
        maker("memoize", |_| Box::new(Memoize)),
        maker("moka", |_| Box::new(Moka::unbounded())),
        maker("quick_cache", |entries| Box::new(QuickCache::new(entries))),
        maker("foyer", |entries| Box::new(Foyer::new(entries))),
        maker("mini-moka", |_| Box::new(MiniMoka::unbounded())),
    ]
}

fn maker<S: Shape>(name: &'static str, make: fn(usize) -> Box<dyn Lane<S>>) -> Maker<S> {
    Maker { name, make }
}
