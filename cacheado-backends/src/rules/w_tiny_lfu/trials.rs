//! Miniature simulations: which window, admission and memory for frequencies would have had the most hits.
//!
//! Each trial is a W-TinyLFU cache without values and with a window of its own. It sees a sample of the keys, and is smaller in the
//! same proportion: "Cache Modeling and Optimization using Miniature Simulations" (Waldspurger, Saemundsson, Ahmad, Park; ATC 2017).

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::segments::{Admission, Segments, Usage};
use super::sketch::Sketch;

/// The settings of a trial.
#[derive(Clone, Copy)]
struct Settings {
    /// The window, in `WHOLE`ths of the capacity.
    window: u64,
    /// The index in `MEMORIES` of the frequencies it uses.
    memory: usize,
    admission: Admission,
}

/// The increments per entry after which frequencies are halved.
const MEMORIES: [u64; 4] = [16, 10, 5, 2];
/// One trial for each access pattern at which another loses: loops a little larger than the cache; keys requested twice within a short
/// time (a short memory, which in effect also admits some of a longer loop); the same with longer scans; S3-FIFO with its usual tenth;
/// the mix of recency and frequency of most systems; and recency alone.
const SETTINGS: [Settings; 6] = [
    Settings::new(1, 0, Admission::MoreFrequent),
    Settings::new(1, 3, Admission::SeenBefore),
    Settings::new(1, 2, Admission::SeenBefore),
    Settings::new(26, 1, Admission::SeenBefore),
    Settings::new(51, 0, Admission::MoreFrequent),
    Settings::new(253, 2, Admission::SeenBefore),
];
/// The number of parts that make the whole capacity.
const WHOLE: u64 = 256;
/// At this many entries in a trial the sample is halved, down to one key in `2^RARITY`.
const ENTRIES: usize = 256;
/// The rarest sample that `ENTRIES` leads to. From there on trials grow: more keys compare settings more reliably, and cost a cache of
/// that size little.
const RARITY: u32 = 7;
/// At this many, the sample is halved in any case.
const MOST_ENTRIES: usize = 2048;
/// The maximum number of uses passed to the trials at once.
const MOST_TOLD: usize = 64;
/// The scores are halved after this many uses of sampled keys per entry of a trial, so that old ones fade.
const HORIZON: u64 = 80;
/// A trial must be ahead by this many hits to replace the best one.
const LEAD: u64 = 8;
/// A change costs misses, so the lead must also exceed this many 256ths of the entries that would have to move.
const LEAD_BY_MOVES: u64 = 64;
/// The maximum of that share, which doubles with each change.
const MOST_LEAD_BY_MOVES: u64 = 4 * LEAD_BY_MOVES;
/// The factor by which that share falls when the scores are halved. Trials that alternate have to wait.
const CALM: (u64, u64) = (2, 3);
/// A trial whose lead since it was last not ahead reaches this many hits per entry of a trial becomes the best at once: the access
/// pattern has changed, and the past no longer counts.
const JUMP: u64 = 4;
/// On each sampled miss the window grows or shrinks by one `STEP`th of an entry of a trial.
const STEP: u64 = 2;
/// The window's size is kept in `FRACTION`ths of a part.
const FRACTION: u64 = 256;

pub(super) struct Trials {
    /// Uses that the trials were not run over so far.
    told: Vec<Use>,
    all: [Trial; SETTINGS.len()],
    keys: Vec<Key>,
    free: Vec<u32>,
    /// The slots by fingerprint.
    slots: HashMap<u32, u32, FixedState>,
    /// How often the sampled keys were requested, with each of `MEMORIES`.
    sketches: [Sketch; MEMORIES.len()],
    capacity: u64,
    /// One key in `2^rarity` is sampled.
    rarity: u32,
    /// Uses since the scores were last halved, plus half of the uses before.
    uses: u64,
    /// The trial whose settings the cache uses.
    best: usize,
    lead_by_moves: u64,
    /// The window's current size, on its way there.
    window: u64,
}

struct Trial {
    settings: Settings,
    /// The entries are slots of `keys`.
    cache: Segments<u32>,
    /// Hits, weighted by age.
    score: u64,
    /// Its lead in hits over the best trial since it was last not ahead.
    lead: u64,
}

/// A request for a sampled key.
struct Use {
    fingerprint: u32,
    weight: u32,
    times: u8,
    /// Which trials do not hold the key.
    missed: [bool; SETTINGS.len()],
}

/// A sampled key that some trial holds.
struct Key {
    /// Its node in each trial, or `NONE`.
    nodes: [u32; SETTINGS.len()],
}

const NONE: u32 = u32::MAX;

