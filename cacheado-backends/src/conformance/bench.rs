//! The bench of a check: instances of the backend whose operations run in one style, and whose errors fail the check.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::suite::{Options, Suite};
use crate::backend::{
    Backend, BackendFuture, BackendResult, Changes, Lease, Lookup, Mark, Payload,
};
use crate::key::Key;
use crate::scope::Scope;

/// Which of the two forms of each operation is run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    Blocking,
    Async,
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        })
    }
}

/// The environment of one check.
pub(super) struct Bench<'s> {
    suite: &'s Suite<'s>,
    check: &'static str,
    style: Style,
    /// The name of the check's cache, unique among all caches.
    name: String,
    /// All names that were opened.
    opened: Mutex<BTreeSet<String>>,
}

impl<'s> Bench<'s> {
    pub(super) fn new(suite: &'s Suite<'s>, check: &'static str, style: Style) -> Self {
        let unique = RandomState::new().hash_one(check);
        Self {
            suite,
            check,
            style,
            name: format!("conformance-{unique:016x}"),
            opened: Mutex::default(),
        }
    }

    pub(super) fn options(&self) -> &Options {
        &self.suite.options
    }

    /// An instance for the check's cache.
    pub(super) fn open(&self) -> Store<'_> {
        self.open_as("")
    }

    /// An instance for a cache whose name is that of the check's cache, then `suffix`.
    pub(super) fn open_as(&self, suffix: &str) -> Store<'_> {
        let name = format!("{}{suffix}", self.name);
        let mut backend = (self.suite.make)();
        backend.bind(&name);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.insert(name);
        Store {
            bench: self,
            backend,
        }
    }

    /// Removes what the check has stored.
    pub(super) fn clean_up(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        for name in opened.clone() {
            let mut backend = (self.suite.make)();
            backend.bind(&name);
            self.done("clear", backend.clear());
        }
    }

    /// Fails the check unless `holds`.
    #[track_caller]
    pub(super) fn expect(&self, holds: bool, what: impl fmt::Display) {
        if !holds {
            self.fail(what);
        }
    }

    #[track_caller]
    pub(super) fn fail(&self, what: impl fmt::Display) -> ! {
        panic!(
            "conformance check `{}` ({}): {what}",
            self.check, self.style
        );
    }

    #[track_caller]
    fn done<T>(&self, operation: &str, result: BackendResult<T>) -> T {
        match result {
            Ok(result) => result,
            Err(error) => self.fail(format_args!("`{operation}` failed: {error}")),
        }
    }
}

/// One instance of the backend. An operation that fails fails the check.
pub(super) struct Store<'b> {
    pub(super) bench: &'b Bench<'b>,
    backend: Box<dyn Backend>,
}

/// A stored payload, for a message. The suite's own values are not secret, unlike those of other payloads.
pub(super) fn show(payload: Option<&Payload>) -> String {
    let Some(Payload { bytes, lifetime }) = payload else {
        return "nothing".into();
    };
    let start = bytes[..bytes.len().min(40)].escape_ascii();
    let end = match lifetime {
        Some(left) => format!(" for {left:?}"),
        None => String::new(),
    };
    format!("\"{start}\" ({} bytes){end}", bytes.len())
}

/// Runs an operation in the bench's style.
macro_rules! run {
    ($self:ident, $blocking:ident, $future:ident ( $($argument:expr),* )) => {{
        let result = match $self.bench.style {
            Style::Blocking => $self.backend.$blocking($($argument),*),
            Style::Async => $self.wait($self.backend.$future($($argument),*)),
        };
        $self.bench.done(stringify!($blocking), result)
    }};
}

