//! The flaws that a backend can have.

use std::time::Duration;

use Flaw::*;

/// One flaw of the backend of these tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A miss is returned as a hit with empty bytes.
    FindsWhatIsNotThere,
    LosesGlobalEntries,
    KeepsTheFirstValue,
    EvictsNothing,
    EvictsNothingAsync,
    /// Truncates values to this many bytes.
    CutsValues(usize),
    LosesEmptyValues,
    /// Names entries by the `Display` form of keys.
    NamesByDisplay,
    IgnoresVersions,
    /// Treats a path and an explicit name with the same text as one.
    IgnoresExplicit,
    LosesAllAfterClearing,
    EvictsTheScopeOnly,
    EvictsAtMost(u64),
    /// Takes an id for another one of which it is a prefix.
    ComparesIdsAsPrefixes,
    TrimsIds,
    IgnoresCaseOfIds,
    IgnoresAccents,
    /// Treats the id `a/b` as two ids.
    JoinsIds,
    IgnoresLevels,
    /// Truncates ids to this many bytes.
    CutsIds(usize),
    CountsExpired,
    CountsOverwritten,
    IgnoresNames,
    /// Takes a cache for another one whose name is a prefix of its name.
    ComparesNamesAsPrefixes,
    IgnoresCaseOfNames,
    KeepsToTheInstance,
    NeverExpires,
    ExpiresEarly(Duration),
    /// Reports the whole lifetime as remaining.
    LeavesAll,
    KeepsTheFirstLifetime,
    /// Treats lifetimes over thirty days as dates long past.
    TakesLongForDates,
    ReadsManyBackwards,
    ReadsManyExpired,
    /// Reports the whole lifetime as remaining, in a bulk lookup.
    LeavesAllOfMany,
    /// Returns no marks for the misses of a bulk lookup.
    MarksNoneOfMany,
    /// `get_value` keeps returning the first value that it found.
    KeepsTheFirstAlone,
    ReadsValuesBackwards,
    /// `get_value` returns no marks for misses.
    MarksNoneAlone,
    StoresFirstOfMany,
    StoresManyForEver,
    FillsFirstOfMany,
    FillsForEver,
    FillsManyForEver,
    FillsNever,
    FillsInAnyCase,
    /// Has marks, but its async operations are the defaults, which store unconditionally.
    FillsInAnyCaseAsync,
    ScopesLeaveMarks,
    ClearingLeavesMarks,
    /// Evicting an expired entry does nothing.
    EvictingTheExpiredLeavesMarks,
    SettingLeavesMarks,
    /// Remembers only this many evictions, and treats a mark from before them as valid.
    RemembersEvictions(usize),
    /// Refuses a key that was evicted at any time before.
    MarksAreForEver,
    /// Refuses a key after any eviction in the store.
    MarksAreOfTheStore,
    PutsNever,
    PutsForEver,
    RefusedPutsLeaveMarks,
    /// A lookup of an expired entry invalidates marks.
    MarksEndWithLifetimes,
    PutsInAnyCase,
    FillsManyInAnyCase,
    /// Checks the mark and stores in two separate steps.
    FillsInTwoSteps,
    ClaimsForAll,
    ClaimsOutlastLoads,
    ClaimsOutlastRefusals,
    ClaimsNeverEnd,
    ReleasesNothing,
    ReleasesForAnybody,
    GivesToNobodyElse,
    GivesToAllForEver,
    /// A former holder of the claim may still give it to all.
    GivesWhatIsAnothers,
    /// A former holder of the claim may still store.
    IgnoresOwners,
    ClaimsOutdoEvictions,
    TellsNoEvictions,
    TellsNoSets,
    TellsNoRefusedPuts,
    TellsNoClearing,
    TellsOneself,
    TellsOfOtherCaches,
    /// Checks for the entry and removes it in two separate steps.
    EvictsInTwoSteps,
    /// Stores a value in two halves.
    StoresInTwoSteps,
    /// Relies on a runtime to continue when it is polled often. Not a flaw unless a runtime is blocked.
    YieldsToTheRuntime,
    /// Keeps the key it works on in state shared by all threads.
    SharesKeys,
}

