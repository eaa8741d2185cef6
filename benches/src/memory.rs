//! How many bytes an entry takes beyond its key and its value.
//!
//! What is counted is what the cache asks its allocator for, all of it: entries, tables with their free places, the scope
//! index, the schedule of expiries, the records of a rule. The allocator's own overhead (16 bytes a block is usual) comes on
//! top, which is why the blocks are counted too. Key and value are what the caller gave: 8 bytes for a `u64`, a text's bytes
//! for a text, as an argument, as a scope id, or in an `Arc<str>`.
//!
//! Tables grow by doubling, so the bytes per entry rise and fall with the number of entries: the worst moment is right
//! after a doubling, the best right before one. The number that is measured is neither.

use std::sync::Arc;

use cacheado::rules::Lru;
use cacheado::{Cache, cache};

use crate::counting::allocated;
use crate::measure::grouped;

const ENTRIES: usize = 1_000_000;

/// How many users, and entries, an organization has.
const TENANT: u64 = 1000;

#[cache(cache = cache, skip(cache))]
fn plain(cache: &Cache, key: u64) -> u64 {
    let _ = cache;
    key
}

#[cache(cache = cache, skip(cache), ttl = "1h")]
fn mortal(cache: &Cache, key: u64) -> u64 {
    let _ = cache;
    key
}

#[cache(cache = cache, skip(cache), scope = "organization")]
fn tenant(cache: &Cache, org_id: u64, key: u64) -> u64 {
    let _ = (cache, org_id);
    key
}

#[cache(cache = cache, skip(cache), scope = "user")]
fn lone(cache: &Cache, org_id: u64, user_id: u64) -> u64 {
    let _ = (cache, org_id);
    user_id
}

#[cache(cache = cache, skip(cache), scope = "organization", ttl = "1h")]
fn all(cache: &Cache, org_id: u64, key: u64) -> u64 {
    let _ = (cache, org_id);
    key
}

#[cache(cache = cache, skip(cache))]
fn text(cache: &Cache, key: &str) -> Arc<str> {
    let _ = cache;
    key.into()
}

/// One way to use the cache.
struct Shape {
    name: &'static str,
    /// With a rule that bounds the cache, and never comes to evict.
    bounded: bool,
    /// Stores the n-th entry, and returns the bytes of its key and its value.
    store: fn(&Cache, u64) -> usize,
}

/// The bytes of an id, which is text.
fn digits(id: u64) -> usize {
    id.checked_ilog10().unwrap_or(0) as usize + 1
}

const SHAPES: [Shape; 7] = [
    Shape {
        name: "u64 -> u64",
        bounded: false,
        store: |cache, n| {
            plain(cache, n);
            8 + 8
        },
    },
    Shape {
        name: "u64 -> u64, ttl",
        bounded: false,
        store: |cache, n| {
            mortal(cache, n);
            8 + 8
        },
    },
    Shape {
        name: "u64 -> u64, Lru",
        bounded: true,
        store: |cache, n| {
            plain(cache, n);
            8 + 8
        },
    },
    Shape {
        name: "u64 -> u64, scope of 1,000 entries",
        bounded: false,
        store: |cache, n| {
            tenant(cache, n / TENANT, n);
            digits(n / TENANT) + 8 + 8
        },
    },
    Shape {
        name: "-> u64, scope of a single entry",
        bounded: false,
        store: |cache, n| {
            lone(cache, n / TENANT, n);
            digits(n / TENANT) + digits(n) + 8
        },
    },
    Shape {
        name: "u64 -> u64, scope of 1,000, ttl, Lru",
        bounded: true,
        store: |cache, n| {
            all(cache, n / TENANT, n);
            digits(n / TENANT) + 8 + 8
        },
    },
    Shape {
        name: "200-byte text -> Arc<str> of it",
        bounded: false,
        store: |cache, n| {
            text(cache, &format!("{n:0200}"));
            200 + 200
        },
    },
];

pub(crate) fn run() -> crate::Outcome {
    println!("{} entries each", grouped(ENTRIES));
    println!(
        "{:<38} {:>14} {:>12} {:>10}",
        "", "key and value", "beyond that", "blocks"
    );
    for Shape {
        name,
        bounded,
        store,
    } in SHAPES
    {
        let mut builder = Cache::builder();
        if bounded {
            builder = builder.rule(Lru::new(2 * ENTRIES));
        }
        let cache = builder.build().map_err(|error| error.to_string())?;
        let before = allocated();
        let own: usize = (0..ENTRIES as u64).map(|n| store(&cache, n)).sum();
        let after = allocated();
        if cache.stats().total_keys != ENTRIES as u64 {
            return Err(format!("{name}: not all entries were stored"));
        }
        let taken = after.bytes - before.bytes;
        println!(
            "{name:<38} {:>14.1} {:>12.1} {:>10.2}",
            each(own),
            each(taken) - each(own),
            each(after.blocks - before.blocks),
        );
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn each(total: usize) -> f64 {
    total as f64 / ENTRIES as f64
}
