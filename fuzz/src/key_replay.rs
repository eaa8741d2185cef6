//! The arguments of a key, as another process reports them.

use cacheado_backends::backend::Change;
use cacheado_backends::{Key, Level, Probe, Space};

use super::known::KEYS;

/// Makes a key from the arguments in `bytes`.
pub fn read(bytes: &[u8]) {
    match Change::from_bytes(&told(bytes)) {
        Some(Change::Key(key)) => {
            assert_eq!(key.args(), bytes);
            // people see this text in traces
            let _ = key.to_string();
            let again = Change::Key(key.clone()).to_bytes();
            let again = again.and_then(|bytes| Change::from_bytes(&bytes));
            let Some(Change::Key(again)) = again else {
                panic!("{key} is no key any more");
            };
            assert!(again == key && again.hash() == key.hash());
        }
        // as far as this process can tell, the key has a later format
        Some(Change::Scope(scope)) => assert_eq!(scope.level(), Level::global()),
        other => panic!("{other:?}"),
    }
}

/// The change of a programmatic key that has these arguments.
fn told(args: &[u8]) -> Vec<u8> {
    let probe = Probe::new(Space::programmatic(Level::global()), &[], &());
    let unit = probe.and_then(|probe| probe.to_key());
    let unit: Key = unit.expect("nothing serializes as nothing");
    let mut told = Change::Key(unit).to_bytes().expect("others are to know");
    // the arguments come last, here a single byte after its length
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

/// The initial inputs.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let [programmatic, by_path, by_name] = KEYS.each_ref();
    vec![
        ("programmatic", programmatic.args().to_vec()),
        ("by_path", by_path.args().to_vec()),
        ("by_name", by_name.args().to_vec()),
    ]
}
