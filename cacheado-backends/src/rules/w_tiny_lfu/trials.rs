//! Miniature simulations: which size of the window would have had the most hits.
//!
//! Each trial is a W-TinyLFU cache without values that has a window of its own, sees a sample of the keys, and is as
//! small as the sample: "Cache Modeling and Optimization using Miniature Simulations" (Waldspurger, Saemundsson, Ahmad,
//! Park; ATC 2017).

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::segments::{Segments, Usage};
use super::sketch::Sketch;

/// The windows that are tried, in parts of the capacity.
const WINDOWS: [u64; 5] = [1, 13, 51, 128, 253];
/// So many parts are the whole capacity.
const WHOLE: u64 = 256;
/// At this many entries in a trial, the sample is halved.
const ENTRIES: usize = 512;
/// The scores are halved after this many uses of sampled keys for each entry of a trial, so that old times fade.
const HORIZON: u64 = 40;
/// A window must be ahead by this many hits before it's taken for better, and by
const LEAD: u64 = 8;
/// one in this many entries that would have to move: a change costs misses.
const LEAD_PER_MOVE: u64 = 5;
/// By how many entries of a trial the window grows or shrinks with each sampled miss: one in so many.
const STEP: u64 = 4;
/// The window's size is kept in such fractions of a part.
const FRACTION: u64 = 256;

pub(super) struct Trials {
    all: [Trial; WINDOWS.len()],
    capacity: u64,
    /// One key in `2^rarity` is sampled.
    rarity: u32,
    /// Uses since the scores were halved, and half of those before.
    uses: u64,
    /// The trial that the window is to be like.
    best: usize,
    /// The window's size, on its way there.
    window: u64,
}

struct Trial {
    cache: Segments<()>,
    nodes: HashMap<u32, u32, FixedState>,
    /// Hits, of which old ones count less.
    score: u64,
}

impl Trials {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            all: WINDOWS.map(|window| Trial {
                cache: Segments::new(capacity, part_of(capacity, window * FRACTION)),
                nodes: HashMap::default(),
                score: 0,
            }),
            capacity,
            rarity: 0,
            uses: 0,
            best: 0,
            window: WINDOWS[0] * FRACTION,
        }
    }

    /// What the window is to weigh.
    pub(super) fn window(&self) -> u64 {
        part_of(self.capacity, self.window)
    }

    /// Whether the uses of a key are to be told.
    pub(super) fn samples(&self, fingerprint: u32) -> bool {
        fingerprint.leading_zeros() >= self.rarity
    }

    /// A sampled key was asked for, so many times.
    pub(super) fn used(&mut self, fingerprint: u32, weight: u32, times: u8, sketch: &Sketch) {
        let mut entries = 0;
        for trial in &mut self.all {
            trial.used(fingerprint, weight, times, sketch);
            entries = entries.max(trial.nodes.len());
        }
        self.uses += u64::from(times);
        if self.uses >= HORIZON * (entries as u64).max(16) {
            self.uses /= 2;
            for trial in &mut self.all {
                trial.score /= 2;
            }
        }
        if entries >= ENTRIES {
            self.thin();
        }
    }

    /// Lets the window grow or shrink a little, towards that of the best trial. For each sampled miss.
    pub(super) fn step(&mut self) {
        let entries = self.all[self.best].nodes.len() as u64;
        let lead = |trial: usize| {
            let moves = WINDOWS[trial].abs_diff(WINDOWS[self.best]) * entries / WHOLE;
            LEAD + moves / LEAD_PER_MOVE
        };
        let ahead = |trial: &usize| {
            let score = self.all[*trial].score;
            score.checked_sub(self.all[self.best].score + lead(*trial))
        };
        let better = (0..WINDOWS.len()).filter(|trial| ahead(trial).is_some_and(|ahead| ahead > 0));
        if let Some(best) = better.rev().max_by_key(|trial| ahead(trial)) {
            self.best = best;
        }
        let step = WHOLE * FRACTION / STEP / entries.max(16);
        let goal = WINDOWS[self.best] * FRACTION;
        self.window = goal.clamp(self.window.saturating_sub(step), self.window + step);
    }

    /// Halves the sample.
    fn thin(&mut self) {
        self.rarity += 1;
        let capacity = self.capacity >> self.rarity;
        for (trial, window) in self.all.iter_mut().zip(WINDOWS) {
            let cache = &mut trial.cache;
            cache.resize(capacity, part_of(capacity, window * FRACTION));
            trial.nodes.retain(|fingerprint, node| {
                let sampled = fingerprint.leading_zeros() >= self.rarity;
                if !sampled {
                    cache.remove(*node);
                }
                sampled
            });
        }
    }
}

/// So many fractions of a part of a capacity; at least one entry's weight, and never all.
fn part_of(capacity: u64, window: u64) -> u64 {
    let part = u128::from(capacity) * u128::from(window) / u128::from(WHOLE * FRACTION);
    u64::try_from(part)
        .unwrap_or(capacity)
        .clamp(1, capacity.saturating_sub(1).max(1))
}

impl Trial {
    fn used(&mut self, fingerprint: u32, weight: u32, times: u8, sketch: &Sketch) {
        if let Some(node) = self.nodes.get(&fingerprint) {
            self.cache.hit(*node, times);
            self.score += u64::from(times);
            return;
        }
        let node = self.cache.insert(fingerprint, weight, ());
        self.nodes.insert(fingerprint, node);
        self.cache.hit(node, times - 1);
        self.score += u64::from(times - 1);
        let nodes = &mut self.nodes;
        self.cache.settle(&mut Told(sketch), |_, fingerprint, ()| {
            nodes.remove(&fingerprint);
        });
    }
}

/// A trial is told of hits, and needn't ask for them.
struct Told<'a>(&'a Sketch);

impl Usage<()> for Told<'_> {
    fn hits(&mut self, _: u32, _: u32, (): &()) -> u8 {
        0
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        self.0.frequency(fingerprint)
    }
}
