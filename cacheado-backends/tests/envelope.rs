//! Bytes that are no envelope, or another's: nothing is read of them, and nothing wrong.

use std::time::Duration;

use cacheado_backends::envelope::{Compression, Envelope, FORMAT, Opened, next_generation};
use cacheado_backends::{IdText, Key, LevelDef, Probe, Scope, Space, SpaceSpec};
use proptest::prelude::*;

static HOUSE: LevelDef = LevelDef::new("house", "house_id", None, false);
static ROOM: LevelDef = LevelDef::new("room", "room_id", Some(&HOUSE), false);
static CAR: LevelDef = LevelDef::new("car", "car_id", None, false);
static DOOR: LevelDef = LevelDef::new("door", "door_id", Some(&CAR), false);

/// What an envelope is around.
#[derive(Clone, Debug)]
struct Case {
    cache: String,
    name: String,
    version: u32,
    explicit: bool,
    /// In the other tree of levels, whose ids may read the same.
    elsewhere: bool,
    ids: Vec<String>,
    args: (Option<u16>, String),
    type_name: String,
    shape: u64,
    lifetime: Option<Duration>,
    stale: Duration,
    value: Vec<u8>,
    compression: Compression,
}

impl Case {
    fn key(&self) -> Key {
        let level = match (self.ids.len(), self.elsewhere) {
            (0, _) => Scope::global().level(),
            (1, false) => HOUSE.level(),
            (1, true) => CAR.level(),
            (_, false) => ROOM.level(),
            (_, true) => DOOR.level(),
        };
        let space = Space::create(SpaceSpec {
            name: self.name.clone(),
            version: self.version,
            explicit: self.explicit,
            level,
            stable: true,
        });
        let ids: Vec<_> = self.ids.iter().map(|id| IdText::borrowed(id)).collect();
        let scope = Scope::new(level, &ids);
        let probe = Probe::in_scope(space, &scope, &self.args).unwrap();
        probe.to_key().unwrap()
    }

    fn seal(&self, key: &Key) -> Vec<u8> {
        let envelope = Envelope {
            cache: &self.cache,
            key,
            type_name: &self.type_name,
            shape: self.shape,
            lifetime: self.lifetime,
            stale: self.stale,
            generation: next_generation(),
            value: &self.value,
        };
        envelope.seal(self.compression)
    }

    /// Others, each of which differs in one part of where it is.
    fn nearly(&self) -> Vec<Self> {
        let changes: [fn(&mut Self); 9] = [
            |it| it.cache.push('b'),
            |it| it.name.push('b'),
            |it| it.version += 1,
            |it| it.explicit = !it.explicit,
            |it| it.elsewhere = !it.elsewhere,
            |it| it.args.1.push('b'),
            |it| it.args.0 = Some(it.args.0.map_or(0, |arg| arg + 1)),
            // the same letters, at other places
            |it| it.ids.reverse(),
            |it| it.ids.iter_mut().for_each(|id| id.push('1')),
        ];
        let changed = changes.map(|change| {
            let mut other = self.clone();
            change(&mut other);
            other
        });
        changed.into()
    }

    /// Whether another's key, and its cache, are the same.
    fn is_at(&self, other: &Self) -> bool {
        let at = |it: &Self| {
            let named = (it.name.clone(), it.version, it.explicit);
            let elsewhere = it.elsewhere && !it.ids.is_empty();
            let ids = it.ids.clone();
            (it.cache.clone(), named, elsewhere, ids, it.args.clone())
        };
        at(self) == at(other)
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        // one that gets shorter
        (any::<u8>(), 0_usize..400).prop_map(|(byte, len)| vec![byte; len]),
    ];
    // few letters, so that two are often nearly alike
    let at = ("[ab]{0,2}", "[ab:]{0,2}", 0_u32..2, any::<bool>());
    let ids = (
        any::<bool>(),
        prop::collection::vec("[a1/\u{0}]{0,2}", 0..=2),
    );
    let args = (prop::option::of(0_u16..2), "[ab]{0,2}");
    let stale = prop_oneof![Just(0), any::<u64>()].prop_map(Duration::from_millis);
    let kind = ("[uv]{0,2}", any::<u64>(), any::<Option<Duration>>(), stale);
    let compressions = vec![
        Compression::default(),
        #[cfg(feature = "lz4")]
        Compression::above(0),
    ];
    let compression = prop::sample::select(compressions);
    let parts = (at, ids, args, kind, value, compression);
    parts.prop_map(|(at, ids, args, kind, value, compression)| Case {
        cache: at.0,
        name: at.1,
        version: at.2,
        explicit: at.3,
        elsewhere: ids.0,
        ids: ids.1,
        args,
        type_name: kind.0,
        shape: kind.1,
        lifetime: kind.2,
        stale: kind.3,
        value,
        compression,
    })
}

