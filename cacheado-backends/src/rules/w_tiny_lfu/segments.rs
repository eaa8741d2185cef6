//! The two queues of W-TinyLFU, the window and the main space, and how entries pass through them.

const NONE: u32 = u32::MAX;
/// How many entries that were hit an insertion may pass over in a queue to find one that was not.
const PATIENCE: u32 = 32;
/// The maximum rounds that hits give an entry.
const ROUNDS_IN_WINDOW: u8 = 1;
const ROUNDS_IN_MAIN: u8 = 3;
/// How many entries an insertion moves at most to shrink the window.
const MOVES: u32 = 4;

/// What the queues ask about an entry.
pub(super) trait Usage {
    /// The hits of the entry since the last call.
    fn hits(&mut self, node: u32, fingerprint: u32, weight: u32) -> u8;
    /// How often its key was requested recently.
    fn frequency(&self, fingerprint: u32) -> u8;
}

/// When an entry that leaves the window is admitted to a full main space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// If its key was requested more often than that of the main space's victim: `TinyLFU`.
    MoreFrequent,
    /// If its key was requested more than once: S3-FIFO, with the sketch as ghost queue.
    SeenBefore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Window,
    Main,
    Free,
}

/// An entry's place in its queue.
struct Node<T> {
    entry: Option<T>,
    fingerprint: u32,
    weight: u32,
    previous: u32,
    next: u32,
    /// Hits already read that have not given a round so far.
    hits: u8,
    place: Place,
    /// Whether it is in the list of entries to poll.
    listed: bool,
}

/// The entry whose turn to leave a queue it is.
struct Turn {
    node: u32,
    /// Whether it was not hit since it was queued. If it was, so were the `PATIENCE` entries before it.
    unused: bool,
}

/// A queue, linked through the nodes.
struct Queue {
    first: u32,
    last: u32,
    weight: u64,
}

impl Queue {
    const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
        weight: 0,
    };
}

pub(super) struct Segments<T> {
    nodes: Vec<Node<T>>,
    /// The free nodes, linked by `next`.
    free: u32,
    len: usize,
    window: Queue,
    main: Queue,
    /// The victim of the main space that was kept last, and how many times in a row.
    standing: (u32, u32),
    capacity: u64,
    /// The target weight of the window.
    target: u64,
    /// The weight of the heaviest recent entry, in 65,536ths. It decays slowly, over as many insertions.
    heaviest: u64,
    admission: Admission,
}

