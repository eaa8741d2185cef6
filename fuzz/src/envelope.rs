//! Envelopes with whatever checksum the input has, and with the right one, which chance would not find.

use cacheado_backends::envelope::{Compression, Envelope, MOST, Opened};

use super::known::KEYS;

/// The name of the cache whose envelopes are read.
const CACHE: &str = "fuzz";

/// Reads `bytes` as they are, and as an envelope that lacks only its checksum.
pub fn read(bytes: &[u8]) {
    for key in &*KEYS {
        if let Some(opened) = Opened::open(bytes, CACHE, key) {
            let _ = opened.value();
        }
    }
    let mut bytes = bytes.to_vec();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    let mut owners = 0;
    for key in &*KEYS {
        assert!(Opened::open(&bytes, "another", key).is_none());
        let Some(opened) = Opened::open(&bytes, CACHE, key) else {
            continue;
        };
        owners += 1;
        let Some(value) = opened.value() else {
            continue;
        };
        assert!(value.len() <= MOST.max(bytes.len()));
        let envelope = Envelope {
            cache: CACHE,
            key,
            type_name: opened.type_name,
            shape: opened.shape,
            lifetime: opened.lifetime,
            stale: opened.stale,
            generation: opened.generation,
            value: &value,
        };
        for compression in [Compression::default(), Compression::above(0)] {
            let sealed = envelope.seal(compression);
            let again = Opened::open(&sealed, CACHE, key).expect("it was sealed just now");
            assert_eq!(again.type_name, opened.type_name);
            assert_eq!(again.shape, opened.shape);
            assert_eq!(again.lifetime, opened.lifetime);
            assert_eq!(again.stale, opened.stale);
            assert_eq!(again.generation, opened.generation);
            assert_eq!(again.value().expect("so was its value"), value);
        }
    }
    assert!(owners <= 1, "one key's envelope is another's");
}

/// The initial inputs.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let seed = |nth: usize, lifetime, value: &[u8], compression| {
        let envelope = Envelope {
            cache: CACHE,
            key: &KEYS[nth],
            type_name: "alloc::string::String",
            shape: 0x0123_4567_89ab_cdef,
            lifetime,
            stale: std::time::Duration::from_secs(nth as u64 / 2),
            generation: 1,
            value,
        };
        let mut bytes = envelope.seal(compression);
        bytes.truncate(bytes.len() - 4);
        bytes
    };
    let (plain, compressed) = (Compression::default(), Compression::above(0));
    let minutes = Some(std::time::Duration::from_secs(300));
    vec![
        ("programmatic", seed(0, None, b"\x04text", plain)),
        ("by_path", seed(1, minutes, b"\x04text", plain)),
        ("by_name", seed(2, minutes, b"", plain)),
        (
            "compressed",
            seed(1, None, &b"text ".repeat(100), compressed),
        ),
    ]
}
