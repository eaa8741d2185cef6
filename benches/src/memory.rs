//! How many bytes an entry takes beyond its key and its value: for the forms of cacheado's entries, and for the peers.
//!
//! Everything is counted that a cache requests from its allocator: entries, tables with their free places, the scope index, the expiry
//! schedule, the records of a rule. The allocator's own overhead (usually 16 bytes a block) comes on top, which is why the blocks are
//! counted too. Key and value are what the caller gave: 8 bytes for a `u64`, and for a text its bytes, as an argument, as a scope id,
//! or in an `Arc<str>`.
//!
//! Tables grow by doubling, so the bytes per entry rise and fall with the number of entries. They are highest right after a doubling,
//! and lowest right before one. The number that is measured is neither.

use std::iter;
use std::sync::Arc;

use cacheado::rules::Lru;
use cacheado::{Cache, cache};

use crate::contender::{Maker, Requests};
use crate::counting::{Allocated, allocated, count};
use crate::measure::grouped;
use crate::options::Options;
use crate::peers;
use crate::report::{Report, Table};
use crate::shapes::{self, LongText, Numbers, Shape, TenantText};

const ENTRIES: usize = 1_000_000;

/// The number of users, and of entries, of an organization.
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

/// One way to use cacheado.
struct Form {
    name: &'static str,
    /// With a rule that bounds the cache, and never has to evict.
    bounded: bool,
    /// Stores the n-th entry, and returns the bytes of its key and its value.
    store: fn(&Cache, u64) -> usize,
}

/// The number of bytes of an id, which is text.
fn digits(id: u64) -> usize {
    id.checked_ilog10().unwrap_or(0) as usize + 1
}

const FORMS: [Form; 7] = [
    Form {
        name: "u64 -> u64",
        bounded: false,
        store: |cache, n| {
            plain(cache, n);
            8 + 8
        },
    },
    Form {
        name: "u64 -> u64, ttl",
        bounded: false,
        store: |cache, n| {
            mortal(cache, n);
            8 + 8
        },
    },
    Form {
        name: "u64 -> u64, Lru",
        bounded: true,
        store: |cache, n| {
            plain(cache, n);
            8 + 8
        },
    },
    Form {
        name: "u64 -> u64, scope of 1,000 entries",
        bounded: false,
        store: |cache, n| {
            tenant(cache, n / TENANT, n);
            digits(n / TENANT) + 8 + 8
        },
    },
    Form {
        name: "-> u64, scope of a single entry",
        bounded: false,
        store: |cache, n| {
            lone(cache, n / TENANT, n);
            digits(n / TENANT) + digits(n) + 8
        },
    },
    Form {
        name: "u64 -> u64, scope of 1,000, ttl, Lru",
        bounded: true,
        store: |cache, n| {
            all(cache, n / TENANT, n);
            digits(n / TENANT) + 8 + 8
        },
    },
    Form {
        name: "200-byte text -> Arc<str> of it",
        bounded: false,
        store: |cache, n| {
            text(cache, &format!("{n:0200}"));
            200 + 200
        },
    },
];

/// What an entry takes, as cells: key and value, the bytes beyond them, blocks.
fn cells(own: usize, before: Allocated, entries: usize) -> [String; 3] {
    let after = allocated();
    let taken = each(after.bytes.wrapping_sub(before.bytes), entries);
    let blocks = each(after.blocks.wrapping_sub(before.blocks), entries);
    let own = each(own, entries);
    [
        format!("{own:.1}"),
        format!("{:.1}", taken - own),
        format!("{blocks:.2}"),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn each(total: usize, entries: usize) -> f64 {
    total as f64 / entries as f64
}

fn forms() -> Result<Table, String> {
    let mut table = Table::new(["cacheado", "key and value", "beyond that", "blocks"]);
    for Form {
        name,
        bounded,
        store,
    } in FORMS
    {
        let mut builder = Cache::builder();
        if bounded {
            builder = builder.rule(Lru::new(2 * ENTRIES));
        }
        let cache = builder.build().map_err(|error| error.to_string())?;
        let before = allocated();
        let own: usize = (0..ENTRIES as u64).map(|n| store(&cache, n)).sum();
        let cells = cells(own, before, ENTRIES);
        if cache.stats().total_keys != ENTRIES as u64 {
            return Err(format!("{name}: not all entries were stored"));
        }
        table.row(iter::once(name.to_owned()).chain(cells));
    }
    table.print(&format!("{} entries each", grouped(ENTRIES)));
    Ok(table)
}

/// Adds a row for each contender, and requests everything that each was given.
fn compare<S: Shape>(makers: &[Maker<S>], entries: usize, records: &mut Table) -> crate::Outcome {
    let keys: Vec<S::Key> = (0..entries as u64).map(S::key).collect();
    let order: Vec<u32> = (0..u32::try_from(entries).unwrap_or(u32::MAX)).collect();
    let own = keys.iter().map(S::bytes).sum();
    let requests = Requests {
        keys: &keys,
        order: &order,
    };
    let mut table = Table::new(["", "key and value", "beyond that", "blocks"]);
    for maker in makers {
        let before = allocated();
        // room for a quarter more, since shards are not all equally full
        let lane = (maker.make)(entries + entries / 4);
        lane.read(&requests);
        lane.settle();
        let cells = cells(own, before, entries);
        let loads = shapes::loads();
        lane.read(&requests);
        if shapes::loads() != loads {
            return Err(format!("{}: not all entries were stored", maker.name));
        }
        let row = iter::once(maker.name.to_owned()).chain(cells);
        records.row(
            [S::NAME.to_owned(), entries.to_string()]
                .into_iter()
                .chain(row.clone()),
        );
        table.row(row);
    }
    table.print(&format!("{}, {} entries", S::NAME, grouped(entries)));
    Ok(())
}

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    count();
    report.csv("memory-forms", &forms()?)?;
    peers::print_left_out();
    let mut records = Table::new([
        "shape",
        "entries",
        "contender",
        "key_and_value",
        "beyond",
        "blocks",
    ]);
    let records = &mut records;
    // an attribute's function can be filled only once in a process
    let numbers = if options.large { 10 * ENTRIES } else { ENTRIES };
    compare(&peers::unbounded::<Numbers>(numbers), numbers, records)?;
    if !options.quick {
        compare(&peers::unbounded::<TenantText>(ENTRIES), ENTRIES, records)?;
        compare(&peers::unbounded::<LongText>(ENTRIES), ENTRIES, records)?;
    }
    report.csv("memory", records)
}
