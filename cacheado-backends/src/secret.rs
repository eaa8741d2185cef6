//! Secret ids as they leave the process: keyed hashes, which reveal nothing without the key.

use crate::key::Key;
use crate::scope::Scope;

/// The key with which secret ids are hashed before they leave the process.
///
/// The hash is BLAKE3's keyed mode (O'Connor, Aumasson, Neves and Wilcox-O'Hearn, 2020), of which 128 bits are kept.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// A key of 32 random bytes, the same in all processes that share a store.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// `scope` with its secret ids hashed.
    #[must_use]
    pub fn hide_in_scope(&self, scope: &Scope) -> Scope {
        let levels = scope.level().chain();
        let hidden: Vec<String> = levels
            .into_iter()
            .zip(scope.ids())
            .map(|(level, id)| {
                if level.is_secret() {
                    self.hash(level.path(), id)
                } else {
                    id.to_owned()
                }
            })
            .collect();
        Scope::of(scope.level(), hidden.iter().map(String::as_str))
    }

    /// `key` with the secret ids of its scope hashed.
    #[must_use]
    pub fn hide(&self, key: &Key) -> Key {
        let scope = self.hide_in_scope(&key.scope());
        let hidden = Key::from_parts(key.space(), &scope, key.args());
        hidden.unwrap_or_else(|| unreachable!("the parts of a key that there is"))
    }

    /// The level is part of the hash, so one id at two levels has two hashes.
    fn hash(&self, level: &str, id: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(level.as_bytes());
        hasher.update(&[0]);
        hasher.update(id.as_bytes());
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Probe, Space};
    use crate::scope::Level;

    #[test]
    fn secret_ids_are_hashed_and_others_are_not() {
        let member = Level::intern(Level::global(), "member", false);
        let token = Level::intern(member, "token", true);
        let scope = Scope::of(token, ["7", "hunter2"]);
        let key = Probe::in_scope(Space::programmatic(token), &scope, &"args");
        let key = key.unwrap().to_key().unwrap();
        let (one, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let hidden = one.hide(&key);
        let ids: Vec<String> = hidden.scope().ids().map(str::to_owned).collect();
        assert_eq!(ids[0], "7");
        assert_eq!(ids[1].len(), 32);
        assert_eq!(hidden.scope(), one.hide_in_scope(&scope));
        assert_eq!(hidden.args(), key.args());
        assert!(hidden == one.hide(&key) && hidden != other.hide(&key));
    }
}
