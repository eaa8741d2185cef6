//! Key spaces: the function, or the programmatic level, that a key belongs to.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use crate::scope::Level;
use crate::sync::RandomState;

/// The key space that a key belongs to: one function, or the programmatic calls of one scope level. Keys of different spaces are never
/// equal.
///
/// A space is made once and lives as long as the process; there are as many as cached functions, counting each
/// instantiation of a generic one.
#[derive(Debug)]
pub struct Space {
    id: u32,
    /// Seeded anew in each process, so that an attacker does not know which keys collide. (foldhash resists chosen keys; it does not
    /// promise what a cryptographic hash does.) Each space has its own seed. That separates the hashes of two spaces as well as
    /// hashing the space's id would, which would cost each lookup time.
    hashers: RandomState,
    spec: SpaceSpec,
    /// Set by the first function with a bound. Of several functions that share the space, one without a bound may have been called
    /// before.
    max_items: OnceLock<NonZeroUsize>,
}

/// What identifies a space.
#[derive(Debug)]
pub struct SpaceSpec {
    /// The name in the shared tier: the full path of the function, or its explicit name.
    pub name: String,
    /// The `version` of the function's attribute, 0 without one.
    pub version: u32,
    /// Whether the name is explicit rather than a path.
    pub explicit: bool,
    /// The scope level of all its keys.
    pub level: Level,
    /// Whether the name is the same in every process, and no other space has it there.
    pub stable: bool,
}

/// Every space of the process, indexed by id.
static SPACES: Spaces = Spaces {
    len: Mutex::new(0),
    blocks: [const { OnceLock::new() }; BLOCKS],
};

/// The spaces whose names are the same in every process, by what identifies them there: level, name, version, and whether the name is
/// explicit.
type ByName = HashMap<(Level, String, u32, bool), &'static Space>;
static BY_NAME: LazyLock<Mutex<ByName>> = LazyLock::new(Mutex::default);

/// A list that grows by blocks, each twice as long as the one before, and is read without a lock. Every stored key refers to its space
/// by its position in the list.
struct Spaces {
    len: Mutex<u32>,
    blocks: [OnceLock<Block>; BLOCKS],
}

type Block = Box<[OnceLock<&'static Space>]>;

/// The length of the first block, as a power of two.
const FIRST: u32 = 6;
/// Enough for any `u32`.
const BLOCKS: usize = (u32::BITS - FIRST) as usize + 1;

impl Spaces {
    /// The block that contains `id`, its length, and the position in it.
    #[inline]
    fn place(id: u32) -> (usize, usize, usize) {
        let from_first = id as usize + (1 << FIRST);
        let len = 1 << from_first.ilog2();
        let block = from_first.ilog2() - FIRST;
        (block as usize, len, from_first - len)
    }

    #[inline]
    fn get(&self, id: u32) -> Option<&'static Space> {
        let (block, _, place) = Self::place(id);
        self.blocks[block].get()?.get(place)?.get().copied()
    }

    /// Adds the space that `make` makes for the new id.
    fn add(&self, make: impl FnOnce(u32) -> &'static Space) -> &'static Space {
        let mut len = self.len.lock().unwrap_or_else(PoisonError::into_inner);
        let (block, in_block, place) = Self::place(*len);
        let block =
            self.blocks[block].get_or_init(|| (0..in_block).map(|_| OnceLock::new()).collect());
        let space = block[place].get_or_init(|| make(*len));
        *len += 1;
        space
    }
}

impl Space {
    /// A new space.
    #[must_use]
    pub fn create(spec: SpaceSpec) -> &'static Self {
        let space = SPACES.add(|id| {
            Box::leak(Box::new(Self {
                id,
                hashers: RandomState::default(),
                spec,
                max_items: OnceLock::new(),
            }))
        });
        if space.is_stable() {
            let spec = &space.spec;
            let name = (spec.level, spec.name.clone(), spec.version, spec.explicit);
            let mut by_name = BY_NAME.lock().unwrap_or_else(PoisonError::into_inner);
            by_name.entry(name).or_insert(space);
        }
        space
    }

    /// The space that other processes identify by these; `None` if this process has not made it yet.
    pub(crate) fn find(
        level: Level,
        name: &str,
        version: u32,
        explicit: bool,
    ) -> Option<&'static Self> {
        let by_name = BY_NAME.lock().unwrap_or_else(PoisonError::into_inner);
        by_name
            .get(&(level, name.to_owned(), version, explicit))
            .copied()
    }

    /// The space with this id.
    #[must_use]
    pub fn by_id(id: u32) -> Option<&'static Self> {
        SPACES.get(id)
    }

    /// The space of the programmatic calls with a scope of `level`.
    #[must_use]
    pub fn programmatic(level: Level) -> &'static Self {
        let spec = || SpaceSpec {
            name: String::new(),
            version: 0,
            explicit: false,
            level,
            stable: true,
        };
        level.programmatic().get_or_init(|| Self::create(spec()))
    }

    /// A small number that identifies this space in this process only, counted from 0 without gaps.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The hasher with which the hash of each of its keys begins.
    #[inline]
    pub(crate) fn hasher(&self) -> <RandomState as BuildHasher>::Hasher {
        self.hashers.build_hasher()
    }

    /// The full path of the function, or the explicit name; empty for programmatic calls.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The `version` of the function's attribute, 0 without one.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.spec.version
    }

    /// Whether its name is explicit. A path and an explicit name are different names, even if they read the same.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        self.spec.explicit
    }

    /// The scope level of all its keys.
    #[must_use]
    pub fn level(&self) -> Level {
        self.spec.level
    }

    /// The most entries it may have in one cache.
    #[must_use]
    pub fn max_items(&self) -> Option<NonZeroUsize> {
        self.max_items.get().copied()
    }

    /// Sets the bound, unless the space has one already. Returns the bound in force.
    pub fn bound(&self, most: NonZeroUsize) -> NonZeroUsize {
        *self.max_items.get_or_init(|| most)
    }

    /// Whether its name is the same in every process, and no other space has it there. If not, its entries stay in the process.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.spec.stable
    }
}

impl PartialEq for Space {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Space {}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.spec.name.is_empty() {
            "(programmatic)"
        } else {
            &self.spec.name
        })
    }
}
