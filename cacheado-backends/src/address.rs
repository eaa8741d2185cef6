//! Names of entries and scopes in a shared store: readable by people, and such that no id, however crafted, can produce the name of
//! another entry or scope.
//!
//! The name of a scope is `organization=acme/user=7/`: each level ends with a slash, and slashes in ids are escaped. So the names of
//! everything in a scope and below it begin with the scope's name, and no other names do. The name of an entry consists of its scope,
//! the function, the arguments as people would write them (cut off if they are long), and the hash of the exact arguments, which
//! distinguishes entries: `organization=acme/user=7/shop::profile("settings")~3f2a…`. So only the scope can make a name long. A secret
//! id is replaced by its keyed hash, preceded by `~`: `session=~9c01…/`.

use std::fmt::Write as _;

use crate::key::{Key, show_start};
use crate::scope::{Level, Scope};

/// The most bytes of the arguments that are shown.
const SHOWN: usize = 64;

/// Enough for most names, so that writing one does not reallocate.
const ROOM: usize = 160;

/// The name of `scope`; empty for the root.
#[must_use]
pub fn scope(scope: &Scope) -> String {
    let mut out = String::with_capacity(ROOM);
    write_scope(scope.level(), scope.ids(), &mut out);
    out
}

/// Appends the name of the scope of `level` that has these ids.
fn write_scope<'i>(level: Level, ids: impl Iterator<Item = &'i str>, out: &mut String) {
    let levels = (1..=level.depth()).filter_map(|depth| level.at(depth));
    for (level, id) in levels.zip(ids) {
        escape(level.name(), LEVEL, out);
        // a hash can't be taken for a plain id of another build in which the level is not secret, because a `~` in an id is escaped
        out.push_str(if level.is_secret() { "=~" } else { "=" });
        escape(id, ID, out);
        out.push('/');
    }
}

/// The name of the entry of `key`, which begins with that of its scope.
#[must_use]
pub fn entry(key: &Key) -> String {
    let mut out = String::with_capacity(ROOM);
    let space = key.space();
    write_scope(space.level(), key.ids(), &mut out);
    // an explicit name differs from a path that reads the same
    if space.is_explicit() {
        out.push('!');
    }
    escape(space.name(), FUNCTION, &mut out);
    if space.version() > 0 {
        let _ = write!(out, "#{}", space.version());
    }
    escape(&show_start(key.args(), SHOWN), ARGS, &mut out);
    out.push('~');
    out.push_str(&blake3::hash(key.args()).to_hex()[..32]);
    out
}

/// The name of a cache as it appears in the names of keys: characters that have a meaning in a store's names are escaped.
#[must_use]
pub fn cache(name: &str) -> String {
    let mut out = String::new();
    escape(name, CACHE, &mut out);
    out
}

/// The names of the scopes that the entry or scope called `name` is in, root first and without the root's empty name.
pub fn scopes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..=at])
}

/// The [bucket](bucket_of_name) that everything in `scope` is in; `None` for the root, which is in all of them.
#[must_use]
pub fn bucket_of_scope(scope: &Scope, count: u16) -> Option<u16> {
    let name = self::scope(scope);
    (!name.is_empty()).then(|| bucket_of_name(&name, count))
}

/// A number below `count` for the entry or scope (below the root) called `name`: the same for everything in one root scope, and equal
/// in every process. Entries in no scope are spread by their names.
#[must_use]
pub fn bucket_of_name(name: &str, count: u16) -> u16 {
    let hash = crc32fast::hash(scopes(name).next().unwrap_or(name).as_bytes());
    #[allow(clippy::cast_possible_truncation, reason = "less than `count`")]
    let bucket = (hash % u32::from(count.max(1))) as u16;
    bucket
}

/// The bytes that appear unescaped in a name: ASCII letters and digits, and some others.
///
/// No other letters: which characters are letters depends on the version of Unicode, and names must not differ between two builds.
struct Plain([bool; 256]);