impl Trials {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            all: SETTINGS.map(|settings| Trial {
                cache: Segments::new(capacity, settings.window_of(capacity), settings.admission),
                settings,
                score: 0,
                lead: 0,
            }),
            told: Vec::new(),
            keys: Vec::new(),
            free: Vec::new(),
            slots: HashMap::default(),
            capacity,
            rarity: 0,
            uses: 0,
            sketches: MEMORIES.map(Sketch::new),
            best: 0,
            lead_by_moves: LEAD_BY_MOVES,
            window: SETTINGS[0].window * FRACTION,
        }
    }

    /// The target weight of the window.
    pub(super) fn window(&self) -> u64 {
        part_of(self.capacity, self.window)
    }

    /// The increments per entry after which the frequencies are to be halved.
    pub(super) fn memory(&self) -> u64 {
        MEMORIES[self.all[self.best].settings.memory]
    }

    /// The admission of the best trial.
    pub(super) fn admission(&self) -> Admission {
        self.all[self.best].settings.admission
    }

    /// Whether the uses of a key are to be passed on.
    pub(super) fn samples(&self, fingerprint: u32) -> bool {
        fingerprint.leading_zeros() >= self.rarity
    }

    /// Records that a sampled key was requested, `times` times. [`hear`](Self::hear) runs the trials over it.
    pub(super) fn used(&mut self, fingerprint: u32, weight: u32, times: u8) {
        if self.told.len() >= MOST_TOLD {
            self.hear();
        }
        self.told.push(Use {
            fingerprint,
            weight,
            times,
            missed: [false; SETTINGS.len()],
        });
    }

    /// Runs the trials over the uses since the last run: hits first, then the insertion of missed keys.
    ///
    /// Hits are reported late, when entries are polled, and in the order in which entries would leave. Processed one by one, the first
    /// key that a trial does not hold would evict the next one reported, and so on: a trial like the cache would miss most of what the
    /// cache has hit.
    pub(super) fn hear(&mut self) {
        let mut told = std::mem::take(&mut self.told);
        for used in &mut told {
            self.count(used);
        }
        for used in &told {
            if used.missed.contains(&true) {
                self.take_in(used);
            }
        }
        self.uses += told.iter().map(|used| u64::from(used.times)).sum::<u64>();
        told.clear();
        self.told = told;
        let entries = self.all.iter().map(|trial| trial.cache.len());
        let entries = entries.max().unwrap_or_default();
        if self.uses >= HORIZON * (entries as u64).max(16) {
            self.fade();
        }
        if entries >= MOST_ENTRIES || (entries >= ENTRIES && self.rarity < RARITY) {
            self.thin();
        }
    }

    /// Counts a use for the frequencies, and as hits of the trials that hold its key.
    fn count(&mut self, used: &mut Use) {
        let entries = self.entries();
        for sketch in &mut self.sketches {
            sketch.fit(entries);
            sketch.add(used.fingerprint, used.times);
        }
        let nodes = match self.slots.get(&used.fingerprint) {
            Some(slot) => self.keys[*slot as usize].nodes,
            None => [NONE; SETTINGS.len()],
        };
        used.missed = nodes.map(|node| node == NONE);
        let hits = |missed: bool| u64::from(used.times) - u64::from(missed);
        let best = hits(used.missed[self.best]);
        for ((trial, node), missed) in self.all.iter_mut().zip(nodes).zip(used.missed) {
            let hits = hits(missed);
            trial.score += hits;
            trial.lead = (trial.lead + hits).saturating_sub(best);
            if !missed {
                trial.cache.hit(node, used.times);
            }
        }
    }

    /// Inserts a key into the trials that missed it.
    fn take_in(&mut self, used: &Use) {
        let slot = self.slot(used.fingerprint);
        for (number, trial) in self.all.iter_mut().enumerate() {
            if !used.missed[number] {
                continue;
            }
            let node = &mut self.keys[slot as usize].nodes[number];
            if *node != NONE {
                // this key was reported twice
                trial.cache.hit(*node, used.times);
                continue;
            }
            let fresh = trial.cache.insert(used.fingerprint, used.weight, slot);
            *node = fresh;
            trial.cache.hit(fresh, used.times - 1);
            let sketch = &self.sketches[trial.settings.memory];
            trial
                .cache
                .settle(fresh, &mut Told(sketch), |_, gone, from| {
                    let nodes = &mut self.keys[from as usize].nodes;
                    nodes[number] = NONE;
                    if from != slot && nodes.iter().all(|node| *node == NONE) {
                        self.slots.remove(&gone);
                        self.free.push(from);
                    }
                });
        }
        if self.keys[slot as usize]
            .nodes
            .iter()
            .all(|node| *node == NONE)
        {
            self.slots.remove(&used.fingerprint);
            self.free.push(slot);
        }
    }

    /// Moves the window's size a little towards that of the best trial. Called on each sampled miss.
    pub(super) fn step(&mut self) {
        let entries = (self.entries() as u64).max(16);
        self.jump(entries);
        self.lead(entries);
        let step = WHOLE * FRACTION / STEP / entries;
        let goal = self.all[self.best].settings.window * FRACTION;
        self.window = goal.clamp(self.window.saturating_sub(step), self.window + step);
    }

    /// Switches to another trial if it had far more hits recently: a cumulative sum test, from "Continuous Inspection Schemes" (Page;
    /// Biometrika 1954).
    fn jump(&mut self, entries: u64) {
        let leads = self.all.iter().map(|trial| trial.lead).enumerate();
        let (leader, lead) = leads.max_by_key(|(_, lead)| *lead).unwrap_or_default();
        if lead > JUMP * entries {
            self.change(leader);
            self.uses = 0;
            for trial in &mut self.all {
                trial.score = 0;
            }
        }
    }

    /// Switches to another trial if it had more hits over a long time, by more than the change may cost.
    fn lead(&mut self, entries: u64) {
        let best = &self.all[self.best];
        let ahead = |trial: &Trial| {
            let parts = trial.settings.window.abs_diff(best.settings.window);
            let moves = parts * entries / WHOLE;
            let lead = LEAD + moves * self.lead_by_moves / 256;
            trial.score.saturating_sub(best.score + lead)
        };
        let (leader, ahead) = self
            .all
            .iter()
            .map(ahead)
            .enumerate()
            .rev()
            .max_by_key(|(_, ahead)| *ahead)
            .unwrap_or_default();
        if ahead > 0 {
            self.change(leader);
        }
    }

    fn change(&mut self, best: usize) {
        self.best = best;
        self.lead_by_moves = MOST_LEAD_BY_MOVES.min(2 * self.lead_by_moves);
        for trial in &mut self.all {
            trial.lead = 0;
        }
    }

    /// The number of entries in a trial.
    fn entries(&self) -> usize {
        self.all[0].cache.len()
    }

    /// The slot of a key. Makes a new one if no trial holds the key.
    fn slot(&mut self, fingerprint: u32) -> u32 {
        *self.slots.entry(fingerprint).or_insert_with(|| {
            let key = Key {
                nodes: [NONE; SETTINGS.len()],
            };
            if let Some(slot) = self.free.pop() {
                self.keys[slot as usize] = key;
                return slot;
            }
            self.keys.push(key);
            u32::try_from(self.keys.len() - 1).expect("a few keys a trial")
        })
    }

    fn fade(&mut self) {
        self.uses /= 2;
        for trial in &mut self.all {
            trial.score /= 2;
        }
        self.lead_by_moves = LEAD_BY_MOVES.max(self.lead_by_moves * CALM.0 / CALM.1);
    }

    /// Halves the sample.
    fn thin(&mut self) {
        self.rarity += 1;
        let capacity = self.capacity >> self.rarity;
        for trial in &mut self.all {
            let window = trial.settings.window_of(capacity);
            trial.cache.resize(capacity, window);
        }
        let rarity = self.rarity;
        self.slots.retain(|fingerprint, slot| {
            let sampled = fingerprint.leading_zeros() >= rarity;
            if !sampled {
                let nodes = self.keys[*slot as usize].nodes;
                for (trial, node) in self.all.iter_mut().zip(nodes) {
                    if node != NONE {
                        trial.cache.remove(node);
                    }
                }
                self.free.push(*slot);
            }
            sampled
        });
    }
}

/// Part of a capacity, in `WHOLE * FRACTION`ths; at least 1, and never the whole.
fn part_of(capacity: u64, window: u64) -> u64 {
    let part = u128::from(capacity) * u128::from(window) / u128::from(WHOLE * FRACTION);
    u64::try_from(part)
        .unwrap_or(capacity)
        .clamp(1, capacity.saturating_sub(1).max(1))
}

impl Settings {
    const fn new(window: u64, memory: usize, admission: Admission) -> Self {
        Self {
            window,
            memory,
            admission,
        }
    }

    fn window_of(&self, capacity: u64) -> u64 {
        part_of(capacity, self.window * FRACTION)
    }
}

/// A trial is told of hits and need not ask for them.
struct Told<'a>(&'a Sketch);

impl Usage for Told<'_> {
    fn hits(&mut self, _: u32, _: u32, _: u32) -> u8 {
        0
    }

    fn frequency(&self, fingerprint: u32) -> u8 {
        self.0.frequency(fingerprint)
    }
}
