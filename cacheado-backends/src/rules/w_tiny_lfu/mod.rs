//! What to keep of more than fits: W-TinyLFU with a window that adapts, told of hits only when it asks.
//!
//! An entry is first in the window, where what is new is kept for a while whatever its history. One that leaves the window
//! is weighed against the main space's next victim: the one whose key was asked for more often of late stays. From
//! "`TinyLFU`: A Highly Efficient Cache Admission Policy" (Einziger, Friedman, Manes; ACM `ToS` 2017) and "Adaptive Software
//! Cache Management" (Einziger, Eytan, Friedman, Manes; Middleware 2018). It departs from them:
//!
//! - A hit only counts up a counter of the entry, which is read when the entry's turn to leave comes, and added to the sketch
//!   then. Window and main space are queues that give what was hit another round (CLOCK), the main space up to three, not LRU
//!   lists, and the main space has no protected part.
//! - An insertion passes over a few entries that were hit, and no more. Where all of those were, what leaves the window is not
//!   let in, whatever its frequency.
//! - The window's size isn't found by hill climbing, which needs the hit ratio, but by [miniature simulations](trials) over a
//!   sample of the keys. Sampled entries are polled for their hits, so that the simulations hear of them soon.
//! - The simulations choose two more things: how long frequencies are remembered (2, 5, 10 or 16 increments an entry),
//!   and whether S3-FIFO's admission takes the place of `TinyLFU`'s ("FIFO queues are all you need for cache eviction",
//!   Yang et al.; SOSP 2023): whoever was asked for before, as far as the sketch remembers, is let in.
//! - What the simulations hear at once, they take in as one: first their hits, then what they missed.
//! - What simulations had more hits is judged over a long time, and over a short one if they had far more.
//! - A cache of less than 128 entries remembers frequencies as one of 128 does.
//!
//! A scan that is much longer than the sketch remembers, tens of times the capacity, drives out what was used often.

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

/// How many sampled entries are asked for their hits whenever a sampled key was missed.
const POLLS: usize = 8;

/// Which entries to keep, of a bounded cache. An entry is known by its node, a small number.
///
/// Memory: 20 bytes an entry, and 8 to 16 for the frequencies. The trials take about 230 bytes for each of the
/// first 256 entries, and no more after those but for what they grow by until they are thinned: 60 to 70 kB in all. From 32,768
/// entries on it is about 2 bytes for each, up to 470 kB.
pub(crate) struct Policy {
    segments: Segments<()>,
    sketch: Sketch,
    trials: Trials,
    /// The nodes of sampled entries, to be polled in turn. One that serves another entry by now is dropped when met.
    sampled: Vec<u32>,
    turn: usize,
}

/// What became of an entry that was to be inserted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// It is held as this node.
    Held(u32),
    /// It isn't: it is heavier than the capacity.
    Refused,
}

/// Asks the entries for their hits, and passes on what they say.
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
    /// A policy over entries that weigh `capacity` together at most.
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

    /// How many entries are held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.segments.len()
    }

    /// What the entries weigh together.
    #[cfg(test)]
    pub(crate) fn weight(&self) -> u64 {
        self.segments.weight()
    }

    /// Takes in an entry whose key was missed. `hits` reads how often one was hit, and sets that to zero; it is asked of
    /// entries that are held. `evict` is told what has to go for this one, whose nodes are free by then. O(1), amortized over insertions and hits.
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

    /// The entry of this node was removed by someone else. `None` if the node is free. O(1).
    pub(crate) fn remove(&mut self, node: u32) -> Option<()> {
        self.segments.remove(node)
    }

    /// The entry of this node has another value by now. `evict` is told what has to go for that: itself, if it is heavier than the
    /// capacity now.
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

    /// Lets go of all entries, and of what was learned from them.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.segments.capacity());
    }
}

/// Asks some sampled entries, in turn.
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
