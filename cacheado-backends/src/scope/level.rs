//! Levels of a tenant hierarchy, each identified by one small number in the process.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use crate::key::Space;

/// The definition of a level, as a static that `scopes!` writes: its name, the argument that identifies its tenants, and its parent.
#[derive(Debug)]
pub struct LevelDef {
    name: &'static str,
    param: &'static str,
    parent: Option<&'static LevelDef>,
    secret: bool,
    level: OnceLock<Level>,
}

impl LevelDef {
    /// A level under `parent`, or a root.
    #[must_use]
    pub const fn new(
        name: &'static str,
        param: &'static str,
        parent: Option<&'static LevelDef>,
        secret: bool,
    ) -> Self {
        Self {
            name,
            param,
            parent,
            secret,
            level: OnceLock::new(),
        }
    }

    /// The level that this defines.
    pub fn level(&self) -> Level {
        *self.level.get_or_init(|| {
            let parent = self.parent.map_or_else(Level::global, LevelDef::level);
            Level::intern(parent, self.name, self.secret)
        })
    }

    /// The name of the argument that identifies its tenants: `"user_id"`.
    #[must_use]
    pub const fn param(&self) -> &'static str {
        self.param
    }
}

/// A level of a tenant hierarchy, such as `user` under `organization`. Two levels are equal if they have the same path of names;
/// copying and comparing a level costs as much as a pointer.
#[derive(Clone, Copy)]
pub struct Level(&'static Info);

struct Info {
    id: u32,
    name: String,
    path: String,
    depth: usize,
    parent: Option<Level>,
    notes: Box<dyn Notes>,
}

/// The mutable part of a level. It is behind a trait object because it is not part of a level's identity: keys and scopes hash only
/// the ids of their levels. Without the trait object, a lint would warn users who use keys or scopes as the keys of a map that these
/// are mutable.
trait Notes: Send + Sync {
    /// Whether any declaration of the level marks its ids as secret.
    fn secret(&self) -> &AtomicBool;
    /// The key space of the programmatic calls at this level.
    fn programmatic(&self) -> &OnceLock<&'static Space>;
}

#[derive(Default)]
struct Learnt {
    secret: AtomicBool,
    programmatic: OnceLock<&'static Space>,
}

impl Notes for Learnt {
    fn secret(&self) -> &AtomicBool {
        &self.secret
    }

    fn programmatic(&self) -> &OnceLock<&'static Space> {
        &self.programmatic
    }
}

static GLOBAL: LazyLock<Info> = LazyLock::new(|| Info {
    id: 0,
    name: "global".to_owned(),
    path: "global".to_owned(),
    depth: 0,
    parent: None,
    notes: Box::<Learnt>::default(),
});

/// Every level of the process, by its parent's id and its name. It never shrinks: there are few hierarchies, and a level that is
/// declared again is found here.
type Levels = HashMap<(u32, String), Level>;
static LEVELS: LazyLock<Mutex<Levels>> = LazyLock::new(Mutex::default);

impl Level {
    /// The implicit root of every hierarchy.
    #[must_use]
    pub fn global() -> Level {
        Level(&GLOBAL)
    }

    /// The level `name` under `parent`. It is secret from now on if this or any earlier declaration says so.
    pub(crate) fn intern(parent: Level, name: &str, secret: bool) -> Level {
        Self::declare(parent, name, secret).unwrap_or_else(|level| {
            level.0.notes.secret().fetch_or(secret, Ordering::Relaxed);
            tracing::error!(
                level = level.path(),
                "declared with secret ids in one place and without in another: declare it alike, or what is stored under ids as they are is not evicted"
            );
            level
        })
    }

    /// The level `name` under `parent`. It is returned as an `Err` if an earlier declaration differs in whether its ids are secret.
    pub(crate) fn declare(parent: Level, name: &str, secret: bool) -> Result<Level, Level> {
        let mut levels = LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "levels are written in source code"
        )]
        let id = levels.len() as u32 + 1;
        let level = *levels
            .entry((parent.id(), name.to_owned()))
            .or_insert_with(|| {
                let path = match parent.depth() {
                    0 => name.to_owned(),
                    _ => format!("{}/{name}", parent.path()),
                };
                Level(Box::leak(Box::new(Info {
                    id,
                    name: name.to_owned(),
                    path,
                    depth: parent.depth() + 1,
                    parent: Some(parent),
                    notes: Box::new(Learnt {
                        secret: secret.into(),
                        ..Learnt::default()
                    }),
                })))
            });
        if level.is_secret() == secret {
            Ok(level)
        } else {
            Err(level)
        }
    }

    /// The level with this path of names from the root; `None` if this process knows none.
    pub(crate) fn find<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Level> {
        let levels = LEVELS.lock().unwrap_or_else(PoisonError::into_inner);
        names.into_iter().try_fold(Level::global(), |level, name| {
            levels.get(&(level.id(), name.to_owned())).copied()
        })
    }

    /// A number that identifies this level in this process only.
    #[must_use]
    pub fn id(self) -> u32 {
        self.0.id
    }

    /// The level's own name: `"user"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// The names from the root's child to here: `"organization/user"`.
    #[must_use]
    pub fn path(self) -> &'static str {
        &self.0.path
    }

    /// The number of ids of a scope of this level: 0 for the root.
    #[must_use]
    pub fn depth(self) -> usize {
        self.0.depth
    }

    /// The level above; `None` for the root.
    #[must_use]
    pub fn parent(self) -> Option<Level> {
        self.0.parent
    }

    /// Whether its ids may leave the process only as a keyed hash.
    #[must_use]
    pub fn is_secret(self) -> bool {
        self.0.notes.secret().load(Ordering::Relaxed)
    }

    /// Whether its ids, or those of a level above it, may leave the process only as a keyed hash.
    #[must_use]
    pub fn has_secret(self) -> bool {
        self.is_secret() || self.parent().is_some_and(Level::has_secret)
    }

    /// The level `depth` steps from the root on the path to this one: `at(0)` is the root, `at(self.depth())` the level itself; `None`
    /// beyond that.
    #[must_use]
    pub fn at(self, depth: usize) -> Option<Level> {
        let mut level = self;
        while level.depth() > depth {
            level = level.parent()?;
        }
        (level.depth() == depth).then_some(level)
    }

    pub(crate) fn programmatic(self) -> &'static OnceLock<&'static Space> {
        self.0.notes.programmatic()
    }

    /// The levels from the root's child to this one.
    #[must_use]
    pub fn chain(self) -> Vec<Level> {
        (1..=self.depth())
            .filter_map(|depth| self.at(depth))
            .collect()
    }
}

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Level {}

impl Hash for Level {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Level({})", self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_secret_once_one_declaration_says_so() {
        let again = |secret| Level::intern(Level::global(), "declared_twice", secret);
        assert!(!again(false).is_secret());
        assert!(again(true).is_secret());
        assert!(again(false).is_secret());
    }

    #[test]
    fn levels_of_one_name_under_two_parents_are_two() {
        let parents = ["left", "right"].map(|name| Level::intern(Level::global(), name, false));
        let [left, right] = parents.map(|parent| Level::intern(parent, "same", false));
        assert!(left != right && left.id() != right.id());
        assert_eq!(Level::find(["left", "same"]), Some(left));
        assert_eq!(Level::find(["right", "same"]), Some(right));
        assert_eq!(Level::find(["same"]), None);
    }
}
