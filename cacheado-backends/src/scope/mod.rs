//! Scopes: where in the tenant hierarchy an entry lives.
//!
//! A scope is a level and one id for each level on the path to it. It can only be made from a declared level with all of its ids, so a
//! scope without part of its tenant's path can't exist.

mod hierarchy;
mod id;
mod level;

use std::fmt;
use std::sync::Arc;

pub use hierarchy::{Hierarchy, HierarchyBuilder};
pub(crate) use id::is_unprintable;
pub use id::{IdText, ScopeId};
pub use level::{Level, LevelDef};

use crate::key::{Buffer, varint};

/// A place in the tenant hierarchy: one organization, one of its users, one of the user's sessions, or the global root.
///
/// Scopes come from the functions that `scopes!` writes (`scope::user("acme", 7)`), from
/// [`Hierarchy::scope`] when the level is named at run time, or from [`Scope::global`]. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    level: Level,
    /// Each id as its length and its bytes, root first, so that ids can't run into each other. `None` for the root, and only for it,
    /// which thus needs no allocation.
    ids: Option<Arc<[u8]>>,
}

impl Scope {
    /// The root, which contains everything.
    ///
    /// ```
    /// assert_eq!(cacheado::Scope::global().to_string(), "global");
    /// ```
    #[must_use]
    pub fn global() -> Self {
        Self {
            level: Level::global(),
            ids: None,
        }
    }

    /// A scope of `level`, with its ids from the root to the leaf.
    ///
    /// # Panics
    ///
    /// If the number of ids is not the depth of the level. Only this crate and generated code call it, with the right number.
    #[doc(hidden)]
    #[must_use]
    pub fn new(level: Level, ids: &[IdText<'_>]) -> Self {
        assert_eq!(ids.len(), level.depth(), "one id a step of {level:?}");
        let mut bytes = Buffer::new();
        encode_ids(ids.iter().map(IdText::as_bytes), &mut bytes);
        Self::from_encoded(level, bytes.as_slice())
    }

    /// A scope of `level`, with as many ids as its depth.
    pub(crate) fn of<'i>(level: Level, ids: impl IntoIterator<Item = &'i str>) -> Self {
        let mut bytes = Buffer::new();
        encode_ids(ids.into_iter().map(str::as_bytes), &mut bytes);
        Self::from_encoded(level, bytes.as_slice())
    }

    pub(crate) fn from_encoded(level: Level, ids: &[u8]) -> Self {
        Self {
            level,
            ids: (level.depth() > 0).then(|| ids.into()),
        }
    }

    /// The level of this scope.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The ids from the root to the leaf.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        decode_ids(self.encoded_ids())
    }

    pub(crate) fn encoded_ids(&self) -> &[u8] {
        self.ids.as_deref().unwrap_or_default()
    }

    /// This scope, or the nearest above it that has no secret id.
    pub(crate) fn without_secrets(&self) -> Self {
        let chain = self.level.chain();
        let open = chain.iter().take_while(|level| !level.is_secret());
        let depth = open.count();
        match self.level.at(depth) {
            Some(level) if depth < self.level.depth() => Self::of(level, self.ids().take(depth)),
            _ => self.clone(),
        }
    }

    /// The scope directly above; `None` for the global one.
    ///
    /// ```
    /// use cacheado::Hierarchy;
    ///
    /// let levels = Hierarchy::builder().level("organization", "org_id");
    /// let hierarchy = levels.level_under("organization", "user", "user_id").build()?;
    /// let user = hierarchy.scope("user", [("org_id", "acme"), ("user_id", "7")])?;
    /// let acme = hierarchy.scope("organization", [("org_id", "acme")])?;
    /// assert_eq!(user.parent(), Some(acme));
    /// # Ok::<(), cacheado::Error>(())
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let parent = self.level.parent()?;
        Some(Self::of(parent, self.ids().take(parent.depth())))
    }

    /// Whether `other` is this scope or lies below it.
    ///
    /// Costs a comparison of the ids' bytes.
    #[must_use]
    pub fn contains(&self, other: &Scope) -> bool {
        // ids are written with their lengths, so a prefix in bytes that ends at this scope's depth is a prefix in ids
        other.level.at(self.level.depth()) == Some(self.level)
            && other.encoded_ids().starts_with(self.encoded_ids())
    }
}

impl fmt::Display for Scope {
    /// `organization=acme/user=7`, for people: ids are quoted where they hold anything but letters, digits and `-_.@`,
    /// and ids of a secret level are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.level.depth() == 0 {
            return f.write_str("global");
        }
        for (nth, (level, id)) in self.level.chain().into_iter().zip(self.ids()).enumerate() {
            if nth > 0 {
                f.write_str("/")?;
            }
            let plain = !id.is_empty()
                && id
                    .chars()
                    .all(|c| c.is_alphanumeric() || "-_.@".contains(c));
            match (level.is_secret(), plain) {
                (true, _) => write!(f, "{}=***", level.name())?,
                (false, true) => write!(f, "{}={id}", level.name())?,
                (false, false) => write!(f, "{}={id:?}", level.name())?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

pub(crate) fn encode_ids<'i>(ids: impl Iterator<Item = &'i [u8]>, out: &mut Buffer) {
    for id in ids {
        varint::write(out, id.len());
        out.extend(id);
    }
}

/// The ids in `bytes`, as far as they are well formed.
pub(crate) fn decode_ids(mut bytes: &[u8]) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (id, rest) = varint::text(bytes)?;
        bytes = rest;
        std::str::from_utf8(id).ok()
    })
}

/// The length of the first `depth` ids of `bytes`, in bytes.
pub(crate) fn ids_len(bytes: &[u8], depth: usize) -> Option<usize> {
    let mut rest = bytes;
    for _ in 0..depth {
        (_, rest) = varint::text(rest)?;
    }
    Some(bytes.len() - rest.len())
}
