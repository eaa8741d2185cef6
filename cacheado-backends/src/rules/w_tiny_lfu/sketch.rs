//! How often keys were requested recently: a count-min sketch of 4-bit counters that are halved periodically.
//!
//! From "`TinyLFU`: A Highly Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017), with the four counters of
//! a key in one cache line, as in Caffeine. It may overestimate, and counts to 15 at most.

/// The counters of a key: one in each pair of words of its block.
const ROWS: u32 = 4;
const WORDS: usize = 8;
/// The largest value of a counter.
const MAX: u64 = 15;

/// A smaller cache remembers as much as one with this many entries: that is cheap, and remembering little helps little.
const ENTRIES: usize = 128;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Block([u64; WORDS]);

pub(super) struct Sketch {
    /// Their number is a power of two.
    blocks: Vec<Block>,
    /// The increments it holds, and how many trigger a halving.
    counted: u64,
    sample: u64,
    /// The increments between halvings, per entry of the cache.
    memory: u64,
    entries: u64,
}

impl Sketch {
    /// An empty sketch, halved after `memory` increments per entry of the cache. It has one block until [`fit`](Self::fit) extends it:
    /// a cache that holds nothing should take little memory.
    pub(super) fn new(memory: u64) -> Self {
        let entries = ENTRIES as u64;
        Self {
            blocks: vec![Block([0; WORDS])],
            counted: 0,
            sample: memory * entries,
            memory,
            entries,
        }
    }

    /// Grows to the size for a cache of `entries` entries: 8 bytes each, rounded up to a power of two. It never shrinks.
    pub(super) fn fit(&mut self, entries: usize) {
        let entries = entries.max(ENTRIES);
        while self.blocks.len() * WORDS < entries {
            // one more bit of the hash selects the block, so both halves start with a copy of the counters
            self.blocks.extend_from_within(..);
        }
        self.entries = self.entries.max(entries as u64);
        self.remember(self.memory);
    }

    /// Sets the increments between halvings, per entry.
    pub(super) fn remember(&mut self, memory: u64) {
        self.memory = memory;
        self.sample = memory * self.entries;
    }

    /// How often the key was counted, at most 15.
    pub(super) fn frequency(&self, fingerprint: u32) -> u8 {
        let place = Place::of(fingerprint, self.blocks.len());
        let block = &self.blocks[place.block].0;
        let counter = |row: u32| {
            let (word, shift) = place.counter(row);
            ((block[word] >> shift) & MAX) as u8
        };
        // written out: this runs on each insertion, and the compiler does not unroll a loop over the rows
        (counter(0).min(counter(1))).min(counter(2).min(counter(3)))
    }

    /// Counts the key `times` times.
    pub(super) fn add(&mut self, fingerprint: u32, times: u8) {
        let place = Place::of(fingerprint, self.blocks.len());
        let block = &mut self.blocks[place.block].0;
        let mut added = 0;
        for row in 0..ROWS {
            let (word, shift) = place.counter(row);
            let count = (block[word] >> shift) & MAX;
            let more = u64::from(times).min(MAX - count);
            block[word] += more << shift;
            added = added.max(more);
        }
        self.counted += added;
        while self.counted >= self.sample {
            self.halve();
        }
    }

    fn halve(&mut self) {
        for word in self.blocks.iter_mut().flat_map(|block| &mut block.0) {
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
        self.counted /= 2;
    }
}

/// The place of a key's counters.
struct Place {
    block: usize,
    bits: u32,
}

impl Place {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "some bits of the product are meant"
    )]
    fn of(fingerprint: u32, blocks: usize) -> Self {
        // two rounds of a multiplicative hash: the fingerprint's own bits also choose the trials' sample
        let mixed = (u64::from(fingerprint) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Self {
            block: (mixed >> 32) as usize & (blocks - 1),
            bits: mixed as u32 ^ (mixed >> 40) as u32,
        }
    }

    /// The word of the block and the counter's first bit in it.
    fn counter(&self, row: u32) -> (usize, u32) {
        let bits = self.bits >> (8 * row);
        (
            2 * row as usize + (bits & 1) as usize,
            4 * ((bits >> 1) & 15),
        )
    }
}
