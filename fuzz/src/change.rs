//! The messages by which a process tells others of its changes.

use cacheado_backends::Scope;
use cacheado_backends::backend::Change;

use super::known::KEYS;

/// Decodes `bytes`. A change that is understood is encoded and decoded again.
pub fn read(bytes: &[u8]) {
    // they must be known before a message names them
    std::sync::LazyLock::force(&KEYS);
    let Some(change) = Change::from_bytes(bytes) else {
        return;
    };
    let _ = format!("{change:?}");
    let told = change.to_bytes().expect("it was told");
    let again = Change::from_bytes(&told).expect("it was understood before");
    assert!(is_same(&change, &again), "{change:?} and {again:?}");
}

fn is_same(one: &Change, other: &Change) -> bool {
    match (one, other) {
        (Change::All, Change::All) => true,
        (Change::Scope(one), Change::Scope(other)) => one == other,
        (Change::Key(one), Change::Key(other)) => one == other,
        _ => false,
    }
}

/// The initial inputs.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let told = |change: Change| change.to_bytes().expect("others are to know");
    let [programmatic, by_path, by_name] = KEYS.each_ref();
    vec![
        ("all", told(Change::All)),
        ("global", told(Change::Scope(Scope::global()))),
        ("scope", told(Change::Scope(by_path.scope()))),
        ("programmatic", told(Change::Key(programmatic.clone()))),
        ("by_path", told(Change::Key(by_path.clone()))),
        ("by_name", told(Change::Key(by_name.clone()))),
    ]
}
