//! What is traced where nobody is told otherwise.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use cacheado::{Cache, cache, expire};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::with_default;
use tracing::{Event, Metadata, Subscriber};

/// Writes down what is traced.
#[derive(Clone, Default)]
struct Scribe(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Scribe {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is traced by `call`.
fn traced(call: impl FnOnce()) -> String {
    let scribe = Scribe::default();
    with_default(scribe.clone(), call);
    let lines = scribe.0.lock().unwrap();
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

/// What is traced when the second load fails, and the value of the first stands in.
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
