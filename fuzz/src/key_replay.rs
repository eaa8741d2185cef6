//! A key's arguments, as another process tells of them.

use cacheado_backends::backend::Change;
use cacheado_backends::{Key, Level, Probe, Space};

use super::known::KEYS;

/// Makes a key of the arguments in `bytes`.
pub fn read(bytes: &[u8]) {
    match Change::from_bytes(&told(bytes)) {
        Some(Change::Key(key)) => {
            assert_eq!(key.args(), bytes);
            // people see it in traces
            let _ = key.to_string();
            let again = Change::Key(key.clone()).to_bytes();
            let again = again.and_then(|bytes| Change::from_bytes(&bytes));
            let Some(Change::Key(again)) = again else {
                panic!("{key} is no key any more");
            };
            assert!(again == key && again.hash() == key.hash());
        }
        // of a later form, as far as this process can tell
        Some(Change::Scope(scope)) => assert_eq!(scope.level(), Level::global()),
        other => panic!("{other:?}"),
    }
}

/// The change of a key of programmatic calls that has these arguments.
fn told(args: &[u8]) -> Vec<u8> {
    let probe = Probe::new(Space::programmatic(Level::global()), &[], &());
    let unit = probe.and_then(|probe| probe.to_key());
    let unit: Key = unit.expect("nothing serializes as nothing");
    let mut told = Change::Key(unit).to_bytes().expect("others are to know");
    // the arguments come last, a single byte behind its length
    told.truncate(told.len() - 2);
    let mut len = args.len();
    while len > 0x7f {
        told.push((len & 0x7f) as u8 | 0x80);
        len >>= 7;
    }
    told.push(len as u8);
    told.extend(args);
    told
}

/// What to begin with.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let [programmatic, by_path, by_name] = KEYS.each_ref();
    vec![
        ("programmatic", programmatic.args().to_vec()),
        ("by_path", by_path.args().to_vec()),
        ("by_name", by_name.args().to_vec()),
    ]
}
