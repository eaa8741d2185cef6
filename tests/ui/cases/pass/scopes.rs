//! `scopes!`: under its default name, under one of its own, and where functions take their ids from.
#![deny(warnings)]

use cacheado::{Cache, Scope, ScopeId, cache, cache_evict, peek};

cacheado::scopes! {
    /// Who we sell to.
    organization(org_id) {
        user(user_id) { session(#[secret] session_id) }
    }
    car(car)
}

mod nested {
    cacheado::scopes! {
        /// Other scopes.
        pub mod tenancy;
        planet(planet_id) { moon(moon_id) }
    }

    #[cacheado::cache(scope = "moon", scopes = tenancy)]
    pub fn by_relative_path(planet_id: u8, moon_id: u8) -> u8 {
        planet_id + moon_id
    }
}

cacheado::scopes! {
    mod private;
    shop(shop_id)
}

struct Sku(String);
impl std::fmt::Display for Sku {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl ScopeId for Sku {}

#[cache(scope = "organization/user")]
fn anywhere(limit: usize, user_id: u64, verbose: bool, org_id: impl ScopeId) -> usize {
    let _ = (user_id, verbose, org_id.id_text());
    limit
}

struct Context {
    org: String,
    user: u64,
}

#[cache(scope("user", org_id = context.org, user_id = context.user), skip(context))]
async fn from_context(context: &Context, limit: usize) -> usize {
    context.org.len() + limit
}

struct Path<T>(T);

#[cache(scope = "user")]
fn from_pattern(Path((org_id, user_id)): Path<(String, u64)>, limit: usize) -> usize {
    org_id.len() + user_id as usize + limit
}

#[cache(scope = "global")]
fn global(org_id: &str) -> usize {
    org_id.len()
}

#[cache(scope = "planet", scopes = crate::nested::tenancy)]
fn by_path(planet_id: u8) -> u8 {
    planet_id
}

// what is skipped goes as a whole, the id in it too
#[cache(scope = "shop", scopes = private, skip(shop_id, limit))]
fn skipped_and_an_id((shop_id, limit): (&Sku, usize)) -> usize {
    shop_id.0.len() + limit
}

#[cache_evict(scope("moon", planet_id = 3, moon_id = 4), scope = "planet", scopes = self::nested::tenancy)]
fn crash(planet_id: u8) {
    let _ = planet_id;
}

#[cache_evict(scope = "global", from_pattern(Path((String::from("acme"), 7)), 1))]
fn forget() {}

#[tokio::main]
async fn main() {
    let _: [Scope; 3] = [scope::global(), scope::user("acme", 7), scope::session("acme", 7, String::from("s"))];
    let _ = (scope::car('c'), private::shop(&Sku("s".into())), nested::tenancy::moon(1, 2));
    let cache = Cache::builder().scopes(scope::hierarchy()).build().unwrap();
    assert!(cache.scope("user", [("org_id", "acme"), ("user_id", "7")]).is_ok());

    assert_eq!(anywhere(1, 7, true, "acme"), 1);
    let context = Context { org: "acme".into(), user: 7 };
    assert_eq!(from_context(&context, 1).await, 5);
    assert_eq!(from_pattern(Path(("acme".into(), 7)), 1), 12);
    assert_eq!(global("acme"), 4);
    assert_eq!(nested::by_relative_path(1, 2), 3);
    assert_eq!(skipped_and_an_id((&Sku("tea".into()), 0)), 3);

    assert_eq!(by_path(3), 3);
    assert_eq!(peek!(by_path(3)).unwrap(), Some(3));
    crash(3);
    assert_eq!(peek!(by_path(3)).unwrap(), None);

    assert_eq!(peek!(global("acme")).unwrap(), Some(4));
    forget();
    assert_eq!(peek!(global("acme")).unwrap(), None);
}
