//! Scopes: the trees that `scopes!` declares, the same levels named at run time, and what evicting each level removes.

use cacheado::{Cache, Error, Hierarchy, Scope, ScopeId, cache, evict, peek, scopes};
use futures::executor::block_on;

scopes! {
    organization(org_id) {
        user(user_id) {
            session(#[secret] session_id) {
                tab(tab_id) {
                    frame(frame_id)
                }
            }
        }
        team(team_id)
    }
    /// A car, for instance.
    car(car_id) {
        door(door_id)
    }
    lone(lone_id)
}

scopes! {
    mod tenancy;
    tenant(tenant_id) {
        member(member_id)
    }
}

mod inner {
    cacheado::scopes! {
        pub(crate) mod places;
        country(country_id) {
            city(city_id)
        }
    }
}

mod deepest {
    cacheado::scopes! {
        pub(crate) mod depths;
        l1(n1) { l2(n2) { l3(n3) { l4(n4) { l5(n5) { l6(n6) { l7(n7) { l8(n8) { l9(n9) { l10(n10) { l11(n11) { l12(n12) } } } } } } } } } } }
    }
}

fn cache() -> Cache {
    Cache::builder().scopes(scope::hierarchy()).build().unwrap()
}

#[cache(cache = cache, skip(cache))]
fn of_everyone(cache: &Cache, x: u8) -> String {
    let _ = cache;
    format!("{x}")
}

#[cache(cache = cache, skip(cache), scope = "organization")]
fn of_organization(org_id: &str, x: u8, cache: &Cache) -> String {
    let _ = cache;
    format!("{org_id} {x}")
}

#[cache(cache = cache, skip(cache), scope = "organization/user")]
async fn of_user(user_id: u64, cache: &Cache, org_id: String, x: u8) -> String {
    let _ = cache;
    format!("{org_id} {user_id} {x}")
}

#[cache(cache = cache, skip(cache), scope = "frame")]
fn of_frame(
    cache: &Cache,
    frame_id: u8,
    tab_id: char,
    session_id: &str,
    user_id: u64,
    org_id: &str,
) -> String {
    let _ = cache;
    format!("{org_id} {user_id} {session_id} {tab_id} {frame_id}")
}

#[cache(cache = cache, skip(cache), scope = "door")]
#[allow(clippy::trivially_copy_pass_by_ref, reason = "an id may be lent, too")]
fn of_door(cache: &Cache, car_id: &u32, door_id: bool) -> String {
    let _ = cache;
    format!("{car_id} {door_id}")
}

/// Stores one entry at each of five levels of two trees, for several tenants.
fn fill(cache: &Cache) {
    for (org, user) in [("acme", 1), ("acme", 2), ("initech", 1)] {
        of_organization(org, 1, cache);
        block_on(of_user(user, cache, org.to_owned(), 1));
        of_frame(cache, 1, 'a', "s", user, org);
        of_frame(cache, 2, 'a', "s", user, org);
        of_frame(cache, 1, 'b', "t", user, org);
    }
    for car in 1..=2 {
        of_door(cache, &car, true);
        of_door(cache, &car, false);
    }
    of_everyone(cache, 1);
}

/// Checks how many entries a scope holds, by listing them and then by evicting them.
fn holds(scope: impl Fn() -> Scope, expected: u64) {
    let cache = cache();
    fill(&cache);
    let total = cache.stats().total_keys;
    assert_eq!(total, 19);
    let listed = cache.keys().scope(scope()).run().unwrap();
    assert_eq!(listed.len() as u64, expected, "listed in {}", scope());
    assert!(listed.iter().all(|key| scope().contains(&key.scope())));
    assert_eq!(cache.evict_by_scope(scope()).run().unwrap(), expected);
    let left = cache.keys().run().unwrap();
    assert_eq!(left.len() as u64, total - expected);
    assert!(!left.iter().any(|key| scope().contains(&key.scope())));
    assert_eq!(cache.evict_by_scope(scope()).run().unwrap(), 0);
    fill(&cache);
    assert_eq!(cache.stats().total_keys, total, "there is room again");
}

