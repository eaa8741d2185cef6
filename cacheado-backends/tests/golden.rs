//! Payloads of each format, as they were when it was new: today's code reads them, and still writes the same.
//!
//! A file that is there is never written anew. A change of the layout takes another `FORMAT` and files of its own; an update of
//! the compressor that packs otherwise takes files of its own beside the old ones, which are read ever after.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use cacheado_backends::envelope::{Compression, Envelope, Opened};
use cacheado_backends::{IdText, Key, Level, LevelDef, Probe, Scope, Space, SpaceSpec, outline};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

static ORGANIZATION: LevelDef = LevelDef::new("organization", "org_id", None, false);
static USER: LevelDef = LevelDef::new("user", "user_id", Some(&ORGANIZATION), false);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: String,
    paid: Option<f64>,
    state: State,
    lines: Vec<(String, u16)>,
    notes: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Open,
    Sent { on: i64, tracking: Box<str> },
    Returned(u8, char),
}

fn order(id: u64, state: State) -> Order {
    Order {
        id,
        customer: "Zoë".to_owned(),
        paid: id.is_multiple_of(2).then_some(9.5),
        state,
        lines: vec![("tea".to_owned(), 2), ("cup".to_owned(), 1)],
        notes: BTreeMap::from([("gift".to_owned(), "yes".to_owned())]),
    }
}

fn orders() -> Vec<Order> {
    let sent = |id: u64| State::Sent {
        on: -86_400,
        tracking: format!("track-{id}").into(),
    };
    let mut orders: Vec<Order> = (0..40).map(|id| order(id, sent(id))).collect();
    orders.push(order(40, State::Returned(3, 'ß')));
    orders
}

type IsValue = Box<dyn Fn(&[u8]) -> bool>;

/// A payload: what is in it, and whether what is read is that.
struct Golden {
    file: &'static str,
    key: Key,
    type_name: &'static str,
    shape: u64,
    lifetime: Option<Duration>,
    stale: Duration,
    compression: Compression,
    value: Vec<u8>,
    is_value: IsValue,
}

/// The number in each file.
const GENERATION: u64 = 0x0102_0304_0506_0708;

impl Golden {
    /// One without a lifetime, not compressed. The type's name is given, since the compiler may come to print another one.
    fn new<T>(file: &'static str, key: Key, type_name: &'static str, value: T) -> Self
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
    {
        Self {
            file,
            key,
            type_name,
            shape: outline(&value).unwrap().shape,
            lifetime: None,
            stale: Duration::ZERO,
            compression: Compression::default(),
            value: postcard::to_allocvec(&value).unwrap(),
            is_value: Box::new(move |bytes| postcard::from_bytes::<T>(bytes).unwrap() == value),
        }
    }

    fn living(self, lifetime: Duration) -> Self {
        Self {
            lifetime: Some(lifetime),
            ..self
        }
    }

    fn then_stale(self, stale: Duration) -> Self {
        Self { stale, ..self }
    }

    #[cfg(feature = "lz4")]
    fn compressed(self) -> Self {
        Self {
            compression: Compression::above(0),
            ..self
        }
    }

    fn path(&self) -> PathBuf {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        here.join("tests/golden").join(self.file)
    }

    fn seal(&self) -> Vec<u8> {
        let envelope = Envelope {
            cache: "cacheado",
            key: &self.key,
            type_name: self.type_name,
            shape: self.shape,
            lifetime: self.lifetime,
            stale: self.stale,
            generation: GENERATION,
            value: &self.value,
        };
        envelope.seal(self.compression)
    }
}

fn key(space: &'static Space, ids: &[&str], args: &impl Serialize) -> Key {
    let ids: Vec<IdText<'_>> = ids.iter().copied().map(IdText::borrowed).collect();
    let scope = Scope::new(space.level(), &ids);
    let probe = Probe::in_scope(space, &scope, args).unwrap();
    probe.to_key().unwrap()
}

fn function(name: &str, version: u32, explicit: bool, level: Level) -> &'static Space {
    Space::create(SpaceSpec {
        name: name.to_owned(),
        version,
        explicit,
        level,
        stable: true,
    })
}

