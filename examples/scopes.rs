//! Tenants: where the entry of a call is stored, and how to evict a tenant with everything below it.

use cacheado::{cache, cache_evict, peek, scopes};

scopes! {
    organization(org_id) {
        user(user_id) {
            // a secret id is never printed
            session(#[secret] session_id)
        }
    }
    // a second tree beside the first
    car(car_id)
}

#[cache(scope = "organization")]
fn plan(org_id: &str) -> String {
    format!("the plan of {org_id}")
}

/// The scope's ids are found by argument name, in any position. The other arguments (`page`) are the key.
#[cache(scope = "user")]
fn orders(page: u32, user_id: u64, org_id: &str) -> Vec<String> {
    vec![format!("page {page} of user {user_id} of {org_id}")]
}

struct Visitor {
    organization: String,
    user: u64,
    token: String,
}

/// Ids that are not plain arguments are given by name.
#[cache(
    scope(
        "session",
        org_id = visitor.organization,
        user_id = visitor.user,
        session_id = visitor.token
    ),
    skip(visitor)
)]
fn basket(visitor: &Visitor) -> u32 {
    u32::try_from(visitor.user).unwrap_or(0)
}

#[cache(scope = "car")]
fn mileage(car_id: u32) -> u64 {
    u64::from(car_id) * 1000
}

/// Evicts the user's entries, sessions included, after the function has succeeded.
#[cache_evict(scope = "user")]
fn change_role(org_id: &str, user_id: u64, allowed: bool) -> Result<(), String> {
    if allowed {
        Ok(())
    } else {
        Err(format!("nobody may change user {user_id} of {org_id}"))
    }
}

fn fill() {
    for org_id in ["acme", "acme/7", "globex"] {
        plan(org_id);
        for user_id in [7, 70] {
            orders(1, user_id, org_id);
            orders(2, user_id, org_id);
            basket(&Visitor {
                organization: org_id.to_owned(),
                user: user_id,
                token: "f1a9".to_owned(),
            });
        }
    }
    mileage(7);
}

fn main() -> cacheado::Result<()> {
    let cache = cacheado::default_cache();
    fill();
    let mut keys: Vec<String> = cache
        .keys()
        .run()?
        .iter()
        .map(ToString::to_string)
        .collect();
    keys.sort();
    println!("{} entries:\n  {}", keys.len(), keys.join("\n  "));
    assert_eq!(keys.len(), 3 * 7 + 1);
    assert!(!keys.concat().contains("f1a9"), "a secret id was printed");

    // this removes the scope itself and all below it, but not scopes whose ids only begin with the same text
    let evicted = cache.evict_by_scope(scope::user("acme", 7)).run()?;
    println!("user 7 of acme: {evicted} entries");
    assert_eq!(evicted, 3);
    let evicted = cache.evict_by_scope(scope::organization("acme")).run()?;
    println!("the rest of acme: {evicted} entries");
    assert_eq!(evicted, 4);
    assert_eq!(
        cache
            .keys()
            .scope(scope::organization("acme/7"))
            .run()?
            .len(),
        7
    );

    change_role("globex", 7, false).unwrap_err();
    assert!(peek!(orders(1, 7, "globex"))?.is_some());
    change_role("globex", 7, true).unwrap();
    assert!(peek!(orders(1, 7, "globex"))?.is_none());
    println!("changing a role evicted user 7 of globex, once it succeeded");

    assert_eq!(cache.evict_by_scope(scope::car(7)).run()?, 1);
    Ok(())
}