#[test]
fn evicting_takes_the_level_and_what_is_below() {
    holds(scope::global, 19);
    holds(|| scope::organization("acme"), 9);
    holds(|| scope::organization("initech"), 5);
    holds(|| scope::user("acme", 1), 4);
    holds(|| scope::session("acme", 2, "s"), 2);
    holds(|| scope::tab("acme", 2, "s", 'a'), 2);
    holds(|| scope::frame("acme", 2, "s", 'a', 2), 1);
    holds(|| scope::car(1), 2);
    holds(|| scope::door(2, false), 1);
}

#[test]
fn evicting_what_holds_nothing_takes_nothing() {
    holds(|| scope::organization("acm"), 0);
    holds(|| scope::organization("acme/user=1"), 0);
    holds(|| scope::team("acme", 1), 0);
    holds(|| scope::user("initech", 2), 0);
    holds(|| scope::session("acme", 1, "a"), 0);
    holds(|| scope::lone("acme"), 0);
    holds(|| scope::car("acme"), 0);
}

#[test]
fn eviction_awaits_as_well() {
    let cache = cache();
    fill(&cache);
    let evicted = block_on(cache.evict_by_scope(scope::user("acme", 1)).into_future());
    assert_eq!(evicted.unwrap(), 4);
}

#[test]
fn scopes_named_at_run_time_equal_typed_ones() {
    let cache = cache();
    let named = |level: &str| {
        let ids = [
            ("frame_id", "2"),
            ("org_id", "acme"),
            ("tab_id", "a"),
            ("user_id", "7"),
            ("session_id", "s"),
            ("car_id", "1"),
            ("door_id", "true"),
            ("unknown", "is passed over"),
        ];
        cache.scope(level, ids).unwrap()
    };
    assert_eq!(named("global"), scope::global());
    assert_eq!(named("organization"), scope::organization("acme"));
    assert_eq!(named("user"), scope::user("acme", 7));
    assert_eq!(named("organization/user"), scope::user("acme", 7_u64));
    assert_eq!(named("session"), scope::session("acme", "7", "s"));
    assert_eq!(named("frame"), scope::frame("acme", 7, "s", 'a', 2));
    assert_eq!(named("car/door"), scope::door(1, true));
    assert_ne!(named("car/door"), scope::door(1, false));
    assert_ne!(named("organization"), scope::car("acme"));

    block_on(of_user(7, &cache, "acme".to_owned(), 1));
    assert_eq!(cache.evict_by_scope(named("user")).run().unwrap(), 1);
}

#[test]
fn ids_of_any_scope_id_type_serve_at_run_time() {
    let cache = cache();
    let numbers = cache.scope("door", [("car_id", 1), ("door_id", 2)]);
    assert_eq!(numbers.unwrap(), scope::door("1", "2"));
    let owned = vec![("car_id".to_owned(), "1".to_owned())];
    assert_eq!(cache.scope("car", owned).unwrap(), scope::car(1));
    let none: [(&str, &str); 0] = [];
    assert_eq!(cache.scope("global", none).unwrap(), Scope::global());
}

#[test]
fn an_unknown_level_is_named_with_those_there_are() {
    let error = cache().scope("usr", [("org_id", "acme")]).unwrap_err();
    assert!(matches!(&error, Error::UnknownLevel { level, .. } if level == "usr"));
    let message = error.to_string();
    for part in ["`usr`", "organization", "organization/user", "car/door"] {
        assert!(message.contains(part), "{message}");
    }
    for level in ["", "/", "user/organization", "organization/", "door/car"] {
        let error = cache().scope(level, [("org_id", "acme")]).unwrap_err();
        assert!(matches!(error, Error::UnknownLevel { .. }), "{level}");
    }
}

