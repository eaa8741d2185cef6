//! The suite: its checks, the backends that each check is for, and how they run.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::bench::{Bench, Style};
use super::executor::{Executor, Task, run_apart};
use super::{
    bulk, entries, leases, lifetimes, marks, names, races, scopes, threads, values, watching,
};
use crate::backend::Backend;

/// The checks for one backend. All are on by default; turn off those for optional parts that a backend lacks. The documentation of the
/// [module](super) has an example.
///
/// [`run`](Self::run) runs them all; [`checks`](Self::checks) returns them one at a time.
pub struct Suite<'a> {
    pub(super) make: Box<dyn Fn() -> Box<dyn Backend> + Send + Sync + 'a>,
    pub(super) executor: Box<Executor<'a>>,
    pub(super) options: Options,
}

/// The properties and limits of a backend.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one thing that a backend has or has not"
)]
pub(super) struct Options {
    pub(super) counts: bool,
    pub(super) marks: bool,
    pub(super) leases: bool,
    pub(super) leases_to_all: bool,
    pub(super) watch: bool,
    pub(super) early: Duration,
    pub(super) reported_within: Duration,
    pub(super) longest_id: usize,
    pub(super) largest_value: usize,
}

impl<'a> Suite<'a> {
    /// A suite for the backend that `make` creates: each call makes a new instance over the same store, as another process would have
    /// it. The suite [binds](Backend::bind) each instance to the name of a cache.
    pub fn new<B: Backend>(make: impl Fn() -> B + Send + Sync + 'a) -> Self {
        Self {
            make: Box::new(move || Box::new(make())),
            executor: Box::new(run_apart),
            options: Options {
                counts: true,
                marks: true,
                leases: true,
                leases_to_all: true,
                watch: true,
                early: Duration::ZERO,
                reported_within: Duration::from_secs(10),
                longest_id: 10_000,
                largest_value: 500_000,
            },
        }
    }

    /// Whether [`evict_by_scope`](Backend::evict_by_scope) returns how many live entries it removed. A backend that can't tell returns
    /// 0.
    #[must_use]
    pub fn counts(mut self, counts: bool) -> Self {
        self.options.counts = counts;
        self
    }

    /// Whether marks let [`fill`](Backend::fill) and [`put`](Backend::put) tell what was evicted or set since.
    #[must_use]
    pub fn marks(mut self, marks: bool) -> Self {
        self.options.marks = marks;
        self
    }

    /// Whether loads can be claimed. If not, [`lease`](Backend::lease) must say so.
    #[must_use]
    pub fn leases(mut self, leases: bool) -> Self {
        self.options.leases = leases;
        self
    }

    /// Whether claims can be [opened to anybody](Backend::release_to_all), and not merely given back.
    #[must_use]
    pub fn leases_to_all(mut self, to_all: bool) -> Self {
        self.options.leases_to_all = to_all;
        self
    }

    /// Whether the backend reports what other processes do. If not, [`watch`](Backend::watch) must say so.
    #[must_use]
    pub fn watch(mut self, watch: bool) -> Self {
        self.options.watch = watch;
        self
    }

    /// How long before the end of its lifetime an entry may go: a second for a store that counts in whole seconds. None may stay
    /// longer than its lifetime. Zero by default. Lifetimes in the checks are extended by it.
    #[must_use]
    pub fn early(mut self, early: Duration) -> Self {
        self.options.early = early;
        self
    }

    /// How long the report of another process's change may take; ten seconds by default, so that a busy machine fails no check. Only a
    /// report that does not come takes that long.
    #[must_use]
    pub fn reported_within(mut self, limit: Duration) -> Self {
        self.options.reported_within = limit;
        self
    }

    /// The longest scope id that the store supports, in bytes; 10,000 by default.
    #[must_use]
    pub fn longest_id(mut self, bytes: usize) -> Self {
        self.options.longest_id = bytes;
        self
    }

    /// The largest value that the store supports, in bytes; 500,000 by default.
    #[must_use]
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.options.largest_value = bytes;
        self
    }

    /// The executor of the futures of async operations: `|task| runtime.block_on(task)` for a backend that needs a runtime around it.
    /// By default each runs on a thread of its own, with no runtime around. It is called from several threads at once.
    #[must_use]
    pub fn executor(mut self, run: impl for<'f> Fn(Task<'f>) + Send + Sync + 'a) -> Self {
        self.executor = Box::new(run);
        self
    }

    /// The checks, one at a time.
    pub fn checks(&self) -> impl Iterator<Item = Check<'_>> {
        let options = self.options;
        let blocking = [Style::Blocking, Style::Async];
        CHECKS
            .iter()
            .filter(move |(_, _, applies)| applies(&options))
            .flat_map(move |&(name, body, _)| {
                blocking.map(|style| Check {
                    suite: self,
                    name,
                    style,
                    body,
                })
            })
    }

    /// Runs all checks, also after one has failed.
    ///
    /// # Panics
    ///
    /// If a check fails; the message names all that did and what each expected.
    pub fn run(&self) {
        let mut failed = Vec::new();
        for check in self.checks() {
            // after a panic only the next check uses the suite, and it makes all it needs anew
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check.run())) {
                let message = message(&*panic);
                // a panic that the suite did not raise does not name its check
                let named = message.contains(check.name());
                let from = if named {
                    String::new()
                } else {
                    format!("{check}: ")
                };
                failed.push(format!("{from}{message}"));
            }
        }
        assert!(
            failed.is_empty(),
            "{} conformance checks failed:\n{}\nOf a backend that does without counts, marks, claims or reports, tell the suite so: `.counts(false)`, \
             `.marks(false)`, `.leases(false)`, `.watch(false)`.",
            failed.len(),
            failed.join("\n")
        );
    }
}

