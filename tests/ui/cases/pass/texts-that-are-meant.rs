//! Texts of keys and ids that are one for all calls, and are meant to be.

use cacheado::cache;

cacheado::scopes! {
    organization(org_id) { user(user_id) }
}

struct Settings;

#[cache(key = ("user", user))]
fn labelled(user: &str) -> usize {
    user.len()
}

#[cache(key = ("id {id} of", id, format!("{org}")))]
fn described(id: u32, org: &str) -> usize {
    id as usize + org.len()
}

#[cache(key = ("settings", "all"))]
fn settings(from: &Settings) -> bool {
    matches!(from, Settings)
}

#[cache(scope("organization", org_id = "system"), skip(system))]
fn of_one_tenant(system: &Settings) -> bool {
    matches!(system, Settings)
}

fn main() {
    assert_eq!((labelled("a"), labelled("bc")), (1, 2));
    assert_eq!((described(1, "a"), described(2, "a")), (2, 3));
    assert!(settings(&Settings) && of_one_tenant(&Settings));
}