#[test]
fn a_missing_parameter_is_named_with_its_level() {
    let given = [("org_id", "acme"), ("userid", "7")];
    let error = cache().scope("session", given).unwrap_err();
    let message = error.to_string();
    for part in ["user_id", "organization/user/session", "`user`"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(matches!(error, Error::MissingParam { param, .. } if param == "user_id"));
}

#[test]
fn a_parameter_that_is_given_twice_is_named() {
    for second in ["globex", "acme"] {
        let given = [("org_id", "acme"), ("user_id", "7"), ("org_id", second)];
        let error = cache().scope("user", given).unwrap_err();
        assert!(
            matches!(&error, Error::RepeatedParam { param, .. } if param == "org_id"),
            "{error}"
        );
        let message = error.to_string();
        for part in ["`org_id`", "`organization/user`", "twice"] {
            assert!(message.contains(part), "{message}");
        }
    }
    // parameters that the level does not use are ignored, even if repeated
    let given = [("org_id", "acme"), ("page", "1"), ("page", "2")];
    let scope = cache().scope("organization", given).unwrap();
    assert_eq!(scope, scope::organization("acme"));
}

#[test]
fn a_cache_without_a_hierarchy_says_how_to_give_it_one() {
    let cache = Cache::builder().build().unwrap();
    let error = cache.scope("user", [("org_id", "acme")]).unwrap_err();
    assert!(error.to_string().contains(".scopes("), "{error}");
    // typed scopes need no hierarchy
    cache.set(1, &1).scope(scope::car(1)).run().unwrap();
    assert_eq!(cache.evict_by_scope(scope::car(1)).run().unwrap(), 1);
}

#[test]
fn a_hierarchy_built_by_hand_equals_the_declared_one() {
    let built = Hierarchy::builder()
        .level("organization", "org_id")
        .level_under("organization", "user", "user_id")
        .level_under("user", "session", "session_id")
        .secret()
        .level("car", "car_id")
        .build()
        .unwrap();
    let ids = [("org_id", "a"), ("user_id", "b"), ("session_id", "c")];
    assert_eq!(built.scope("user", ids).unwrap(), scope::user("a", "b"));
    let session = built.scope("session", ids).unwrap();
    assert_eq!(session, scope::session("a", "b", "c"));
    assert_eq!(session.to_string(), "organization=a/user=b/session=***");
    let levels: Vec<_> = built
        .levels()
        .map(|(level, param)| (level.path(), param))
        .collect();
    let expected = [
        ("organization", "org_id"),
        ("organization/user", "user_id"),
        ("organization/user/session", "session_id"),
        ("car", "car_id"),
    ];
    assert_eq!(levels, expected);
}

#[test]
fn a_hierarchy_of_its_own_has_levels_that_nothing_declares() {
    let hierarchy = Hierarchy::builder()
        .level("shelf", "shelf_id")
        .level_under("shelf", "book", "isbn")
        .build()
        .unwrap();
    let cache = Cache::builder().scopes(hierarchy).build().unwrap();
    let book = |shelf: &str, isbn: &str| cache.scope("book", [("shelf_id", shelf), ("isbn", isbn)]);
    for (shelf, isbn) in [("a", "1"), ("a", "2"), ("b", "1")] {
        let title = isbn.to_owned();
        let set = cache.set("title", &title);
        set.scope(book(shelf, isbn).unwrap()).run().unwrap();
    }
    let shelf = cache.scope("shelf", [("shelf_id", "a")]).unwrap();
    assert_eq!(cache.evict_by_scope(shelf).run().unwrap(), 2);
    let left: Option<String> = cache
        .get("title")
        .scope(book("b", "1").unwrap())
        .run()
        .unwrap();
    assert_eq!(left.as_deref(), Some("1"));
}

#[test]
fn a_hierarchy_without_sense_says_what_is_wrong() {
    let level = |name: &str| Hierarchy::builder().level(name, "id").build();
    let two = |name: &str, param: &str| {
        let builder = Hierarchy::builder().level("one", "one_id");
        builder.level(name, param).build()
    };
    let under = |parent: &str| {
        let builder = Hierarchy::builder().level_under(parent, "child", "child_id");
        builder.level("later", "later_id").build()
    };
    for (built, names) in [
        (level(""), "empty"),
        (level("a/b"), "`a/b`"),
        (level("global"), "`global`"),
        (level("hierarchy"), "`hierarchy`"),
        (Hierarchy::builder().level("one", "").build(), "`one`"),
        (two("one", "other_id"), "`one`"),
        (two("other", "one_id"), "`one_id`"),
        (under("later"), "`later`"),
        (under("nowhere"), "`nowhere`"),
        (under("child"), "`child`"),
        (
            Hierarchy::builder().secret().level("one", "one_id").build(),
            "`secret`",
        ),
    ] {
        let error = built.unwrap_err();
        assert!(matches!(error, Error::Hierarchy { .. }));
        assert!(error.to_string().contains(names), "{error}: {names}");
    }
}

/// Otherwise its entries would be stored under ids that are hashed at one time and not at another, and an eviction would miss some.
#[test]
fn a_level_has_secret_ids_for_all_who_declare_it_or_for_none() {
    let session = |declared: Hierarchy| declared.level("session").unwrap();
    assert!(session(scope::hierarchy()).is_secret());
    let users = Hierarchy::builder()
        .level("organization", "org_id")
        .level_under("organization", "user", "user_id");
    let sessions = users.level_under("user", "session", "session_id");
    let error = sessions.clone().build().unwrap_err();
    assert!(matches!(error, Error::Hierarchy { .. }));
    let message = error.to_string();
    for part in ["`organization/user/session`", "with secret ids"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(sessions.secret().build().is_ok());

    let lockers = Hierarchy::builder().level("locker", "locker_id");
    let open = lockers.clone().build().unwrap();
    let error = lockers.clone().secret().build().unwrap_err();
    assert!(error.to_string().contains("without secret ids"), "{error}");
    assert!(!open.level("locker").unwrap().is_secret());
    assert!(lockers.build().is_ok());
}

#[test]
fn an_empty_hierarchy_has_the_root_alone() {
    let hierarchy = Hierarchy::builder().build().unwrap();
    let none: [(&str, &str); 0] = [];
    assert_eq!(hierarchy.scope("global", none).unwrap(), Scope::global());
    assert!(hierarchy.scope("user", none).is_err());
}

/// Ids are printed for people: quoted where they could mislead, and left out where they are secret.
#[test]
fn a_scope_prints_its_path() {
    assert_eq!(scope::global().to_string(), "global");
    assert_eq!(
        scope::user("acme", 7).to_string(),
        "organization=acme/user=7"
    );
    let crafted = scope::user("acme/user=8", "").to_string();
    assert_eq!(crafted, "organization=\"acme/user=8\"/user=\"\"");
    let secret = scope::tab("acme", 7, "hush", 'x');
    for shown in [secret.to_string(), format!("{secret:?}")] {
        assert!(!shown.contains("hush"), "{shown}");
        assert!(shown.contains("session=***/tab=x"), "{shown}");
    }
}

#[cache(
    cache = cache,
    skip(cache),
    scope("session", org_id = org, user_id = (user), session_id = &token),
)]
fn by_token(cache: &Cache, org: &str, user: u64, token: String, page: u8) -> String {
    let _ = cache;
    format!("{org} {user} {token} {page}")
}