/// Each flaw, with a check that finds it.
pub const ALL: &[(Flaw, &str)] = &[
    (FindsWhatIsNotThere, "what_is_not_stored_is_a_miss"),
    (LosesGlobalEntries, "what_is_set_is_found"),
    (KeepsTheFirstValue, "the_newest_value_is_found"),
    (EvictsNothing, "an_evicted_entry_is_gone"),
    (EvictsNothingAsync, "an_evicted_entry_is_gone"),
    (CutsValues(65_536), "values_of_all_sizes_come_back"),
    (LosesEmptyValues, "values_of_all_sizes_come_back"),
    (NamesByDisplay, "no_two_keys_are_one"),
    (IgnoresVersions, "no_two_keys_are_one"),
    (IgnoresExplicit, "no_two_keys_are_one"),
    (LosesAllAfterClearing, "clearing_leaves_a_store_that_works"),
    (
        EvictsTheScopeOnly,
        "a_scope_goes_with_all_below_it_and_nothing_else",
    ),
    (EvictsAtMost(1_000), "everything_is_in_the_global_scope"),
    (ComparesIdsAsPrefixes, "crafted_ids_stay_apart"),
    (TrimsIds, "crafted_ids_stay_apart"),
    (IgnoresCaseOfIds, "crafted_ids_stay_apart"),
    (IgnoresAccents, "crafted_ids_stay_apart"),
    (JoinsIds, "ids_do_not_run_into_each_other"),
    (IgnoresLevels, "levels_side_by_side_stay_apart"),
    (CutsIds(1_000), "long_ids_are_whole"),
    (CountsExpired, "only_live_entries_count"),
    (IgnoresNames, "caches_of_two_names_have_nothing_in_common"),
    (
        ComparesNamesAsPrefixes,
        "caches_of_two_names_have_nothing_in_common",
    ),
    (
        IgnoresCaseOfNames,
        "caches_of_two_names_have_nothing_in_common",
    ),
    (KeepsToTheInstance, "two_instances_share_what_is_stored"),
    (NeverExpires, "an_entry_is_gone_after_its_lifetime"),
    (LeavesAll, "what_is_left_never_grows"),
    (KeepsTheFirstLifetime, "a_new_value_has_its_own_lifetime"),
    (StoresManyForEver, "a_lifetime_is_kept_however_it_is_stored"),
    (FillsForEver, "a_lifetime_is_kept_however_it_is_stored"),
    (FillsManyForEver, "a_lifetime_is_kept_however_it_is_stored"),
    (PutsForEver, "a_lifetime_is_kept_however_it_is_stored"),
    (ReadsManyExpired, "many_are_read_with_what_is_left"),
    (LeavesAllOfMany, "many_are_read_with_what_is_left"),
    (TakesLongForDates, "lifetimes_of_any_length_are_kept"),
    (ReadsManyBackwards, "many_are_read_in_their_order"),
    (KeepsTheFirstAlone, "a_value_alone_is_what_is_there"),
    (ReadsValuesBackwards, "values_alone_are_read_in_their_order"),
    (
        MarksNoneAlone,
        "a_load_is_known_by_the_miss_of_a_value_alone",
    ),
    (StoresFirstOfMany, "many_are_stored"),
    (FillsFirstOfMany, "many_are_filled"),
    (FillsNever, "a_load_that_nothing_disturbed_is_stored"),
    (FillsInAnyCase, "an_eviction_wins_over_a_load"),
    (FillsInAnyCaseAsync, "an_eviction_wins_over_a_load"),
    (
        EvictingTheExpiredLeavesMarks,
        "an_eviction_of_what_has_expired_wins_over_a_load",
    ),
    (ScopesLeaveMarks, "an_eviction_of_a_scope_wins_over_a_load"),
    (
        RemembersEvictions(100),
        "an_eviction_wins_however_many_follow",
    ),
    (ClearingLeavesMarks, "clearing_wins_over_a_load"),
    (SettingLeavesMarks, "a_newer_value_wins_over_a_load"),
    (MarksAreForEver, "a_load_begun_after_an_eviction_is_stored"),
    (MarksAreOfTheStore, "what_concerns_others_disturbs_no_load"),
    (PutsNever, "a_put_that_nothing_disturbed_is_stored"),
    (
        MarksEndWithLifetimes,
        "the_end_of_a_lifetime_disturbs_nothing",
    ),
    (
        PutsInAnyCase,
        "a_put_that_something_disturbed_leaves_nothing",
    ),
    (
        RefusedPutsLeaveMarks,
        "a_put_that_is_refused_wins_over_a_load",
    ),
    (MarksNoneOfMany, "of_many_only_the_undisturbed_are_filled"),
    (
        FillsManyInAnyCase,
        "of_many_only_the_undisturbed_are_filled",
    ),
    (
        FillsInTwoSteps,
        "no_old_value_is_left_by_loads_that_race_with_evictions",
    ),
    (ClaimsForAll, "a_load_is_claimed_once"),
    (ClaimsOutlastLoads, "a_claim_ends_with_the_load"),
    (ReleasesNothing, "a_claim_can_be_given_back"),
    (ClaimsNeverEnd, "a_claim_ends_with_its_time"),
    (
        ReleasesForAnybody,
        "an_old_owner_can_neither_store_nor_release",
    ),
    (GivesToNobodyElse, "a_claim_can_be_given_to_all"),
    (GivesToAllForEver, "a_claim_is_anybodys_for_its_time_only"),
    (GivesWhatIsAnothers, "a_claim_is_anybodys_for_its_time_only"),
    (IgnoresOwners, "an_old_owner_can_neither_store_nor_release"),
    (
        ClaimsOutlastRefusals,
        "a_claim_ends_with_a_load_that_is_refused",
    ),
    (ClaimsOutdoEvictions, "an_eviction_wins_over_a_claimed_load"),
    (TellsNoEvictions, "what_others_evict_is_reported"),
    (TellsNoSets, "what_others_store_is_reported"),
    (TellsNoRefusedPuts, "what_others_store_is_reported"),
    (TellsNoClearing, "what_others_clear_is_reported"),
    (TellsOneself, "what_one_does_oneself_is_not_reported"),
    (
        TellsOfOtherCaches,
        "what_happens_in_other_caches_is_not_reported",
    ),
    (SharesKeys, "threads_do_not_disturb_each_other"),
    (StoresInTwoSteps, "a_value_is_never_half_of_two"),
    (EvictsInTwoSteps, "an_entry_is_evicted_once"),
    (CountsOverwritten, "each_entry_is_counted_once"),
];
