//! Which entries to keep when not all fit: W-TinyLFU with an adaptive window, which learns of hits only when it asks for them.
//!
//! A new entry starts in the window, where it is kept for a while whatever its history. An entry that leaves the window is compared
//! with the next victim of the main space: the one whose key was requested more often recently stays. From "`TinyLFU`: A Highly
//! Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017) and "Adaptive Software Cache Management" (Einziger,
//! Eytan, Friedman, Manes; Middleware 2018). The differences:
//!
//! - A hit only increments a counter of the entry. That is read when the entry's turn to leave comes, and then added to the sketch.
//!   Window and main space are queues that give an entry that was hit another round (CLOCK), the main space up to three, not LRU
//!   lists. The main space has no protected part.
//! - An insertion passes over a few entries that were hit, and no more. If all of those were hit, the entry that leaves the window is
//!   not admitted, whatever its frequency.
//! - The window's size is not found by hill climbing, which needs the hit ratio, but by [miniature simulations](trials) over a sample
//!   of the keys. Sampled entries are polled for their hits, so that the simulations hear of them soon.
//! - The simulations choose two more things: how long frequencies are remembered (2, 5, 10 or 16 increments per entry), and whether
//!   S3-FIFO's admission replaces that of `TinyLFU` ("FIFO queues are all you need for cache eviction", Yang et al.; SOSP 2023). It
//!   admits every key that was requested before, as far as the sketch remembers.
//! - Uses that reach the simulations together are processed together: first the hits, then the misses.
//! - The simulations' hits are compared over a long time, and over a short one for a far larger lead.
//! - A cache of less than 128 entries remembers frequencies as one of 128 does.
//!
//! A scan that is much longer than the sketch remembers, tens of times the capacity, drives out frequently used entries.

mod rule;
mod segments;
mod sketch;
#[cfg(test)]
mod tests;
mod trials;

pub use rule::WTinyLfu;
use segments::{Segments, Usage};
use sketch::Sketch;
use trials::Trials;

/// How many sampled entries are polled for hits on each miss of a sampled key.
const POLLS: usize = 8;

/// Decides which entries a bounded cache keeps. An entry is identified by its node, a small number.
///
/// Memory: 20 bytes per entry, and 8 to 16 for the frequencies. The trials take about 230 bytes for each of the first 256 entries, and
/// no more after those except for what they grow by until they are thinned: 60 to 70 kB in all. From 32,768 entries on it is about 2
/// bytes per entry, up to 470 kB.
pub(crate) struct Policy {
    segments: Segments<()>,
    sketch: Sketch,
    trials: Trials,
    /// The nodes of sampled entries, polled in turn. A node that holds another entry by now is dropped when its turn comes.
    sampled: Vec<u32>,
    turn: usize,
}

/// The outcome of inserting an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The entry is held as this node.
    Held(u32),
    /// The entry is heavier than the capacity and not held.
    Refused,
}

/// Reads the hits of entries and passes them on to the sketch and the trials.
struct Asked<'a, H> {
    hits: H,
    sketch: &'a mut Sketch,
    trials: &'a mut Trials,
}

impl<H: FnMut(u32) -> u8> Usage for Asked<'_, H> {
    fn hits(&mut self, node: u32, fingerprint: u32, weight: u32) -> u8 {
        let hits = (self.hits)(node);
        if hits > 0 {
            self.sketch.add(fingerprint, hits);
            if self.trials.samples(fingerprint) {
                self.trials.used(fingerprint, weight, hits);
            }
        }
        hits
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        self.sketch.frequency(fingerprint)
    }
}

impl Policy {
    /// A policy for entries with a total weight of at most `capacity`.
    pub(crate) fn new(capacity: u64) -> Self {
        let trials = Trials::new(capacity);
        Self {
            segments: Segments::new(capacity, trials.window(), trials.admission()),
            sketch: Sketch::new(trials.memory()),
            trials,
            sampled: Vec::new(),
            turn: 0,
        }
    }

    /// The number of entries held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The total weight of the entries.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> u64 {
        self.segments.weight()
    }

    /// Inserts an entry whose key was missed. `hits` reads and resets the hits of an entry that is held. `evict` is called for each
    /// entry that must go for the new one; its node is free by then. O(1), amortized over insertions and hits.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        weight: u32,
        hits: impl FnMut(u32) -> u8,
        mut evict: impl FnMut(u32),
    ) -> Inserted {
        if u64::from(weight) > self.segments.capacity() {
            return Inserted::Refused;
        }
        let fingerprint = (hash >> 32) as u32;
        let mut asked = Asked {
            hits,
            sketch: &mut self.sketch,
            trials: &mut self.trials,
        };
        asked.sketch.fit(self.segments.len() + 1);
        asked.sketch.add(fingerprint, 1);
        let sampled = asked.trials.samples(fingerprint);
        if sampled {
            poll(
                &mut self.segments,
                &mut self.sampled,
                &mut self.turn,
                &mut asked,
            );
            asked.trials.used(fingerprint, weight, 1);
            asked.trials.hear();
            asked.trials.step();
            asked.sketch.remember(asked.trials.memory());
            self.segments.set_admission(asked.trials.admission());
            let capacity = self.segments.capacity();
            self.segments.resize(capacity, asked.trials.window());
        }
        let node = self.segments.insert(fingerprint, weight, ());
        if sampled && !self.segments.list(node, true) {
            self.sampled.push(node);
        }
        self.segments
            .settle(node, &mut asked, |node, _, ()| evict(node));
        Inserted::Held(node)
    }

    /// Frees a node whose entry was removed by someone else. `None` if it is free already. O(1).
    pub(crate) fn remove(&mut self, node: u32) -> Option<()> {
        self.segments.remove(node)
    }

    /// Handles a new value under the entry of `node`. `evict` is called for each entry that must go for it: the entry itself, if it is
    /// now heavier than the capacity.
    pub(crate) fn renew(
        &mut self,
        node: u32,
        weight: u32,
        hits: impl FnMut(u32) -> u8,
        mut evict: impl FnMut(u32),
    ) {
        let mut asked = Asked {
            hits,
            sketch: &mut self.sketch,
            trials: &mut self.trials,
        };
        let Some((fingerprint, before)) = self.segments.get(node) else {
            return;
        };
        let hits = asked.hits(node, fingerprint, before);
        self.segments.hit(node, hits);
        if u64::from(weight) > self.segments.capacity() {
            if self.segments.remove(node).is_some() {
                evict(node);
            }
            return;
        }
        self.segments.reweigh(node, weight);
        self.segments
            .settle(node, &mut asked, |node, _, ()| evict(node));
    }

    /// Drops all entries, and what was learned from them.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.segments.capacity());
    }
}

/// Polls some sampled entries, in turn.
fn poll(
    segments: &mut Segments<()>,
    sampled: &mut Vec<u32>,
    turn: &mut usize,
    asked: &mut Asked<'_, impl FnMut(u32) -> u8>,
) {
    for _ in 0..POLLS.min(sampled.len()) {
        if *turn >= sampled.len() {
            *turn = 0;
        }
        let Some(&node) = sampled.get(*turn) else {
            return;
        };
        match segments.get(node) {
            Some((fingerprint, weight)) if asked.trials.samples(fingerprint) => {
                let hits = asked.hits(node, fingerprint, weight);
                segments.hit(node, hits);
                *turn += 1;
            }
            _ => {
                sampled.swap_remove(*turn);
                segments.list(node, false);
            }
        }
    }
}
