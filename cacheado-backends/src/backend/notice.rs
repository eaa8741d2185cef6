//! The encoding of a change that one process sends to others: bytes that mean the same in each of them.
//!
//! They never contain ids of secret levels. A change that concerns one is encoded as a change of the scope above it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Change;
use crate::key::{Key, Space};
use crate::scope::{Level, Scope};

/// The version of the format. A process that reads another version can't tell what it means.
const FORMAT: u8 = 1;

/// The size of most notices, reserved up front so that encoding does not reallocate repeatedly.
const ROOM: usize = 128;

#[derive(Serialize, Deserialize)]
struct Notice<'a> {
    format: u8,
    #[serde(borrow)]
    what: What<'a>,
}

#[derive(Serialize, Deserialize)]
enum What<'a> {
    All,
    Scope(#[serde(borrow)] Place<'a>),
    Key {
        #[serde(borrow)]
        place: Place<'a>,
        name: Cow<'a, str>,
        version: u32,
        explicit: bool,
        args: &'a [u8],
    },
}

/// A scope, by the names of its levels and its ids.
#[derive(Serialize, Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    steps: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Place<'a> {
    fn of(scope: &'a Scope) -> Self {
        let names = scope.level().chain().into_iter().map(Level::name);
        Self {
            steps: names.zip(scope.ids().map(Cow::from)).collect(),
        }
    }

    /// The scope; `None` if this process knows no such level.
    fn scope(&self) -> Option<Scope> {
        let level = Level::find(self.steps.iter().map(|(name, _)| *name))?;
        Some(Scope::of(level, self.steps.iter().map(|(_, id)| &**id)))
    }
}

impl Change {
    /// The bytes for other processes; `None` for a change that concerns only this one.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let scope;
        let what = match self {
            Self::Covered | Self::Lost => return None,
            Self::All => What::All,
            Self::Scope(evicted) => {
                scope = evicted.without_secrets();
                What::Scope(Place::of(&scope))
            }
            Self::Key(key) => {
                scope = key.scope().without_secrets();
                let place = Place::of(&scope);
                if scope.level() == key.space().level() {
                    What::Key {
                        place,
                        name: key.space().name().into(),
                        version: key.space().version(),
                        explicit: key.space().is_explicit(),
                        args: key.args(),
                    }
                } else {
                    What::Scope(place)
                }
            }
        };
        let notice = Notice {
            format: FORMAT,
            what,
        };
        postcard::to_extend(&notice, Vec::with_capacity(ROOM)).ok()
    }

    /// Decodes a change from another process. `None` if it concerns nothing that this process can hold: a level or function it has not
    /// used so far. Bytes that can't be read may concern anything, so they become [`Change::All`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Ok(Notice {
            format: FORMAT,
            what,
        }) = postcard::from_bytes(bytes)
        else {
            return Some(Self::All);
        };
        match what {
            What::All => Some(Self::All),
            What::Scope(place) => place.scope().map(Self::Scope),
            What::Key {
                place,
                name,
                version,
                explicit,
                args,
            } => {
                let scope = place.scope()?;
                let space = Space::find(scope.level(), &name, version, explicit)?;
                // arguments in a later format: evict the whole scope
                let key = Key::from_parts(space, &scope, args);
                Some(key.map_or(Self::Scope(scope), Self::Key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Probe;

    fn told(change: &Change) -> Option<Change> {
        Change::from_bytes(&change.to_bytes().unwrap())
    }

    fn room(secret: bool) -> Level {
        let (building, room) = if secret {
            ("building", "room")
        } else {
            ("house", "chamber")
        };
        let building = Level::intern(Level::global(), building, false);
        Level::intern(building, room, secret)
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_is_heard(house: String, chamber: String, args: (String, Vec<u64>)) {
            let scope = Scope::of(room(false), [house.as_str(), chamber.as_str()]);
            let key = Probe::in_scope(Space::programmatic(room(false)), &scope, &args);
            let key = key.unwrap().to_key().unwrap();
            prop_assert!(matches!(told(&Change::Key(key.clone())), Some(Change::Key(it)) if it == key));
            prop_assert!(matches!(told(&Change::Scope(scope.clone())), Some(Change::Scope(it)) if it == scope));
            prop_assert!(matches!(told(&Change::All), Some(Change::All)));
        }

        #[test]
        fn a_secret_id_is_never_told(secret in "[a-z]{12,}", args: u64) {
            let scope = Scope::of(room(true), ["north", secret.as_str()]);
            let above = Scope::of(Level::find(["building"]).unwrap(), ["north"]);
            let key = Probe::in_scope(Space::programmatic(room(true)), &scope, &args);
            let key = key.unwrap().to_key().unwrap();
            for change in [Change::Key(key), Change::Scope(scope)] {
                let bytes = change.to_bytes().unwrap();
                let seen = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                prop_assert!(!seen);
                prop_assert!(matches!(told(&change), Some(Change::Scope(it)) if it == above));
            }
        }

        #[test]
        fn what_can_not_be_read_is_everything_or_nothing_wrong(bytes: Vec<u8>) {
            // whatever the bytes, no panic
            let _ = Change::from_bytes(&bytes);
            prop_assert!(matches!(Change::from_bytes(&[&[0xff], &bytes[..]].concat()), Some(Change::All)));
        }
    }

    #[test]
    fn what_this_process_has_not_come_to_is_nothing() {
        let place = Place {
            steps: vec![("nowhere", "1".into())],
        };
        let what = What::Scope(place);
        let notice = Notice {
            format: FORMAT,
            what,
        };
        assert!(Change::from_bytes(&postcard::to_allocvec(&notice).unwrap()).is_none());
    }
}