/// Whatever its name, such an argument is in the key once, by the scope.
#[test]
fn an_argument_that_is_given_as_an_id_is_told_from_others() {
    let cache = cache();
    let calls = [
        ("acme", 1, "s", 1),
        ("initech", 1, "s", 1),
        ("acme", 2, "s", 1),
        ("acme", 1, "t", 1),
        ("acme", 1, "s", 2),
    ];
    for (nth, (org, user, token, page)) in calls.into_iter().enumerate() {
        let call = || by_token(&cache, org, user, token.to_owned(), page);
        assert_eq!(call(), format!("{org} {user} {token} {page}"));
        assert_eq!(call(), call());
        assert_eq!(cache.stats().total_keys, nth as u64 + 1);
    }
    let session = scope::session("acme", 1, "s");
    let listed = cache.keys().scope(session.clone()).run().unwrap();
    let mut shown: Vec<_> = listed.iter().map(ToString::to_string).collect();
    shown.sort();
    assert!(shown[0].ends_with("by_token(1)"), "{shown:?}");
    assert!(shown[1].ends_with("by_token(2)"), "{shown:?}");
    assert_eq!(cache.evict_by_scope(session).run().unwrap(), 2);
}

#[test]
fn a_secret_id_shows_in_no_listing_and_no_error() {
    let cache = cache();
    of_frame(&cache, 1, 'a', "hush", 1, "acme");
    by_token(&cache, "acme", 1, "hush".to_owned(), 1);
    let session = || scope::session("acme", 1, "hush");
    cache.set("key", &1_u8).scope(session()).run().unwrap();
    let mut shown: Vec<_> = cache
        .keys()
        .run()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    shown.push(format!("{:?}", cache.keys().run().unwrap()));
    shown.push(
        cache
            .get::<u16>("key")
            .scope(session())
            .run()
            .unwrap_err()
            .to_string(),
    );
    shown.push(cache.stats().to_string());
    for text in shown {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[cache(cache = cache, skip(cache), scope = "organization")]
#[allow(non_snake_case)]
fn by_pattern(cache: &Cache, (org_id, N): (String, u32)) -> String {
    let _ = cache;
    format!("{org_id} {N}")
}

#[test]
fn what_a_pattern_binds_beside_an_id_is_in_the_key() {
    let cache = cache();
    for n in [1, 2] {
        let pair = ("acme".to_owned(), n);
        assert_eq!(by_pattern(&cache, pair.clone()), format!("acme {n}"));
        assert!(peek!(by_pattern(&cache, pair)).unwrap().is_some());
    }
    let organization = scope::organization("acme");
    assert_eq!(cache.evict_by_scope(organization).run().unwrap(), 2);
}

struct Context {
    org: String,
}

#[cache(
    cache = cache,
    skip(cache, context),
    scope("user", org_id = context.org, user_id = id * 10),
)]
fn by_expression(cache: &Cache, context: &Context, id: u32) -> String {
    let _ = cache;
    format!("{} {id}", context.org)
}

