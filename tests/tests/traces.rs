//! What is traced where no caller learns of it otherwise.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::testing::{Chaos, ManualClock};
use cacheado::{Cache, cache, expire};
use cacheado_tests::store::Client;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber};

/// Records the traced events.
#[derive(Clone)]
struct Scribe {
    lines: Arc<Mutex<String>>,
    /// Events below this level are left out.
    level: Level,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        *of.level() <= self.level
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut lines = self.lines.lock().unwrap();
        event.record(&mut Line(&mut lines));
        lines.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The events traced by `call`.
fn traced(call: impl FnOnce()) -> String {
    traced_at(Level::TRACE, call)
}

/// The lines traced by `call`, at `level` and above.
fn traced_at(level: Level, call: impl FnOnce()) -> String {
    let scribe = Scribe {
        lines: Arc::default(),
        level,
    };
    with_default(scribe.clone(), call);
    let lines = scribe.lines.lock().unwrap();
    lines.clone()
}

#[derive(Debug)]
struct Shown(#[expect(dead_code, reason = "it is printed")] u8);

struct Silent;

macro_rules! failing {
    ($($name:ident -> $error:ty: $value:expr;)*) => {
        $(#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, down))]
        fn $name(cache: &Cache, down: bool) -> Result<u8, $error> {
            if down { $value } else { Ok(1) }
        })*
    };
}

failing! {
    by_display -> String: Err("the source is down".to_owned());
    by_debug -> Shown: Err(Shown(7));
    not_at_all -> Silent: Err(Silent);
    by_panic -> Silent: panic!("on purpose");
}

#[cache(ttl = 60, stale = 60, cache = cache, skip(cache, error))]
fn generic<E: Send + 'static>(cache: &Cache, error: Option<E>) -> Result<u8, E> {
    error.map_or(Ok(1), Err)
}

/// The events when the second load fails, and the first value is served stale.
macro_rules! failure {
    ($function:ident($well:expr), $failing:expr) => {{
        let cache = Cache::builder().build().unwrap();
        traced(|| {
            assert!($function(&cache, $well).is_ok());
            assert!(expire!($function(&cache, $well)).unwrap());
            assert!(matches!($function(&cache, $failing), Ok(1)));
        })
    }};
}

#[test]
fn a_load_that_fails_in_silence_says_why_if_its_error_prints() {
    const FAILED: &str = "a load failed, and the value before stands in";
    let lines = failure!(by_display(false), true);
    assert!(lines.contains(FAILED), "{lines}");
    assert!(lines.contains("error=the source is down"), "{lines}");
    let lines = failure!(by_debug(false), true);
    assert!(lines.contains("error=Shown(7)"), "{lines}");
    let lines = failure!(by_panic(false), true);
    assert!(lines.contains("error=it panicked"), "{lines}");
    for lines in [
        failure!(not_at_all(false), true),
        failure!(generic(None::<&str>), Some("nothing is known of its type")),
    ] {
        assert!(
            lines.contains(FAILED) && !lines.contains("error"),
            "{lines}"
        );
    }
}

/// Fails to serialize, as a key and as a value that leaves the process.
#[derive(Clone)]
struct Refusing;

impl serde::Serialize for Refusing {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it refuses"))
    }
}

impl<'de> serde::Deserialize<'de> for Refusing {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("it refuses"))
    }
}

#[cache(name = "plain", cache = cache, skip(cache))]
fn plain(cache: &Cache, x: u32) -> u32 {
    x
}

#[cache(name = "refused", cache = cache, skip(cache))]
fn refused(cache: &Cache, x: u32) -> Refusing {
    let _ = x;
    Refusing
}

#[cache(name = "keyless", cache = cache, skip(cache))]
fn keyless(cache: &Cache, x: Refusing) -> u32 {
    let _ = x;
    1
}

#[test]
fn what_each_call_has_to_say_is_told_once_in_a_while() {
    const CALLS: u32 = 100;
    let clock = ManualClock::new();
    let chaos = Chaos::new(Client::new());
    let handle = chaos.handle();
    let cache = Cache::builder().clock(clock.clone()).backend(chaos).build();
    let cache = cache.unwrap();
    let keys = |call: &dyn Fn(u32)| (0..CALLS).for_each(call);
    let kinds: [(&str, &dyn Fn()); 4] = [
        ("the shared tier failed", &|| {
            handle.refuse(1.0);
            keys(&|x| assert_eq!(plain(&cache, x), x));
        }),
        ("a value can't go to the shared tier", &|| {
            keys(&|x| _ = refused(&cache, x));
        }),
        ("no key could be made", &|| {
            keys(&|_| assert_eq!(keyless(&cache, Refusing), 1));
        }),
        ("the loader runs uncached", &|| {
            keys(&|x| assert_eq!(cache.get_or_load(Refusing, || x).run().unwrap(), x));
        }),
    ];
    for (message, calls) in kinds {
        let told = |level| {
            handle.calm();
            cache.clear().run().unwrap();
            let lines = traced_at(level, calls);
            let alike: Vec<_> = lines.lines().filter(|it| it.contains(message)).collect();
            (alike.len(), alike.concat())
        };
        let (count, first) = told(Level::WARN);
        // one for each refused operation
        assert!((1..=4).contains(&count), "{message}: {count} lines");
        assert!(!first.contains("repeated"), "{first}");
        let (count, _) = told(Level::WARN);
        assert_eq!(count, 0, "{message}");
        let (count, _) = told(Level::DEBUG);
        assert!(count >= CALLS as usize, "{message}: {count} lines");
        clock.advance(Duration::from_secs(10));
        let (count, again) = told(Level::WARN);
        assert!((1..=4).contains(&count), "{message}: {count} lines");
        assert!(again.contains("repeated=299"), "{again}");
    }
}
