//! The conformance suite itself: a correct backend passes, and a backend with any of the flaws fails.

mod flaw;
mod memory;
mod name;
mod simple;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cacheado::testing::Chaos;
use cacheado_backends::Backend;
use cacheado_backends::conformance::{Check, Suite};

use flaw::Flaw;
use memory::{Memory, Store};
use simple::Simple;

fn suite(store: &Store, flaw: Option<Flaw>) -> Suite<'_> {
    Suite::new(move || Memory::open(store, flaw)).reported_within(Duration::from_millis(200))
}

#[test]
fn a_backend_that_is_right_passes() {
    suite(&Store::default(), None).run();
}

#[test]
fn futures_can_be_run_on_ones_own_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let store = Store::default();
    let suite = suite(&store, None).executor(|task| {
        runtime.block_on(task);
    });
    for check in suite.checks().filter(Check::is_async) {
        if !check.name().contains("lifetime") {
            check.run();
        }
    }
}

/// Blocks a runtime, as async tests do.
#[tokio::test]
async fn the_suite_can_be_run_inside_of_a_runtime() {
    let store = Store::default();
    let suite = Suite::new(|| Memory::open(&store, Some(Flaw::YieldsToTheRuntime)));
    for check in suite.checks().filter(Check::is_async) {
        if check.name() == "no_two_keys_are_one" {
            check.run();
        }
    }
}

#[test]
fn a_backend_that_is_right_stays_so_under_a_calm_chaos() {
    let store = Store::default();
    let suite = Suite::new(|| {
        let chaos = Chaos::new(Memory::open(&store, None)).fail(1.0).lose(1.0);
        chaos.handle().calm();
        chaos
    });
    suite.reported_within(Duration::from_millis(200)).run();
}

#[test]
fn a_backend_that_is_right_stays_so_in_a_box() {
    let store = Store::default();
    let boxed = || Box::new(Memory::open(&store, None)) as Box<dyn Backend>;
    let suite = Suite::new(boxed).reported_within(Duration::from_millis(200));
    suite.run();
}

/// A backend without the optional operations passes if it declares what it lacks.
#[test]
fn a_simple_backend_passes_when_it_says_what_it_lacks() {
    let store = Store::default();
    let suite = Suite::new(|| Simple(Memory::open(&store, None)));
    suite
        .counts(false)
        .marks(false)
        .leases(false)
        .watch(false)
        .run();
}

/// Declaring a capability that the backend lacks is detected.
#[test]
fn a_simple_backend_fails_when_it_does_not_say_so() {
    let store = Store::default();
    let simple = || Suite::new(|| Simple(Memory::open(&store, None)));
    let without = |missing: &str| {
        let suite = simple()
            .counts(missing == "counts")
            .marks(missing == "marks")
            .leases(missing == "leases")
            .watch(missing == "watch");
        failed_checks(&suite)
    };
    assert!(without("counts").contains(&"a_scope_goes_with_all_below_it_and_nothing_else"));
    assert!(without("marks").contains(&"an_eviction_wins_over_a_load"));
    assert!(without("leases").contains(&"a_load_is_claimed_once"));
    assert!(without("watch").contains(&"what_others_evict_is_reported"));
}

/// Declaring as missing a capability that the backend has is detected too, where the cache relies on it.
#[test]
fn a_backend_that_can_more_than_it_says_is_told() {
    let store = Store::default();
    let failed = failed_checks(&suite(&store, None).leases(false).watch(false));
    assert_eq!(
        failed,
        [
            "claims_are_said_to_be_unsupported",
            "watching_is_said_to_be_unsupported"
        ]
    );
}

/// The failure message says what is wrong, even if keys print alike or a count does not show what is left.
#[test]
fn a_failure_says_what_is_wrong() {
    let said = |flaw, check| {
        let store = Store::default();
        let suite = suite(&store, Some(flaw));
        let mut checks = suite.checks();
        let check = checks.find(|it| it.name() == check).unwrap();
        let panic = catch_unwind(AssertUnwindSafe(|| check.run())).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    for (flaw, check, expected) in [
        (
            Flaw::IgnoresVersions,
            "no_two_keys_are_one",
            "is found under global shop::profile() (the path \"shop::profile\", version 0, level \"global\", 1 bytes of arguments)",
        ),
        (
            Flaw::IgnoresExplicit,
            "no_two_keys_are_one",
            "(the explicit name \"shop::profile\", version 0",
        ),
        (
            Flaw::EvictsAtMost(1_000),
            "everything_is_in_the_global_scope",
            "evicting everything should leave nothing, and there is ",
        ),
        (
            Flaw::EvictsNothing,
            "a_load_begun_after_an_eviction_is_stored",
            "evicting it should leave nothing under global (programmatic)(\"k\"), and there is \"old\" (3 bytes)",
        ),
    ] {
        let said = said(flaw, check);
        assert!(said.contains(expected), "{flaw:?}: {said}");
    }
}

/// A failing suite leaves nothing in a store that others use.
#[test]
fn a_check_that_fails_leaves_nothing_in_the_store() {
    let store = Store::default();
    let suite = suite(&store, Some(Flaw::IgnoresVersions));
    let failed = failed_checks_of(&suite, |name| name == "no_two_keys_are_one");
    assert_eq!(failed.len(), 1);
    assert_eq!(store.len(), 0);
}

/// A store with a coarse clock may expire an entry early, if the suite allows it.
#[test]
fn an_entry_may_go_early_by_as_much_as_is_allowed() {
    let store = Store::default();
    let early = Duration::from_millis(60);
    let flawed = || suite(&store, Some(Flaw::ExpiresEarly(early)));
    let failed = |suite: &Suite<'_>| {
        failed_checks_of(suite, |name| {
            name.contains("lifetime") || name.contains("left")
        })
    };
    assert_eq!(failed(&flawed()).len(), 6);
    assert_eq!(failed(&flawed().early(early)).len(), 0);
}

#[test]
fn each_flaw_is_found_by_the_check_that_is_about_it() {
    // without the flaw each check passes, as the test of the correct backend shows
    for (flaw, check) in flaw::ALL {
        let store = Store::default();
        let suite = suite(&store, Some(*flaw));
        let failed = failed_checks_of(&suite, |name| name == *check);
        assert_eq!(failed, [*check], "{flaw:?}");
    }
}

/// Every check is effective: each one fails for a flaw in the list.
#[test]
fn each_check_can_fail() {
    let store = Store::default();
    let suite = suite(&store, None);
    for check in suite.checks() {
        let found = flaw::ALL.iter().any(|(_, name)| *name == check.name());
        assert!(found, "no flaw is found by {}", check.name());
    }
}

fn failed_checks(suite: &Suite<'_>) -> Vec<&'static str> {
    failed_checks_of(suite, |_| true)
}

/// The names of the failing checks among those whose name is `wanted`, once each for both styles. Each failure must contain its
/// check's name.
fn failed_checks_of(suite: &Suite<'_>, wanted: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut failed: Vec<&'static str> = Vec::new();
    for check in suite.checks().filter(|check| wanted(check.name())) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check.run())) {
            let message = panic.downcast_ref::<String>().expect("a message");
            assert!(message.contains(check.name()), "{message}");
            if failed.last() != Some(&check.name()) {
                failed.push(check.name());
            }
        }
    }
    failed
}
