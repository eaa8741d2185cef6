//! W-TinyLFU with a window that adapts.

mod segments;
pub mod sketch;
pub mod trials;

use segments::{Segments, Usage};
use sketch::Sketch;
use trials::Trials;

/// How many sampled entries are asked for their hits whenever a sampled key was missed.
const POLLS: usize = 8;

pub struct Policy<T> {
    segments: Segments<T>,
    sketch: Sketch,
    trials: Trials,
    /// Nodes of sampled entries, to be polled in turn. A node that was used for another entry since is dropped when met.
    sampled: Vec<u32>,
    turn: usize,
}

struct Asked<'a, F> {
    hits: F,
    sketch: &'a mut Sketch,
    trials: &'a mut Trials,
}

impl<T, F: FnMut(&T) -> u8> Usage<T> for Asked<'_, F> {
    fn hits(&mut self, fingerprint: u32, entry: &T) -> u8 {
        let hits = (self.hits)(entry);
        if hits > 0 {
            self.sketch.add(fingerprint, hits);
            if self.trials.samples(fingerprint) {
                self.trials.used(fingerprint, 1, hits, self.sketch);
            }
        }
        hits
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        self.sketch.frequency(fingerprint)
    }
}

impl<T> Policy<T> {
    pub fn new(capacity: u64) -> Self {
        let trials = Trials::new(capacity);
        Self {
            segments: Segments::new(capacity, trials.window()),
            sketch: Sketch::new(),
            trials,
            sampled: Vec::new(),
            turn: 0,
        }
    }

    pub fn scores(&self) -> Vec<u64> { self.trials.scores() }
    pub fn window(&self) -> u64 { self.trials.window() }

    pub fn insert(&mut self, hash: u64, weight: u32, entry: T, hits: impl FnMut(&T) -> u8, evicted: &mut Vec<T>) -> u32 {
        let fingerprint = (hash >> 32) as u32;
        self.sketch.add(fingerprint, 1);
        let node = self.segments.insert(fingerprint, weight, entry);
        self.sketch.fit(self.segments.len());
        let mut asked = Asked { hits, sketch: &mut self.sketch, trials: &mut self.trials };
        if asked.trials.samples(fingerprint) {
            for _ in 0..POLLS {
                if self.turn >= self.sampled.len() { self.turn = 0; }
                let Some(&node) = self.sampled.get(self.turn) else { break };
                match self.segments.get(node) {
                    Some((fingerprint, entry)) if asked.trials.samples(fingerprint) => {
                        let hits = asked.hits(fingerprint, entry);
                        self.segments.hit(node, hits);
                        self.turn += 1;
                    }
                    _ => {
                        self.sampled.swap_remove(self.turn);
                        self.segments.node_mut(node).listed = false;
                    }
                }
            }
            asked.trials.used(fingerprint, weight, 1, asked.sketch);
            let slot = self.segments.node_mut(node);
            if !slot.listed {
                slot.listed = true;
                self.sampled.push(node);
            }
            let target = asked.trials.step(); self.segments.set_target(target);
        }
        self.segments.settle(&mut asked, |_, entry| evicted.push(entry));
        node
    }
}