#[cache(cache = cache, skip(cache), scope("user", org_id = "acme"))]
async fn half_by_name(cache: &Cache, user_id: &str, x: u8) -> String {
    let _ = cache;
    format!("{user_id} {x}")
}

#[test]
fn ids_can_be_named_by_expressions() {
    let cache = cache();
    let context = |org: &str| Context {
        org: org.to_owned(),
    };
    let (acme, initech) = (context("acme"), context("initech"));
    for _ in 0..2 {
        assert_eq!(by_expression(&cache, &acme, 1), "acme 1");
        assert_eq!(by_expression(&cache, &initech, 1), "initech 1");
        assert_eq!(block_on(half_by_name(&cache, "10", 3)), "10 3");
    }
    assert_eq!(cache.stats().hits, 3);
    assert_eq!(
        cache.evict_by_scope(scope::user("acme", 10)).run().unwrap(),
        2
    );
    assert_eq!(peek!(by_expression(&cache, &acme, 1)).unwrap(), None);
    assert!(evict!(by_expression(&cache, &initech, 1)).unwrap());
}

/// An argument used in an expression stays part of the key, since it is no plain id.
#[test]
fn arguments_in_expressions_still_count() {
    #[cache(cache = cache, skip(cache), scope("car", car_id = number % 2))]
    fn parity(cache: &Cache, number: u32) -> u32 {
        let _ = cache;
        number
    }

    let cache = cache();
    assert_eq!((parity(&cache, 1), parity(&cache, 3)), (1, 3));
    assert_eq!((parity(&cache, 1), parity(&cache, 3)), (1, 3));
    assert_eq!(cache.evict_by_scope(scope::car(1)).run().unwrap(), 2);
}

#[cache(cache = cache, skip(cache), scope = "member", scopes = tenancy)]
fn of_member(cache: &Cache, tenant_id: &str, member_id: u8) -> String {
    let _ = cache;
    format!("{tenant_id} {member_id}")
}

#[cache(cache = cache, skip(cache), scope("city", country_id = "it"), scopes = crate::inner::places)]
fn of_city(cache: &Cache, city_id: &str) -> String {
    let _ = cache;
    city_id.to_owned()
}

#[test]
fn the_module_of_the_scopes_can_be_named() {
    let cache = Cache::builder()
        .scopes(tenancy::hierarchy())
        .build()
        .unwrap();
    assert_eq!(of_member(&cache, "acme", 1), "acme 1");
    assert_eq!(of_city(&cache, "rome"), "rome");
    let tenant = cache.scope("tenant", [("tenant_id", "acme")]).unwrap();
    assert_eq!(tenant, tenancy::tenant("acme"));
    assert_eq!(cache.evict_by_scope(tenant).run().unwrap(), 1);
    let italy = inner::places::country("it");
    assert_eq!(cache.evict_by_scope(italy).run().unwrap(), 1);
}

