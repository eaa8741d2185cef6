//! Miniature simulations: which size of the window would have had the most hits.
//!
//! Each trial is a cache without values of a fixed window, scaled down with the sample of the keys that it sees, after
//! "Cache Modeling and Optimization using Miniature Simulations" (Waldspurger, Saemundsson, Ahmad, Park; ATC 2017).

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::segments::{Segments, Usage};
use super::sketch::Sketch;

/// What the window may be, in 256ths of the capacity.
pub const WINDOWS: [u64; 5] = [1, 13, 51, 128, 253];
/// At this many entries in a trial, the sample is halved.
pub static ENTRIES: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(512);
/// Scores are halved after this many sampled uses for each entry of a trial.
pub static HORIZON: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(20);
pub static COST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(8);
pub static SPEED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(64);
pub static FIX: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
pub static MARGIN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(2);

pub(super) struct Trials {
    trials: [Trial; WINDOWS.len()],
    /// One key in `2^rarity` is sampled.
    rarity: u32,
    capacity: u64,
    /// Uses counted in the scores.
    uses: u64,
    best: usize,
    position: u64,
}

struct Trial {
    cache: Segments<()>,
    nodes: HashMap<u32, u32, foldhash::fast::FixedState>,
    score: u64,
}

impl Trials {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            trials: WINDOWS.map(|window| Trial {
                cache: Segments::new(capacity, part(capacity, window)),
                nodes: HashMap::default(),
                score: 0,
            }),
            rarity: 0,
            capacity,
            uses: 0,
            best: 0, position: 256,
        }
    }

    pub(super) fn samples(&self, fingerprint: u32) -> bool {
        fingerprint.leading_zeros() >= self.rarity
    }

    /// A sampled key was asked for so many times.
    pub(super) fn used(&mut self, fingerprint: u32, weight: u32, times: u8, sketch: &Sketch) {
        let mut full = false;
        for trial in &mut self.trials {
            trial.used(fingerprint, weight, times, sketch);
            full |= trial.nodes.len() >= ENTRIES.load(std::sync::atomic::Ordering::Relaxed);
        }
        self.uses += u64::from(times);
        if full {
            self.thin();
        }
        let horizon = HORIZON.load(std::sync::atomic::Ordering::Relaxed) * self.trials[0].nodes.len().max(16) as u64;
        if self.uses >= horizon {
            for trial in &mut self.trials {
                trial.score /= 2;
            }
            self.uses /= 2;
        }
        self.choose();
    }

    fn choose(&mut self) {
        let len = self.trials[self.best].cache.len() as u64;
        let m = MARGIN.load(std::sync::atomic::Ordering::Relaxed);
        let c = COST.load(std::sync::atomic::Ordering::Relaxed);
        let now = self.trials[self.best].score;
        let best = (0..WINDOWS.len())
            .max_by_key(|i| {
                let moved = WINDOWS[*i].abs_diff(WINDOWS[self.best]) * len / 256;
                let cost = if *i == self.best { 0 } else { 8 + moved * c / 16 + now * m / 256 };
                (self.trials[*i].score as i64 - cost as i64, std::cmp::Reverse(*i))
            })
            .unwrap();
        self.best = best;
    }

    /// steps
    pub(super) fn step(&mut self) -> u64 {
        let fix = FIX.load(std::sync::atomic::Ordering::Relaxed);
        if fix > 0 { self.position = fix * 256; return self.window(); }
        let v = SPEED.load(std::sync::atomic::Ordering::Relaxed);
        let goal = WINDOWS[self.best] * 256;
        let step = (v * 256 / self.trials[0].nodes.len().max(16) as u64).max(1);
        self.position = if goal > self.position { (self.position + step).min(goal) } else { self.position.saturating_sub(step).max(goal) };
        self.window()
    }
    pub(super) fn window(&self) -> u64 {
        ((u128::from(self.capacity) * u128::from(self.position) / 65536) as u64).clamp(1, self.capacity.saturating_sub(1).max(1))
    }

    /// Halves the sample.
    fn thin(&mut self) {
        self.rarity += 1;
        let capacity = self.capacity >> self.rarity;
        let rarity = self.rarity;
        for (trial, window) in self.trials.iter_mut().zip(WINDOWS) {
            trial.cache.set_capacity(capacity);
            trial.cache.set_target(part(capacity, window));
            let cache = &mut trial.cache;
            trial.nodes.retain(|fingerprint, node| {
                let keep = fingerprint.leading_zeros() >= rarity;
                if !keep {
                    cache.remove(*node);
                }
                keep
            });
        }
    }
    pub(super) fn scores(&self) -> Vec<u64> { self.trials.iter().map(|t| t.score).collect() }
}

fn part(capacity: u64, window: u64) -> u64 {
    (capacity * window / 256).clamp(1, capacity.saturating_sub(1).max(1))
}

impl Trial {
    fn used(&mut self, fingerprint: u32, weight: u32, times: u8, sketch: &Sketch) {
        if let Some(node) = self.nodes.get(&fingerprint) {
            self.cache.hit(*node, times);
            self.score += u64::from(times);
            return;
        }
        let node = self.cache.insert(fingerprint, weight, ());
        self.cache.hit(node, times - 1);
        self.score += u64::from(times - 1);
        self.nodes.insert(fingerprint, node);
        let nodes = &mut self.nodes;
        self.cache.settle(&mut Known(sketch), |evicted, ()| {
            nodes.remove(&evicted);
        });
    }
}

/// In a trial, hits are noted as they come.
struct Known<'a>(&'a Sketch);

impl Usage<()> for Known<'_> {
    fn hits(&mut self, _: u32, (): &()) -> u8 {
        0
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        self.0.frequency(fingerprint)
    }
}
