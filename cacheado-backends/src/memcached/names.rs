//! The names of keys in the store. Memcached keys have at most 250 bytes, without spaces and control characters: a longer name is
//! truncated and ends with a hash of the whole name.

use super::servers::Servers;
use crate::address;
use crate::key::Key;
use crate::scope::Scope;

/// The longest key that memcached accepts, in bytes.
const MOST: usize = 250;

/// Precedes the hash of a truncated name. Complete names do not contain it: a tilde is escaped in all of their parts, and only one
/// stands between an entry's arguments and their hash.
const CUT: &str = "~~";

/// The number of hex digits of the hash: 128 bits.
const HASH: usize = 32;

/// The names of one cache's keys.
pub(super) struct Names {
    /// The cache's name, with slashes escaped.
    cache: String,
}

impl Names {
    pub(super) fn of(cache: &str) -> Self {
        Self {
            cache: address::cache(cache),
        }
    }

    /// The name of the entry of `key`, and the names of the marks of all its scopes, root first.
    pub(super) fn entry(&self, key: &Key) -> (String, Vec<String>) {
        let entry = address::entry(key);
        let marks = std::iter::once("").chain(address::scopes(&entry));
        let marks = marks.map(|scope| self.name('g', scope)).collect();
        (self.name('e', &entry), marks)
    }

    /// The name of the mark of `scope`.
    pub(super) fn mark(&self, scope: &Scope) -> String {
        self.name('g', &address::scope(scope))
    }

    /// The names of the marks of `servers`; empty for a single server.
    pub(super) fn of_servers(&self, servers: &Servers) -> Vec<String> {
        servers.names_at_each(|nth| self.name('s', &nth.to_string()))
    }

    /// The name of the claim of the load of `key`.
    pub(super) fn lease(&self, key: &Key) -> String {
        self.name('l', &address::entry(key))
    }

    fn name(&self, kind: char, address: &str) -> String {
        let mut whole = String::with_capacity(self.cache.len() + 3 + address.len());
        whole.push_str(&self.cache);
        whole.extend(['/', kind, '/']);
        whole.push_str(address);
        if whole.len() <= MOST {
            return whole;
        }
        let mut cut = MOST - CUT.len() - HASH;
        while !whole.is_char_boundary(cut) {
            cut -= 1;
        }
        let hash = blake3::hash(whole.as_bytes());
        whole.truncate(cut);
        whole.push_str(CUT);
        whole.push_str(&hash.to_hex()[..HASH]);
        whole
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::{Probe, Space};
    use crate::scope::Level;

    fn scope(ids: &[String]) -> Scope {
        let names = ["region", "shop"];
        let level = names[..ids.len()]
            .iter()
            .fold(Level::global(), |under, name| {
                Level::intern(under, name, false)
            });
        Scope::of(level, ids.iter().map(String::as_str))
    }

    fn key(scope: &Scope, args: &str) -> Key {
        let space = Space::programmatic(scope.level());
        Probe::in_scope(space, scope, &args)
            .unwrap()
            .to_key()
            .unwrap()
    }

    #[test]
    fn names_can_be_read() {
        let names = Names::of("storefront");
        let user = scope(&["north".into(), "7 a".into()]);
        let (entry, marks) = names.entry(&key(&user, "settings"));
        assert!(
            entry.starts_with("storefront/e/region=north/shop=7%20a/\"settings\"~"),
            "{entry}"
        );
        assert_eq!(
            marks,
            [
                "storefront/g/",
                "storefront/g/region=north/",
                "storefront/g/region=north/shop=7%20a/"
            ]
        );
        assert_eq!(names.mark(&user), marks[2]);
        assert_eq!(names.mark(&Scope::global()), marks[0]);
    }

    /// Short ids that imitate several ids, and long ids with equal beginnings.
    fn ids() -> impl Strategy<Value = Vec<String>> {
        let id = prop_oneof![
            "[a1/=%~ \u{0}ü]{0,3}",
            "[ab]".prop_map(|end| "x".repeat(300) + &end)
        ];
        prop::collection::vec(id, 0..=2)
    }

    proptest! {
        #[test]
        fn memcached_takes_every_name(cache: String, ids in ids(), args: String) {
            let names = Names::of(&cache);
            let key = key(&scope(&ids), &args);
            let (entry, mut all) = names.entry(&key);
            all.extend([entry, names.lease(&key)]);
            for name in all {
                prop_assert!(!name.is_empty() && name.len() <= MOST);
                prop_assert!(!name.chars().any(|c| c.is_whitespace() || c.is_control()), "{}", name);
            }
        }

        #[test]
        fn two_things_have_two_names(
            one in ("[a/~]{0,2}", ids(), "[a~]{0,2}"), other in ("[a/~]{0,2}", ids(), "[a~]{0,2}")
        ) {
            let all = |(cache, ids, args): &(String, Vec<String>, String)| {
                let names = Names::of(cache);
                let scope = scope(ids);
                let key = key(&scope, args);
                (names.entry(&key).0, names.mark(&scope), names.lease(&key))
            };
            let (a, b) = (all(&one), all(&other));
            prop_assert_eq!(a.0 == b.0, one == other);
            prop_assert_eq!(a.1 == b.1, (&one.0, &one.1) == (&other.0, &other.1));
            prop_assert_eq!(a.2 == b.2, one == other);
            prop_assert!(a.0 != b.1 && a.0 != b.2 && a.1 != b.2);
        }
    }
}
