//! How the backend of these tests names its entries.

use cacheado_backends::{Key, Scope};

use crate::flaw::Flaw;

/// A place in the hierarchy of one cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub cache: String,
    levels: Vec<String>,
    ids: Vec<String>,
}

/// The name of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    pub place: Place,
    function: (String, u32, bool),
    args: Vec<u8>,
}

impl Place {
    pub fn of(cache: &str, scope: &Scope, flaw: Option<Flaw>) -> Self {
        let levels = scope.level().chain().into_iter();
        let levels = levels.map(|level| level.name().to_owned());
        let ids: Vec<String> = scope.ids().map(str::to_owned).collect();
        let (levels, ids) = match flaw {
            Some(Flaw::IgnoresLevels) => (Vec::new(), ids),
            Some(Flaw::JoinsIds) => {
                let joined = ids.join("/");
                (Vec::new(), joined.split('/').map(str::to_owned).collect())
            }
            Some(Flaw::TrimsIds) => {
                let trimmed = ids.iter().map(|id| id.trim().to_owned());
                (levels.collect(), trimmed.collect())
            }
            Some(Flaw::IgnoresCaseOfIds) => {
                let folded = ids.iter().map(|id| id.to_lowercase());
                (levels.collect(), folded.collect())
            }
            Some(Flaw::IgnoresAccents) => {
                let folded = ids.iter().map(|id| id.replace('é', "e"));
                (levels.collect(), folded.collect())
            }
            Some(Flaw::CutsIds(len)) => {
                let cut = ids.iter().map(|id| id.chars().take(len).collect());
                (levels.collect(), cut.collect())
            }
            _ => (levels.collect(), ids),
        };
        Self {
            cache: cache.to_owned(),
            levels,
            ids,
        }
    }

    /// Whether `other` is this place or below it.
    pub fn contains(&self, other: &Self, flaw: Option<Flaw>) -> bool {
        let cache = match flaw {
            Some(Flaw::ComparesNamesAsPrefixes) => other.cache.starts_with(&self.cache),
            _ => other.cache == self.cache,
        };
        let ids = match flaw {
            Some(Flaw::EvictsTheScopeOnly) => {
                self.ids.is_empty() || (self.levels == other.levels && self.ids == other.ids)
            }
            Some(Flaw::ComparesIdsAsPrefixes) => {
                let mut pairs = self.ids.iter().zip(&other.ids);
                self.ids.len() <= other.ids.len() && pairs.all(|(id, of)| of.starts_with(id))
            }
            _ => other.ids.starts_with(&self.ids),
        };
        cache && other.levels.starts_with(&self.levels) && ids
    }
}

impl Name {
    pub fn of(cache: &str, key: &Key, flaw: Option<Flaw>) -> Self {
        let space = key.space();
        let version = match flaw {
            Some(Flaw::IgnoresVersions) => 0,
            _ => space.version(),
        };
        let explicit = space.is_explicit() && flaw != Some(Flaw::IgnoresExplicit);
        let place = Place::of(cache, &key.scope(), flaw);
        match flaw {
            Some(Flaw::NamesByDisplay) => Self {
                place,
                function: (String::new(), 0, false),
                args: key.to_string().into_bytes(),
            },
            _ => Self {
                place,
                function: (space.name().to_owned(), version, explicit),
                args: key.args().to_vec(),
            },
        }
    }
}