/// Two declarations with the same level names mean the same levels, whoever declares them.
#[test]
fn levels_are_known_by_their_path() {
    let by_hand = Hierarchy::builder()
        .level("tenant", "any_name")
        .build()
        .unwrap();
    let tenant = by_hand.scope("tenant", [("any_name", "acme")]).unwrap();
    assert_eq!(tenant, tenancy::tenant("acme"));
}

struct OrgId(u32);

impl std::fmt::Display for OrgId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "org-{}", self.0)
    }
}

impl ScopeId for OrgId {}

#[cache(cache = cache, skip(cache), scope = "organization")]
fn of_newtype(cache: &Cache, org_id: &OrgId) -> u32 {
    let _ = cache;
    org_id.0
}

#[test]
fn a_newtype_is_an_id_by_one_line() {
    let cache = cache();
    assert_eq!(of_newtype(&cache, &OrgId(7)), 7);
    assert_eq!(of_newtype(&cache, &OrgId(8)), 8);
    assert_eq!(
        cache
            .evict_by_scope(scope::organization("org-7"))
            .run()
            .unwrap(),
        1
    );
    assert_eq!(peek!(of_newtype(&cache, &OrgId(8))).unwrap(), Some(8));
}

struct Unprintable;

impl std::fmt::Display for Unprintable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Err(std::fmt::Error)
    }
}

impl ScopeId for Unprintable {}

#[cache(cache = cache, skip(cache), scope("organization", org_id = Unprintable))]
fn of_unprintable(cache: &Cache, n: u32) -> u32 {
    let _ = cache;
    n
}

/// No call would find the entry, and it would stay.
#[test]
fn nothing_is_stored_under_an_id_that_cant_be_printed() {
    let cache = cache();
    for n in [1, 1, 2] {
        assert_eq!(of_unprintable(&cache, n), n);
    }
    let set = cache
        .set("plan", &1_u32)
        .scope(scope::organization(Unprintable));
    let message = set.run().unwrap_err().to_string();
    assert!(message.contains("`Display` of a scope id"), "{message}");
    let stats = cache.stats();
    assert_eq!((stats.total_keys, stats.key_errors), (0, 3));
}

/// Ids come from users, who may know or guess the id of the process and how often printing has failed.
#[test]
fn what_stands_for_an_id_that_cant_be_printed_is_nobody_elses() {
    let cache = cache();
    let guess = |nth| format!("\0failed:{}:{nth}", std::process::id());
    for nth in 0..1_000 {
        let set = cache
            .set("plan", &1_u32)
            .scope(scope::organization(guess(nth)));
        set.run().unwrap();
    }
    let get = |scope: Scope| cache.get::<u32>("plan").scope(scope).run().unwrap();
    assert_eq!(get(scope::organization(guess(0))), Some(1));
    assert_eq!(get(scope::organization(Unprintable)), None);
}

/// Twelve levels are the most.
#[test]
fn the_deepest_scope_tells_all_its_ids_apart() {
    #[cache(cache = cache, skip(cache), scope = "l12", scopes = deepest::depths)]
    #[expect(clippy::too_many_arguments, reason = "one for each level")]
    fn deep(
        cache: &Cache,
        n1: u8,
        n2: &str,
        n3: u8,
        n4: String,
        n5: u8,
        n6: i64,
        n7: u8,
        n8: bool,
        n9: u8,
        n10: char,
        n11: u8,
        n12: u128,
        arg: u8,
    ) -> String {
        format!("{n1}{n2}{n3}{n4}{n5}{n6}{n7}{n8}{n9}{n10}{n11}{n12}{arg}")
    }
    let cache = cache();
    let ask = |ids: [u8; 12]| {
        let [n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12] = ids;
        deep(
            &cache,
            n1,
            &n2.to_string(),
            n3,
            n4.to_string(),
            n5,
            n6.into(),
            n7,
            n8 == 1,
            n9,
            char::from(b'0' + n10),
            n11,
            n12.into(),
            0,
        )
    };
    let zeros = [0; 12];
    ask(zeros);
    for place in 0..12 {
        let mut ids = zeros;
        ids[place] = 1;
        assert_ne!(ask(ids), ask(zeros));
    }
    assert_eq!((cache.stats().total_keys, cache.stats().misses), (13, 13));
    let first = deepest::depths::l1(0);
    assert_eq!(cache.evict_by_scope(first).run().unwrap(), 12);
}
