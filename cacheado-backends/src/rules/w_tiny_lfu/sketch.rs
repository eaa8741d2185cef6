//! How often keys were asked for of late: a count-min sketch of 4-bit counters that are halved now and then.
//!
//! From "`TinyLFU`: A Highly Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017), with the four
//! counters of a key in one cache line, as Caffeine has them. It may overestimate, and knows nothing above 15.

/// A key has one counter in each pair of words of its block.
const ROWS: u32 = 4;
const WORDS: usize = 8;
/// A counter's largest value.
const MAX: u64 = 15;

/// A smaller cache remembers as much as if it held this many entries: what is cheap, and little helps little.
const ENTRIES: usize = 128;

#[repr(align(64))]
#[derive(Clone, Copy)]
struct Block([u64; WORDS]);

pub(super) struct Sketch {
    /// A power of two of them.
    blocks: Vec<Block>,
    /// How many increments it holds, and at how many it is halved.
    counted: u64,
    sample: u64,
    /// The increments to a halving, for each entry of the cache.
    memory: u64,
    entries: u64,
}

impl Sketch {
    /// Empty, to be halved after `memory` increments for each entry that the cache holds. One block, until it is made to fit:
    /// a cache that holds nothing should take little.
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

    /// Makes it large enough for a cache of so many entries: 8 bytes for each, to the next power of two. It never shrinks.
    pub(super) fn fit(&mut self, entries: usize) {
        let entries = entries.max(ENTRIES);
        while self.blocks.len() * WORDS < entries {
            // one more bit of the hash selects the block: each half starts with what both had
            self.blocks.extend_from_within(..);
        }
        self.entries = self.entries.max(entries as u64);
        self.remember(self.memory);
    }

    /// Has it halved after `memory` increments for each entry from now on.
    pub(super) fn remember(&mut self, memory: u64) {
        self.memory = memory;
        self.sample = memory * self.entries;
    }

    /// How often it was counted, 15 at most.
    pub(super) fn frequency(&self, fingerprint: u32) -> u8 {
        let place = Place::of(fingerprint, self.blocks.len());
        let block = &self.blocks[place.block].0;
        let counter = |row: u32| {
            let (word, shift) = place.counter(row);
            ((block[word] >> shift) & MAX) as u8
        };
        // written out: it is asked for with each insertion, and a loop over the rows isn't unrolled
        (counter(0).min(counter(1))).min(counter(2).min(counter(3)))
    }

    /// Counts it `times`.
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

/// Where a key's counters are.
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

    /// The word of the block, and the counter's first bit in it.
    fn counter(&self, row: u32) -> (usize, u32) {
        let bits = self.bits >> (8 * row);
        (
            2 * row as usize + (bits & 1) as usize,
            4 * ((bits >> 1) & 15),
        )
    }
}