impl fmt::Debug for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// One check, in one of the two styles.
#[derive(Clone, Copy)]
pub struct Check<'s> {
    suite: &'s Suite<'s>,
    name: &'static str,
    style: Style,
    body: fn(&Bench<'_>),
}

impl Check<'_> {
    /// What holds if the check passes, in snake case: `an_evicted_entry_is_gone`. The blocking check and the async one have the same
    /// name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether this is a check of the operations that return futures.
    #[must_use]
    pub fn is_async(&self) -> bool {
        matches!(self.style, Style::Async)
    }

    /// Runs the check.
    ///
    /// # Panics
    ///
    /// If the check fails; the message names the check and says what was expected.
    pub fn run(&self) {
        let bench = Bench::new(self.suite, self.name, self.style);
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.body)(&bench)));
        // also after a failure, which then takes precedence
        let cleaned = catch_unwind(AssertUnwindSafe(|| bench.clean_up()));
        if let Err(panic) = outcome.and(cleaned) {
            resume_unwind(panic);
        }
    }
}

impl fmt::Display for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conformance check `{}` ({})", self.name, self.style)
    }
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "a check panicked".into())
}

/// A name, the check, and whether it applies to a backend with these options.
type Listed = (&'static str, fn(&Bench<'_>), fn(&Options) -> bool);

macro_rules! checks {
    ($($module:ident { $($name:ident)* } if $applies:expr;)*) => {
        const CHECKS: &[Listed] = &[$($((stringify!($name), $module::$name, $applies)),*),*];
    };
}

checks! {
    entries {
        what_is_not_stored_is_a_miss
        what_is_set_is_found
        the_newest_value_is_found
        an_evicted_entry_is_gone
        values_of_all_sizes_come_back
        no_two_keys_are_one
        clearing_leaves_a_store_that_works
    } if |_| true;
    scopes {
        a_scope_goes_with_all_below_it_and_nothing_else
        everything_is_in_the_global_scope
        crafted_ids_stay_apart
        ids_do_not_run_into_each_other
        levels_side_by_side_stay_apart
        long_ids_are_whole
    } if |_| true;
    scopes {
        only_live_entries_count
    } if |options| options.counts;
    names {
        caches_of_two_names_have_nothing_in_common
        two_instances_share_what_is_stored
    } if |_| true;
    lifetimes {
        an_entry_is_gone_after_its_lifetime
        what_is_left_never_grows
        a_new_value_has_its_own_lifetime
        a_lifetime_is_kept_however_it_is_stored
        many_are_read_with_what_is_left
        lifetimes_of_any_length_are_kept
    } if |_| true;
    bulk {
        many_are_read_in_their_order
        many_are_stored
        many_are_filled
    } if |_| true;
    values {
        a_value_alone_is_what_is_there
        values_alone_are_read_in_their_order
    } if |_| true;
    values {
        a_load_is_known_by_the_miss_of_a_value_alone
    } if |options| options.marks;
    marks {
        a_load_that_nothing_disturbed_is_stored
        an_eviction_wins_over_a_load
        an_eviction_of_what_has_expired_wins_over_a_load
        an_eviction_of_a_scope_wins_over_a_load
        an_eviction_wins_however_many_follow
        clearing_wins_over_a_load
        a_newer_value_wins_over_a_load
        a_load_begun_after_an_eviction_is_stored
        what_concerns_others_disturbs_no_load
        a_put_that_nothing_disturbed_is_stored
        the_end_of_a_lifetime_disturbs_nothing
        a_put_that_something_disturbed_leaves_nothing
        a_put_that_is_refused_wins_over_a_load
        of_many_only_the_undisturbed_are_filled
    } if |options| options.marks;
    races {
        no_old_value_is_left_by_loads_that_race_with_evictions
    } if |options| options.marks;
    leases {
        a_load_is_claimed_once
        a_claim_ends_with_the_load
        a_claim_can_be_given_back
        a_claim_ends_with_its_time
        an_old_owner_can_neither_store_nor_release
        a_claim_ends_with_a_load_that_is_refused
        an_eviction_wins_over_a_claimed_load
    } if |options| options.leases;
    leases {
        a_claim_can_be_given_to_all
        a_claim_is_anybodys_for_its_time_only
    } if |options| options.leases && options.leases_to_all;
    leases {
        claims_are_said_to_be_unsupported
    } if |options| !options.leases;
    watching {
        what_others_evict_is_reported
        what_others_store_is_reported
        what_others_clear_is_reported
        what_one_does_oneself_is_not_reported
        what_happens_in_other_caches_is_not_reported
    } if |options| options.watch;
    watching {
        watching_is_said_to_be_unsupported
    } if |options| !options.watch;
    threads {
        threads_do_not_disturb_each_other
        a_value_is_never_half_of_two
    } if |_| true;
    threads {
        an_entry_is_evicted_once
        each_entry_is_counted_once
    } if |options| options.counts;
}
