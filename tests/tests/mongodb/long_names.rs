//! Names that together are too long for one message, and names that alone are.

use std::time::Duration;

use cacheado_backends::Key;
use cacheado_backends::backend::{Backend, Lookup, Refused};

use super::{backend, forever, fresh, key, key_in, missed, organization, user, value};

/// More than 16 MiB of names, and more names than one command may hold.
const USERS: usize = 1_100;
const LONG: usize = 16_000;

/// Entries of one organization.
fn entries(organization: &str, name: &str) -> Vec<Key> {
    let user = |nth: usize| user(organization, &nth.to_string());
    (0..USERS).map(|nth| key_in(&user(nth), name)).collect()
}

fn hits(found: &[Lookup]) -> usize {
    let hits = found.iter();
    hits.filter(|it| matches!(it, Lookup::Hit(_))).count()
}

#[test]
fn any_number_of_long_names_goes() {
    let backend = backend(&fresh()).timeout(Duration::from_secs(60));
    let id = "o".repeat(LONG);
    let [set, loaded] = ["set", "loaded"].map(|name| entries(&id, name));
    let values: Vec<_> = set.iter().map(|it| (it.clone(), forever("1"))).collect();
    backend.set_many(&values).unwrap();
    assert_eq!(hits(&backend.get_many(&set).unwrap()), USERS);

    let found = backend.get_many(&loaded).unwrap();
    let known = backend.get_many(&loaded).unwrap();
    let mut fills = Vec::new();
    for (key, looked) in loaded.iter().zip(found.iter().zip(&known)) {
        let (Lookup::Miss(mark), Lookup::Miss(again)) = looked else {
            panic!("{looked:?}")
        };
        assert_eq!(mark.bytes(), again.bytes());
        fills.push((key.clone(), forever("2"), mark.clone()));
    }
    // evicts one, so that the results have to tell the entries apart
    backend.evict(&loaded[USERS - 1]).unwrap();
    let filled = backend.fill_many(&fills).unwrap();
    assert!(filled[..USERS - 1].iter().all(|filled| *filled));
    assert!(!filled[USERS - 1]);
    assert_eq!(hits(&backend.get_many(&loaded).unwrap()), USERS - 1);

    let evicted = backend.evict_by_scope(&organization(&id)).unwrap();
    assert_eq!(usize::try_from(evicted), Ok(2 * USERS - 1));
    assert_eq!(hits(&backend.get_many(&set).unwrap()), 0);
}

/// Otherwise the server would close the connection, which looks like an outage.
#[test]
fn a_name_that_no_message_has_room_for_is_refused() {
    let backend = backend(&fresh());
    backend.set(&key("x"), &forever("1")).unwrap();
    for len in [5 << 20, 17 << 20] {
        let id = "o".repeat(len);
        let long = key_in(&organization(&id), "x");
        let mark = missed(&backend, &key("y"));
        let keys = [key("x"), long.clone()];
        let found = backend.get_many(&keys).unwrap();
        assert_eq!(hits(&found), 1);
        let refused = [
            backend.get(&long).err(),
            backend.mark(&long).err(),
            backend.set(&long, &forever("1")).err(),
            backend.fill(&long, &forever("1"), &mark).err(),
            backend.put(&long, &forever("1"), &mark).err(),
            backend.evict(&long).err(),
            backend.evict_by_scope(&organization(&id)).err(),
            backend.set_many(&[(long.clone(), forever("1"))]).err(),
            backend.lease(&long, Duration::from_secs(1)).err(),
        ];
        for (nth, refused) in refused.into_iter().enumerate() {
            let error = refused.unwrap_or_else(|| panic!("operation {nth} of {len} bytes"));
            assert!(
                error.is::<Refused>(),
                "operation {nth} of {len} bytes: {error}"
            );
        }
        assert_eq!(value(&backend, &key("x")).unwrap(), "1");
    }
}
