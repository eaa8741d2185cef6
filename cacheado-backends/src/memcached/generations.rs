//! Marks: a key for each scope, with a random nonce that an eviction of the scope replaces. A value counts while the marks of all its
//! scopes are what they were when its load or set began.
//!
//! A mark that is missing, because the server made room or restarted, gets a nonce never used before. That evicts the scope, whose old
//! values never come back. A mark that another client has overwritten is replaced in the same way.
//!
//! With several servers, each has a mark of its own, which counts for the entries at that server beside the marks of their scopes. So
//! a server that restarts, and reuses item numbers, has another nonce.

use std::hash::BuildHasher;
use std::time::Instant;

use dashmap::DashMap;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use memcache::exp::{Get, Meta, Op, OpResult, Router, Set};

use super::client::Way;
use super::clock::{self, HORIZON};
use super::header::Generation;
use super::{Memcached, unexpected};
use crate::backend::BackendResult;
use crate::key::Key;
use crate::sync::RandomState;

/// The maximum number of nonces remembered. When it is reached, all are forgotten.
const REMEMBERED: usize = 4_096;

/// The names of some entries and of the marks of all their scopes.
pub(super) struct Places {
    pub(super) entries: Vec<Place>,
    /// Each mark once, the root mark first.
    marks: Vec<String>,
}

impl Places {
    /// All names in a lookup.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let entries = self.entries.iter().map(|it| &*it.name);
        entries.chain(self.marks.iter().map(|it| &**it))
    }
}

/// The name of an entry, and the indexes of the marks of its scopes, root first, and of its server.
pub(super) struct Place {
    pub(super) name: String,
    marks: Vec<usize>,
}

impl Place {
    /// The generation of the entry; `None` while one of its marks is missing.
    pub(super) fn generation(&self, nonces: &[Option<u64>]) -> Option<Generation> {
        let nonces: Option<Vec<u64>> = self.marks.iter().map(|&mark| nonces[mark]).collect();
        nonces.map(Generation::of)
    }
}

/// The nonces seen last. A store uses them until an answer shows others.
#[derive(Default)]
pub(super) struct Remembered(DashMap<String, u64, RandomState>);

impl Remembered {
    pub(super) fn insert(&self, mark: &str, nonce: u64) {
        if self.0.get(mark).is_some_and(|known| *known == nonce) {
            return;
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(mark.to_owned(), nonce);
    }

    fn of(&self, marks: &[String]) -> Vec<Option<u64>> {
        let known = |mark: &String| self.0.get(mark).map(|nonce| *nonce);
        marks.iter().map(known).collect()
    }
}

impl Memcached {
    /// The places of the entries of `keys`.
    pub(super) fn places<'k>(&self, keys: impl IntoIterator<Item = &'k Key>) -> Places {
        let hasher = RandomState::default();
        let mut marks: Vec<String> = Vec::new();
        // the index of each mark
        let mut known: HashTable<usize> = HashTable::new();
        let entries = keys.into_iter().map(|key| {
            let (name, mut its) = self.names.entry(key);
            if !self.server_marks.is_empty() {
                let server = self.client.servers().route(name.as_bytes(), &[]);
                its.extend(self.server_marks.get(server).cloned());
            }
            let mut place = |mark: String| {
                let is_it = |&nth: &usize| marks[nth] == mark;
                let hash = |&nth: &usize| hasher.hash_one(&marks[nth]);
                match known.entry(hasher.hash_one(&mark), is_it, hash) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(place) => {
                        place.insert(marks.len());
                        marks.push(mark);
                        marks.len() - 1
                    }
                }
            };
            Place {
                name,
                marks: its.into_iter().map(&mut place).collect(),
            }
        });
        let entries = entries.collect();
        Places { entries, marks }
    }

    /// The commands that read the marks of `places`.
    pub(super) fn reads(places: &Places) -> impl Iterator<Item = Op> {
        let reads = places.marks.iter().enumerate();
        reads.map(|(nth, mark)| Self::read(mark, nth == 0).into())
    }

    /// Reads a mark. The root mark's TTL tells the time as well.
    fn read(mark: &str, of_all: bool) -> Get {
        let meta = if of_all { Meta::NONE.ttl() } else { Meta::NONE };
        Get::new(mark).meta(meta)
    }

    /// Writes a mark. The root mark gets an expiry date that the server's time is derived from.
    pub(super) fn write(mark: &str, of_all: bool, nonce: u64) -> Set {
        let set = Set::new(mark, nonce.to_be_bytes());
        set.ttl_raw(if of_all { HORIZON } else { 0 })
    }

    /// The nonces in the `answers` to [`reads`](Self::reads) sent at `sent`.
    pub(super) fn heard(
        &self,
        places: &Places,
        answers: impl IntoIterator<Item = OpResult>,
        sent: Instant,
    ) -> BackendResult<Vec<Option<u64>>> {
        let marks = places.marks.iter().enumerate();
        let heard = marks
            .zip(answers)
            .map(|((nth, mark), answer)| self.hear(mark, nth == 0, answer, sent));
        heard.collect()
    }

    fn hear(
        &self,
        mark: &str,
        of_all: bool,
        answer: OpResult,
        sent: Instant,
    ) -> BackendResult<Option<u64>> {
        let OpResult::Get(answer) = answer else {
            return Err(unexpected());
        };
        // not a mark of this backend
        let nonce = answer
            .value
            .and_then(|value| value.try_into().ok())
            .map(u64::from_be_bytes);
        if let Some(nonce) = nonce {
            self.remembered.insert(mark, nonce);
            if let Some(left) = answer.item.ttl.filter(|_| of_all) {
                self.clock.learn(nonce, left, sent);
            }
        }
        Ok(nonce)
    }

    /// Makes the marks missing in `nonces`, each with a new nonce.
    pub(super) async fn complete(
        &self,
        way: Way,
        places: &Places,
        mut nonces: Vec<Option<u64>>,
    ) -> BackendResult<Vec<Option<u64>>> {
        // another process may be making the same mark, and then both use the one that is there. If something else is there, another
        // client wrote it: the second pass overwrites it, which costs an eviction if a mark has come meanwhile
        for over in [false, true] {
            let missing: Vec<usize> = (0..nonces.len())
                .filter(|&nth| nonces[nth].is_none())
                .collect();
            if missing.is_empty() {
                return Ok(nonces);
            }
            let sent = Instant::now();
            let commands = missing.iter().flat_map(|&nth| {
                let (mark, of_all) = (&places.marks[nth], nth == 0);
                let write = Self::write(mark, of_all, clock::nonce());
                let write = if over { write } else { write.add() };
                [write.into(), Self::read(mark, of_all).into()]
            });
            let answers = self.client.exchange(way, commands.collect()).await?;
            let reads = answers.into_iter().skip(1).step_by(2);
            for (nth, answer) in missing.into_iter().zip(reads) {
                nonces[nth] = self.hear(&places.marks[nth], nth == 0, answer, sent)?;
            }
        }
        if nonces.contains(&None) {
            return Err("the mark of a scope was not kept".into());
        }
        Ok(nonces)
    }

    /// The remembered nonces of the marks of `places`.
    pub(super) fn recalled(&self, places: &Places) -> Vec<Option<u64>> {
        self.remembered.of(&places.marks)
    }
}