impl<T> Segments<T> {
    pub(super) fn new(capacity: u64, target: u64, admission: Admission) -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            window: Queue::EMPTY,
            main: Queue::EMPTY,
            standing: (NONE, 0),
            capacity,
            target,
            heaviest: 0,
            admission,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn weight(&self) -> u64 {
        self.window.weight + self.main.weight
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Sets the total capacity, and the window's target weight.
    pub(super) fn resize(&mut self, capacity: u64, target: u64) {
        self.capacity = capacity;
        self.target = target;
    }

    pub(super) fn set_admission(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// The fingerprint and weight of an entry that is held.
    pub(super) fn get(&self, node: u32) -> Option<(u32, u32)> {
        let node = self.nodes.get(node as usize)?;
        node.entry
            .is_some()
            .then_some((node.fingerprint, node.weight))
    }

    /// Sets whether a node is in the caller's list of samples. Returns whether it was.
    pub(super) fn list(&mut self, node: u32, listed: bool) -> bool {
        std::mem::replace(&mut self.nodes[node as usize].listed, listed)
    }

    /// Records hits of the entry.
    pub(super) fn hit(&mut self, node: u32, times: u8) {
        let hits = &mut self.nodes[node as usize].hits;
        *hits = hits.saturating_add(times);
    }

    /// Inserts an entry as the newest of the window. [`settle`](Self::settle) then evicts what no longer fits.
    pub(super) fn insert(&mut self, fingerprint: u32, weight: u32, entry: T) -> u32 {
        let node = if self.free == NONE {
            self.nodes.push(Node {
                entry: None,
                fingerprint: 0,
                weight: 0,
                previous: NONE,
                next: NONE,
                hits: 0,
                place: Place::Free,
                listed: false,
            });
            u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 entries")
        } else {
            let node = self.free;
            self.free = self.nodes[node as usize].next;
            node
        };
        let slot = &mut self.nodes[node as usize];
        slot.entry = Some(entry);
        slot.fingerprint = fingerprint;
        slot.weight = weight;
        slot.hits = 0;
        self.len += 1;
        self.heaviest = (u64::from(weight) << 16).max(self.heaviest - (self.heaviest >> 16));
        self.push(Place::Window, node);
        node
    }

    /// Removes an entry. `None` if the node is free.
    pub(super) fn remove(&mut self, node: u32) -> Option<T> {
        let entry = self.nodes.get_mut(node as usize)?.entry.take()?;
        self.unlink(node);
        let slot = &mut self.nodes[node as usize];
        slot.place = Place::Free;
        slot.next = self.free;
        self.free = node;
        self.len -= 1;
        Some(entry)
    }

    /// Sets the weight of an entry. [`settle`](Self::settle) then evicts what no longer fits.
    pub(super) fn reweigh(&mut self, node: u32, weight: u32) {
        let slot = &mut self.nodes[node as usize];
        let old = std::mem::replace(&mut slot.weight, weight);
        let place = slot.place;
        let queue = self.queue(place);
        queue.weight = queue.weight - u64::from(old) + u64::from(weight);
    }

    /// Evicts until the rest fits. `evict` gets the node, which is free by then, the fingerprint and the entry. The `newcomer` stays,
    /// whatever its history: its key was just missed.
    pub(super) fn settle(
        &mut self,
        newcomer: u32,
        usage: &mut impl Usage,
        mut evict: impl FnMut(u32, u32, T),
    ) {
        let (mut window_patience, mut main_patience) = (PATIENCE, PATIENCE);
        // with a window too small for it, a heavy newcomer would evict main-space entries that it can't compete with yet
        let target = self
            .target
            .max((self.heaviest >> 16).min(self.capacity / 2));
        // while the main space has room, what leaves the window moves there without a contest
        for _ in 0..MOVES {
            if self.window.weight <= target || self.main.weight + target >= self.capacity {
                break;
            }
            let turn = self.next_of(Place::Window, newcomer, usage, &mut window_patience);
            let Some(Turn { node, .. }) = turn else {
                break;
            };
            let weight = u64::from(self.nodes[node as usize].weight);
            if self.main.weight + weight + target > self.capacity {
                break;
            }
            self.unlink(node);
            self.push(Place::Main, node);
        }
        while self.weight() > self.capacity {
            let victim = self.next_of(Place::Main, newcomer, usage, &mut main_patience);
            let candidate = if self.window.weight > target || victim.is_none() {
                self.next_of(Place::Window, newcomer, usage, &mut window_patience)
            } else {
                None
            };
            let loser = match (candidate, victim) {
                (Some(Turn { node, .. }), Some(victim)) => {
                    let of = |node: u32| usage.frequency(self.nodes[node as usize].fingerprint);
                    // during a burst of hits the main space has no victim: it would lose its most used entries
                    let admitted = victim.unused
                        && match self.admission {
                            Admission::MoreFrequent => of(node) > of(victim.node),
                            Admission::SeenBefore => of(node) > 1,
                        };
                    if admitted {
                        self.unlink(node);
                        self.push(Place::Main, node);
                        victim.node
                    } else {
                        self.stood(victim.node);
                        node
                    }
                }
                (Some(turn), None) | (None, Some(turn)) => turn.node,
                (None, None) => break,
            };
            let fingerprint = self.nodes[loser as usize].fingerprint;
            if let Some(entry) = self.remove(loser) {
                evict(loser, fingerprint, entry);
            }
        }
    }

    /// Counts that the main space kept its next victim, and a candidate went instead. A victim that is kept as many times in a row as
    /// there are entries is queued again. Otherwise an entry that was once requested very often would block all admissions for as long
    /// as that is remembered.
    fn stood(&mut self, victim: u32) {
        if self.standing.0 != victim {
            self.standing = (victim, 0);
        }
        self.standing.1 += 1;
        if self.standing.1 as usize >= self.len {
            self.standing = (NONE, 0);
            self.unlink(victim);
            self.push(Place::Main, victim);
        }
    }

    /// The oldest entry of a queue that was not hit since it was queued. Entries that were hit are queued again, while `patience`
    /// lasts, and so is the `newcomer`. `None` if there is no other entry.
    fn next_of(
        &mut self,
        place: Place,
        newcomer: u32,
        usage: &mut impl Usage,
        patience: &mut u32,
    ) -> Option<Turn> {
        let most = match place {
            Place::Window => ROUNDS_IN_WINDOW,
            Place::Main | Place::Free => ROUNDS_IN_MAIN,
        };
        loop {
            let Queue { first, last, .. } = *self.queue(place);
            let node = first;
            if node == newcomer {
                if first == last {
                    return None;
                }
                self.unlink(node);
                self.push(place, node);
                continue;
            }
            let slot = self.nodes.get_mut(node as usize)?;
            let hits = usage.hits(node, slot.fingerprint, slot.weight);
            let rounds = slot.hits.saturating_add(hits).min(most);
            slot.hits = rounds.saturating_sub(1);
            if rounds == 0 || *patience == 0 {
                let unused = rounds == 0;
                return Some(Turn { node, unused });
            }
            *patience -= 1;
            self.unlink(node);
            self.push(place, node);
        }
    }

    fn queue(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Window => &mut self.window,
            Place::Main | Place::Free => &mut self.main,
        }
    }

    fn push(&mut self, place: Place, node: u32) {
        let slot = &self.nodes[node as usize];
        let weight = u64::from(slot.weight);
        let queue = self.queue(place);
        queue.weight += weight;
        let previous = std::mem::replace(&mut queue.last, node);
        if previous == NONE {
            queue.first = node;
        } else {
            self.nodes[previous as usize].next = node;
        }
        let slot = &mut self.nodes[node as usize];
        slot.previous = previous;
        slot.next = NONE;
        slot.place = place;
    }

    fn unlink(&mut self, node: u32) {
        let slot = &self.nodes[node as usize];
        let (previous, next, weight) = (slot.previous, slot.next, u64::from(slot.weight));
        let place = slot.place;
        let queue = self.queue(place);
        queue.weight -= weight;
        if previous == NONE {
            queue.first = next;
        }
        if next == NONE {
            queue.last = previous;
        }
        if let Some(slot) = self.nodes.get_mut(previous as usize) {
            slot.next = next;
        }
        if let Some(slot) = self.nodes.get_mut(next as usize) {
            slot.previous = previous;
        }
    }
}