const LEVEL: &Plain = &Plain::new("-_");
const ID: &Plain = &Plain::new("-_.@+");
const FUNCTION: &Plain = &Plain::new(":<>_,&;-.");
const ARGS: &Plain = &Plain::new("-_.@+:,()[]{}<>\"");
const CACHE: &Plain = &Plain::new("-_.");

impl Plain {
    /// `others` must be ASCII.
    const fn new(others: &str) -> Self {
        let mut plain = [false; 256];
        let mut byte = 0_u8;
        while byte.is_ascii() {
            plain[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut nth = 0;
        while nth < others.len() {
            plain[others.as_bytes()[nth] as usize] = true;
            nth += 1;
        }
        Self(plain)
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// Appends `text`, with every byte that is not `plain` percent-encoded.
fn escape(mut text: &str, plain: &Plain, out: &mut String) {
    while let Some(at) = text.bytes().position(|byte| !plain.has(byte)) {
        let (before, from) = text.split_at(at);
        out.push_str(before);
        let (other, rest) = from.split_at(from.chars().next().map_or(0, char::len_utf8));
        for byte in other.bytes() {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(b"0123456789ABCDEF"[usize::from(half)].into());
            }
        }
        text = rest;
    }
    out.push_str(text);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;
    use crate::key::{Probe, Space};
    use crate::scope::Level;

    fn level(depth: usize) -> Level {
        let names = ["organisation", "user", "session"];
        names[..depth].iter().fold(Level::global(), |under, name| {
            Level::intern(under, name, false)
        })
    }

    fn key(scope: &Scope, args: &impl Serialize) -> Key {
        let space = Space::programmatic(scope.level());
        Probe::in_scope(space, scope, args)
            .unwrap()
            .to_key()
            .unwrap()
    }

    fn place(ids: &[String]) -> Scope {
        Scope::of(level(ids.len()), ids.iter().map(String::as_str))
    }

    #[test]
    fn names_can_be_read() {
        let user = place(&["acme".into(), "7/8 ü".into()]);
        assert_eq!(scope(&user), "organisation=acme/user=7%2F8%20%C3%BC/");
        let name = entry(&key(&user, &("settings", 3_u8)));
        let start = "organisation=acme/user=7%2F8%20%C3%BC/(\"settings\",%203)~";
        assert!(name.starts_with(start), "{name}");
        assert_eq!(name.len(), start.len() + 32);
        assert!(entry(&key(&user, &"x".repeat(10_000))).len() < 200);
    }

    #[test]
    fn what_stands_for_a_secret_id_is_no_open_id() {
        let visit = Level::intern(Level::global(), "visit", true);
        let open = Level::intern(Level::global(), "open_visit", false);
        assert_eq!(scope(&Scope::of(visit, ["9c01"])), "visit=~9c01/");
        assert_eq!(scope(&Scope::of(open, ["~9c01"])), "open_visit=%7E9c01/");
    }

    /// Ids that try to look like several.
    fn ids() -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec("[a1/=%~:.#\u{0} ü]{0,4}", 0..=3)
    }

    proptest! {
        #[test]
        fn a_name_begins_with_the_scopes_that_the_entry_is_in_and_no_others(
            one in ids(), other in ids(), args in "[a\"~/]{0,3}"
        ) {
            let (one, other) = (place(&one), place(&other));
            let name = entry(&key(&one, &args));
            prop_assert_eq!(name.starts_with(&scope(&other)), other.contains(&one));
        }

        #[test]
        fn two_keys_have_two_names(
            one in (ids(), any::<(String, u8)>()), other in (ids(), any::<(String, u8)>())
        ) {
            let one = key(&place(&one.0), &one.1);
            let other = key(&place(&other.0), &other.1);
            prop_assert_eq!(entry(&one) == entry(&other), one == other);
        }

        #[test]
        fn one_tenant_is_in_one_bucket(ids in ids(), args: u32) {
            let scope = place(&ids);
            let bucket = bucket_of_name(&entry(&key(&scope, &args)), 64);
            prop_assert!(bucket < 64);
            prop_assert_eq!(bucket_of_scope(&scope, 64).unwrap_or(bucket), bucket);
        }
    }
}