impl Store<'_> {
    #[track_caller]
    pub(super) fn get(&self, key: &Key) -> Lookup {
        run!(self, get, get_async(key))
    }

    #[track_caller]
    pub(super) fn get_value(&self, key: &Key) -> Lookup {
        run!(self, get_value, get_value_async(key))
    }

    /// The payload stored under `key`.
    #[track_caller]
    pub(super) fn hit(&self, key: &Key) -> Option<Payload> {
        self.get(key).hit()
    }

    /// The mark of a miss. A hit fails the check.
    #[track_caller]
    pub(super) fn miss(&self, key: &Key) -> Mark {
        match self.get(key) {
            Lookup::Miss(mark) => mark,
            Lookup::Hit(found) => self.bench.fail(format_args!(
                "a miss of {key} was expected, and there is {}",
                show(Some(&found))
            )),
        }
    }

    /// [`miss`](Self::miss) after `what`, which should have removed the entry.
    #[track_caller]
    pub(super) fn miss_after(&self, key: &Key, what: impl fmt::Display) -> Mark {
        match self.get(key) {
            Lookup::Miss(mark) => mark,
            Lookup::Hit(found) => self.bench.fail(format_args!(
                "{what} should leave nothing under {key}, and there is {}",
                show(Some(&found))
            )),
        }
    }

    #[track_caller]
    pub(super) fn mark(&self, key: &Key) -> Mark {
        run!(self, mark, mark_async(key))
    }

    #[track_caller]
    pub(super) fn set(&self, key: &Key, payload: &Payload) {
        run!(self, set, set_async(key, payload));
    }

    #[track_caller]
    pub(super) fn fill(&self, key: &Key, payload: &Payload, mark: &Mark) -> bool {
        run!(self, fill, fill_async(key, payload, mark))
    }

    #[track_caller]
    pub(super) fn put(&self, key: &Key, payload: &Payload, mark: &Mark) -> bool {
        run!(self, put, put_async(key, payload, mark))
    }

    #[track_caller]
    pub(super) fn evict(&self, key: &Key) -> bool {
        run!(self, evict, evict_async(key))
    }

    #[track_caller]
    pub(super) fn evict_by_scope(&self, scope: &Scope) -> u64 {
        run!(self, evict_by_scope, evict_by_scope_async(scope))
    }

    #[track_caller]
    pub(super) fn clear(&self) {
        run!(self, clear, clear_async());
    }

    #[track_caller]
    pub(super) fn get_many(&self, keys: &[Key]) -> Vec<Lookup> {
        run!(self, get_many, get_many_async(keys))
    }

    #[track_caller]
    pub(super) fn get_values(&self, keys: &[Key]) -> Vec<Lookup> {
        run!(self, get_values, get_values_async(keys))
    }

    #[track_caller]
    pub(super) fn set_many(&self, entries: &[(Key, Payload)]) {
        run!(self, set_many, set_many_async(entries));
    }

    #[track_caller]
    pub(super) fn fill_many(&self, entries: &[(Key, Payload, Mark)]) -> Vec<bool> {
        run!(self, fill_many, fill_many_async(entries))
    }

    #[track_caller]
    pub(super) fn lease(&self, key: &Key, span: Duration) -> Lease {
        run!(self, lease, lease_async(key, span))
    }

    #[track_caller]
    pub(super) fn release(&self, key: &Key, mark: &Mark) {
        run!(self, release, release_async(key, mark));
    }

    #[track_caller]
    pub(super) fn release_to_all(&self, key: &Key, mark: &Mark, span: Duration) {
        run!(self, release_to_all, release_to_all_async(key, mark, span));
    }

    pub(super) fn watch(&self, changes: Changes) -> bool {
        self.backend.watch(changes)
    }

    /// Fails the check unless `expected` is stored under `key`, with no end.
    #[track_caller]
    pub(super) fn expect_hit(&self, key: &Key, expected: &Payload) {
        let found = self.hit(key);
        self.bench.expect(
            found.as_ref() == Some(expected),
            format_args!(
                "{} was expected under {key}, and there is {}",
                show(Some(expected)),
                show(found.as_ref())
            ),
        );
    }

    /// Evicts `scope` and fails the check unless it reports `expected` removed entries, if the backend can tell.
    #[track_caller]
    pub(super) fn expect_evicted(&self, scope: &Scope, expected: u64) {
        let removed = self.evict_by_scope(scope);
        self.expect_counted(scope, expected, removed);
    }

    /// Fails the check unless `removed`, the answer of evicting `scope`, is `expected`, if the backend can tell.
    #[track_caller]
    pub(super) fn expect_counted(&self, scope: &Scope, expected: u64, removed: u64) {
        if self.bench.options().counts {
            self.bench.expect(
                removed == expected,
                format_args!(
                    "evicting {scope} should say that it removed {expected}, and says {removed}"
                ),
            );
        }
    }

    fn wait<T: Send>(&self, future: BackendFuture<'_, T>) -> BackendResult<T> {
        let mut result = None;
        (self.bench.suite.executor)(Box::pin(async { result = Some(future.await) }));
        result.unwrap_or_else(|| {
            self.bench
                .fail("the executor returned before the task had ended")
        })
    }
}