fn payloads() -> Vec<Golden> {
    let settings = key(Space::programmatic(Level::global()), &[], &"settings");
    let square = key(
        function("shop::square", 0, false, Level::global()),
        &[],
        &(12_u64,),
    );
    let by_org = key(
        function("orders", 300, true, ORGANIZATION.level()),
        &["acme/eu:1\0"],
        &(),
    );
    let profile = function("shop::profile::<u8>", 1, false, USER.level());
    let crafted = "a".repeat(300);
    let by_user = key(
        profile,
        &["acme", &crafted],
        &(Some("x"), [1_i8, -1], 0.5_f32),
    );
    let by_struct = key(profile, &["", "ü"], &(order(1, State::Open), 'c', true));

    let text = "alloc::string::String";
    let list = "alloc::vec::Vec<shop::Order>";
    vec![
        Golden::new("v1-number", square.clone(), "u64", 144_u64).living(Duration::from_secs(300)),
        Golden::new("v1-text", settings.clone(), text, "dark mode".to_owned()),
        Golden::new("v1-nothing", by_user.clone(), "()", ()).living(Duration::from_nanos(1)),
        Golden::new(
            "v1-none",
            by_org.clone(),
            "core::option::Option<u32>",
            None::<u32>,
        )
        .living(Duration::MAX),
        Golden::new("v1-pair", square, "(i128, f64)", (i128::MIN, f64::MAX)),
        Golden::new("v1-struct", by_struct, "shop::Order", order(2, State::Open))
            .living(Duration::from_millis(1_500)),
        Golden::new("v1-stale", by_org.clone(), list, orders())
            .living(Duration::from_secs(360))
            .then_stale(Duration::from_micros(60_000_001)),
        Golden::new("v1-list", by_org, list, orders()),
        #[cfg(feature = "lz4")]
        Golden::new("v1-lz4-list", by_user, list, orders())
            .living(Duration::from_secs(86_400 * 365))
            .compressed(),
        #[cfg(feature = "lz4")]
        Golden::new("v1-lz4-text", settings, text, "long ".repeat(20_000)).compressed(),
    ]
}

#[test]
fn payloads_of_each_format_are_read() {
    for golden in payloads() {
        let file = golden.file;
        let bytes = std::fs::read(golden.path()).unwrap();
        let opened =
            Opened::open(&bytes, "cacheado", &golden.key).unwrap_or_else(|| panic!("{file}"));
        assert_eq!(opened.type_name, golden.type_name, "{file}");
        assert_eq!(opened.shape, golden.shape, "{file}");
        assert_eq!(opened.generation, GENERATION, "{file}");
        assert!((golden.is_value)(&opened.value().unwrap()), "{file}");
        let stale = golden.stale.as_nanos().div_ceil(1_000_000);
        assert_eq!(opened.stale.as_nanos(), stale * 1_000_000, "{file}");
        match (opened.lifetime, golden.lifetime) {
            (None, None) => {}
            // in whole milliseconds, as far as they go
            (Some(read), Some(Duration::MAX)) => assert_eq!(read, Duration::from_millis(u64::MAX)),
            (Some(read), Some(given)) => {
                assert!(
                    read >= given && read < given + Duration::from_millis(1),
                    "{file}"
                );
                assert_eq!(read.subsec_nanos() % 1_000_000, 0, "{file}");
            }
            (read, given) => panic!("{file}: {read:?} instead of {given:?}"),
        }
    }
}

#[test]
fn todays_code_writes_what_it_wrote_then() {
    for golden in payloads() {
        let bytes = std::fs::read(golden.path()).unwrap();
        assert!(
            golden.seal() == bytes,
            "{}: a change of the layout needs another FORMAT",
            golden.file
        );
    }
}

/// Each payload above whose file is not there yet: `cargo test -p cacheado-backends --features lz4 --test golden -- --ignored`.
#[test]
#[ignore = "writes files"]
fn write_payloads() {
    for golden in payloads() {
        // those that are there are what the tests are about
        match std::fs::File::create_new(golden.path()) {
            Ok(mut file) => std::io::Write::write_all(&mut file, &golden.seal()).unwrap(),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "{error}"),
        }
    }
}

/// A build that can't decompress says so, and gives nothing.
#[cfg(not(feature = "lz4"))]
#[test]
fn a_compressed_value_is_none_without_the_feature() {
    let golden = payloads()
        .into_iter()
        .find(|it| it.file == "v1-text")
        .unwrap();
    let mut path = golden.path();
    path.set_file_name("v1-lz4-text");
    let bytes = std::fs::read(path).unwrap();
    let opened = Opened::open(&bytes, "cacheado", &golden.key).unwrap();
    assert!(opened.value().is_none());
}