/// The checksum that the bytes before it should have.
fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(case in cases()) {
        let key = case.key();
        let bytes = case.seal(&key);
        let opened = Opened::open(&bytes, &case.cache, &key).unwrap();
        prop_assert_eq!(opened.type_name, case.type_name);
        prop_assert_eq!(opened.shape, case.shape);
        prop_assert_eq!(&*opened.value().unwrap(), &case.value[..]);
        prop_assert_eq!(opened.stale, case.stale);
        prop_assert_eq!(opened.lifetime.is_some(), case.lifetime.is_some());
        let millis = case.lifetime.map(|it| it.as_nanos().div_ceil(1_000_000));
        if let Some(Ok(millis)) = millis.map(u64::try_from) {
            prop_assert_eq!(opened.lifetime, Some(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn every_start_of_one_is_none(case in cases()) {
        let key = case.key();
        let bytes = case.seal(&key);
        for len in 0..bytes.len() {
            prop_assert!(Opened::open(&bytes[..len], &case.cache, &key).is_none(), "{} bytes", len);
        }
    }

    #[test]
    fn every_changed_bit_is_none(case in cases()) {
        let key = case.key();
        let mut bytes = case.seal(&key);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Opened::open(&bytes, &case.cache, &key).is_none(), "bit {}", bit);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// By one who can count: what is behind the checksum holds as well.
    #[test]
    fn a_changed_byte_with_its_checksum_is_no_panic_and_no_other_key(
        case in cases(), at: prop::sample::Index, byte: u8
    ) {
        let key = case.key();
        let mut bytes = case.seal(&key);
        let at = at.index(bytes.len() - 4);
        bytes[at] = byte;
        let bytes = with_checksum(bytes);
        if let Some(opened) = Opened::open(&bytes, &case.cache, &key) {
            let _ = opened.value();
        }
        let whole = case.seal(&key);
        for len in 4..whole.len() {
            let bytes = with_checksum(whole[..len].to_vec());
            if let Some(opened) = Opened::open(&bytes, &case.cache, &key) {
                // a value that is not compressed may end anywhere: that it is whole, the checksum says
                prop_assert!(opened.value().is_none_or(|value| case.value.starts_with(&value)));
            }
        }
    }

    #[test]
    fn another_keys_is_none(one in cases(), other in cases()) {
        // those that differ in one part alone, and one that differs in any
        let mut others = one.nearly();
        others.push(other);
        let key = one.key();
        let bytes = one.seal(&key);
        prop_assert!(Opened::open(&bytes, &one.cache, &key).is_some());
        for other in others.iter().filter(|other| !one.is_at(other)) {
            let opened = Opened::open(&bytes, &other.cache, &other.key());
            prop_assert!(opened.is_none(), "{:?} reads {:?}", other, one);
        }
    }

    #[test]
    fn another_format_is_none(case in cases(), format: u8) {
        let key = case.key();
        let mut bytes = case.seal(&key);
        for format in [FORMAT + 1, 0, format] {
            bytes[0] = format;
            bytes = with_checksum(bytes);
            let opened = Opened::open(&bytes, &case.cache, &key);
            prop_assert_eq!(opened.is_some(), format == FORMAT);
        }
        // what a later version says of itself in a flag that this one does not know
        bytes[0] = FORMAT;
        bytes[1] |= 0x80;
        let bytes = with_checksum(bytes);
        prop_assert!(Opened::open(&bytes, &case.cache, &key).is_none());
    }

    #[test]
    fn what_is_no_envelope_is_none(bytes: Vec<u8>, case in cases()) {
        prop_assert!(Opened::open(&bytes, &case.cache, &case.key()).is_none());
    }
}

/// What an entry costs on the wire beside its value. The README tells it.
#[test]
fn it_is_as_large_as_it_says() {
    let case = Case {
        cache: "storefront".to_owned(),
        name: "storefront::orders::profile".to_owned(),
        version: 0,
        explicit: false,
        elsewhere: false,
        ids: vec!["acme".to_owned(), "1234".to_owned()],
        args: (None, String::new()),
        type_name: "storefront::orders::Profile".to_owned(),
        shape: u64::MAX,
        lifetime: Some(Duration::from_secs(300)),
        stale: Duration::ZERO,
        value: vec![7; 100],
        compression: Compression::default(),
    };
    let key = case.key();
    let level = key.space().level().path();
    let names = [case.cache.as_str(), &case.name, level, &case.type_name];
    let names: usize = names.iter().map(|name| 1 + name.len()).sum();
    let ids: usize = case.ids.iter().map(|id| 1 + id.len()).sum();
    // the version, the length of ids and arguments, and the rest: format, flags, generation, shape, lifetime, checksum
    let own = 1 + 1 + 25;
    let beside = case.seal(&key).len() - case.value.len();
    assert_eq!(beside, names + ids + key.args().len() + own);
    assert_eq!(beside, 120);
}
