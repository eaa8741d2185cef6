//! Keys: distinct calls never share an entry, equal calls always do, and evicting a scope removes exactly that scope and everything
//! below it, whatever characters ids and arguments contain.

#![allow(
    clippy::many_single_char_names,
    clippy::option_option,
    reason = "shapes that a key must tell apart"
)]
#![allow(
    clippy::mutable_key_type,
    reason = "what a scope's level caches is no part of its hash"
)]

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::Ipv4Addr;

use cacheado::{Cache, Error, Key, Scope, ScopeId, cache, cache_impl, evict, peek, scopes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use uuid::Uuid;

scopes! {
    organization(org_id) {
        user(user_id) {
            session(session_id)
        }
        team(team_id)
    }
    car(car_id) {
        door(door_id)
    }
}

fn cache() -> Cache {
    Cache::builder()
        .scopes(scope::hierarchy())
        .build()
        .expect("a cache without options")
}

/// A place in the hierarchy, in the model: the names of the levels along the path and the ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place(Vec<(&'static str, String)>);

impl Place {
    fn scope(&self) -> Scope {
        let ids: Vec<&str> = self.0.iter().map(|(_, id)| id.as_str()).collect();
        match (self.0.last().map(|(level, _)| *level), ids.as_slice()) {
            (None, []) => scope::global(),
            (Some("organization"), [org]) => scope::organization(org),
            (Some("user"), [org, user]) => scope::user(org, user),
            (Some("team"), [org, team]) => scope::team(org, team),
            (Some("session"), [org, user, session]) => scope::session(org, user, session),
            (Some("car"), [car]) => scope::car(car),
            (Some("door"), [car, door]) => scope::door(car, door),
            other => unreachable!("{other:?}"),
        }
    }

    fn holds(&self, other: &Place) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// Similar ids: an encoding that joins parts ambiguously makes them collide.
fn id() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/"),
        Just(":"),
        Just("\0"),
        Just("\u{1}"),
        Just("a"),
        Just("1"),
        Just("0"),
        Just("é"),
        Just("e\u{301}"),
        Just("user"),
        Just("="),
        Just("%2F"),
        Just("\\"),
        Just("日本"),
    ];
    prop_oneof![
        8 => vec(piece, 0..4).prop_map(|pieces| pieces.concat()),
        // lengths whose low bits agree, and lengths that take more than one byte to encode
        1 => prop_oneof![Just(127_usize), Just(128), Just(256), Just(10_240)]
            .prop_map(|len| "a".repeat(len)),
        1 => any::<String>(),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    let chain = prop_oneof![
        Just(&[][..]),
        Just(&["organization"][..]),
        Just(&["organization", "user"][..]),
        Just(&["organization", "team"][..]),
        Just(&["organization", "user", "session"][..]),
        Just(&["car"][..]),
        Just(&["car", "door"][..]),
    ];
    (chain, vec(id(), 3))
        .prop_map(|(levels, ids)| Place(levels.iter().copied().zip(ids).collect::<Vec<_>>()))
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Name(String);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Title(String);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Sentinel;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Point(u8, u8);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Size(u8, u8);

/// Serializes as bytes, not as a sequence of numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
struct Filter {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
enum Shape {
    Empty,
    Void,
    One(u8),
    Uno(u8),
    Two(u8, u8),
    Named { x: u8, y: u8 },
    Nested(Box<Shape>),
}

/// A value of any shape. It serializes as its content, without a tag, so only what a key records of each shape distinguishes the
/// variants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
enum Part {
    I8(i8),
    I32(i32),
    I64(i64),
    I128(i128),
    U8(u8),
    U32(u32),
    U64(u64),
    U128(u128),
    Bool(bool),
    Char(char),
    Text(String),
    Unit,
    UnitStruct(Marker),
    OtherUnitStruct(Sentinel),
    Point(Point),
    Size(Size),
    Blob(Blob),
    Option(Option<Option<u8>>),
    Name(Name),
    Title(Title),
    Pair(String, String),
    Single((String,)),
    Texts(Vec<String>),
    Numbers(Vec<u8>),
    Lists(Vec<Vec<u8>>),
    Map(BTreeMap<String, u8>),
    Filter(Filter),
    Shape(Shape),
}

fn shape() -> impl Strategy<Value = Shape> {
    let small = 0_u8..3;
    let leaf = prop_oneof![
        Just(Shape::Empty),
        Just(Shape::Void),
        small.clone().prop_map(Shape::One),
        small.clone().prop_map(Shape::Uno),
        (small.clone(), small.clone()).prop_map(|(x, y)| Shape::Two(x, y)),
        (small.clone(), small).prop_map(|(x, y)| Shape::Named { x, y }),
    ];
    leaf.prop_recursive(2, 3, 1, |inner| {
        inner.prop_map(|shape| Shape::Nested(Box::new(shape)))
    })
}

fn part() -> impl Strategy<Value = Part> {
    let small = 0_u8..3;
    let maybe = proptest::option::of(0_u8..2);
    prop_oneof![
        any::<i8>().prop_map(Part::I8),
        (-2..3_i32).prop_map(Part::I32),
        (-2..3_i64).prop_map(Part::I64),
        (-2..3_i128).prop_map(Part::I128),
        small.clone().prop_map(Part::U8),
        (0..3_u32).prop_map(Part::U32),
        (0..3_u64).prop_map(Part::U64),
        (0..3_u128).prop_map(Part::U128),
        any::<bool>().prop_map(Part::Bool),
        prop_oneof![Just('a'), Just('1'), Just('\0')].prop_map(Part::Char),
        id().prop_map(Part::Text),
        Just(Part::Unit),
        Just(Part::UnitStruct(Marker)),
        Just(Part::OtherUnitStruct(Sentinel)),
        (small.clone(), small.clone()).prop_map(|(x, y)| Part::Point(Point(x, y))),
        (small.clone(), small.clone()).prop_map(|(x, y)| Part::Size(Size(x, y))),
        id().prop_map(|text| Part::Blob(Blob(text.into_bytes()))),
        proptest::option::of(maybe.clone()).prop_map(Part::Option),
        id().prop_map(|text| Part::Name(Name(text))),
        id().prop_map(|text| Part::Title(Title(text))),
        (id(), id()).prop_map(|(one, two)| Part::Pair(one, two)),
        id().prop_map(|one| Part::Single((one,))),
        // serde serializes all empty sequences alike, whatever their element type, so only one kind may be empty
        vec(id(), 0..3).prop_map(Part::Texts),
        vec(small.clone(), 1..3).prop_map(Part::Numbers),
        vec(vec(small, 0..3), 1..3).prop_map(Part::Lists),
        proptest::collection::btree_map(id(), 0_u8..2, 0..3).prop_map(Part::Map),
        (maybe.clone(), maybe, id())
            .prop_map(|(from, until, text)| { Part::Filter(Filter { from, until, text }) }),
        shape().prop_map(Part::Shape),
    ]
}

/// The same cases in each run.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(0x5C0_9E5),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn arguments() -> impl Strategy<Value = Vec<Part>> {
    vec(part(), 1..3)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn distinct_programmatic_keys_never_share(calls in vec((place(), part()), 1..40)) {
        let cache = cache();
        let mut model: HashMap<(Place, Part), usize> = HashMap::new();
        for (nth, (place, part)) in calls.iter().enumerate() {
            let known = model.get(&(place.clone(), part.clone()));
            let found: Option<usize> = cache.get(part).scope(place.scope()).run()?;
            prop_assert_eq!(found.as_ref(), known, "{:?} {:?}", place, part);
            prop_assert!(cache.set(part, &nth).scope(place.scope()).run()?);
            model.insert((place.clone(), part.clone()), nth);
        }
        for ((place, part), nth) in &model {
            let found: Option<usize> = cache.get(part).scope(place.scope()).run()?;
            prop_assert_eq!(found, Some(*nth), "{:?} {:?}", place, part);
        }
        prop_assert_eq!(cache.stats().total_keys, model.len() as u64);
        prop_assert_eq!(cache.keys().run()?.len(), model.len());
    }

    #[test]
    fn distinct_calls_of_functions_never_share(
        calls in vec((0..3_u8, id(), id(), id(), arguments()), 1..40),
    ) {
        let cache = cache();
        let mut seen = HashSet::new();
        for (function, one, two, three, parts) in &calls {
            let fresh = seen.insert(match function {
                0 => (0, vec![one], vec![two, three], parts),
                1 => (1, vec![one, two], vec![three], parts),
                _ => (2, vec![one, two, three], vec![], parts),
            });
            let loads = cache.stats().loads;
            let expected = format!("{function} {one:?} {two:?} {three:?} {parts:?}");
            let answer = match function {
                0 => of_organization(&cache, one, two, three, parts),
                1 => of_user(&cache, one, two, three, parts),
                _ => of_session(&cache, one, two, three, parts),
            };
            prop_assert_eq!(answer, expected);
            prop_assert_eq!(cache.stats().loads - loads, u64::from(fresh), "loads iff it is new");
        }
        prop_assert_eq!(cache.stats().total_keys, seen.len() as u64);
    }

    #[test]
    fn evicting_a_scope_takes_it_and_what_is_below_and_nothing_else(
        calls in vec((place(), part()), 1..40),
        evictions in vec((any::<prop::sample::Index>(), 0..4_usize), 1..6),
    ) {
        let cache = cache();
        let mut model: HashMap<(Place, Part), usize> = HashMap::new();
        for (nth, (place, part)) in calls.iter().enumerate() {
            prop_assert!(cache.set(part, &nth).scope(place.scope()).run()?);
            model.insert((place.clone(), part.clone()), nth);
        }
        for (of, depth) in evictions {
            // a scope that holds something, or one above it
            let mut evicted = of.get(&calls).0.clone();
            evicted.0.truncate(depth);
            let before = model.len();
            model.retain(|(place, _), _| !evicted.holds(place));
            let count = cache.evict_by_scope(evicted.scope()).run()?;
            prop_assert_eq!(count, (before - model.len()) as u64, "{:?}", evicted);
            for (place, part) in &calls {
                let found: Option<usize> = cache.get(part).scope(place.scope()).run()?;
                let expected = model.get(&(place.clone(), part.clone()));
                prop_assert_eq!(found.as_ref(), expected, "{:?} {:?} after {:?}", place, part, evicted);
            }
            prop_assert_eq!(cache.stats().total_keys, model.len() as u64);
        }
    }

    #[test]
    fn evicting_a_key_takes_that_key_and_nothing_else(
        calls in vec((place(), part()), 1..30),
        evictions in vec((place(), part()), 1..10),
    ) {
        let cache = cache();
        let mut model = HashSet::new();
        for (place, part) in &calls {
            cache.set(part, &0_u8).scope(place.scope()).run()?;
            model.insert((place, part));
        }
        for (place, part) in evictions.iter().chain(calls.iter().step_by(3)) {
            let evicted = cache.evict(part).scope(place.scope()).run()?;
            prop_assert_eq!(evicted, model.remove(&(place, part)));
            prop_assert_eq!(cache.stats().total_keys, model.len() as u64);
        }
    }

    #[test]
    fn the_listed_keys_know_their_scope(places in vec(place(), 1..20)) {
        let cache = cache();
        for place in &places {
            cache.set("here", &0_u8).scope(place.scope()).run()?;
        }
        let listed: HashSet<Scope> = cache.keys().run()?.iter().map(cacheado::Key::scope).collect();
        let expected: HashSet<Scope> = places.iter().map(Place::scope).collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn a_float_is_its_bits(bits in vec(prop_oneof![
        any::<u64>(),
        Just(0.0_f64.to_bits()),
        Just((-0.0_f64).to_bits()),
        Just(f64::NAN.to_bits()),
        Just(f64::NAN.to_bits() | 1),
        Just(f64::INFINITY.to_bits()),
    ], 1..20)) {
        let cache = cache();
        let mut seen = HashSet::new();
        for bits in bits {
            let loads = cache.stats().loads;
            prop_assert_eq!(float(&cache, f64::from_bits(bits)), bits);
            prop_assert_eq!(cache.stats().loads - loads, u64::from(seen.insert(bits)));
        }
    }

    #[test]
    fn the_order_of_a_hash_map_does_not_matter(
        pairs in proptest::collection::hash_map(id(), id(), 0..20),
        capacity in 0..200_usize,
    ) {
        let cache = cache();
        let mut backwards: Vec<_> = pairs.clone().into_iter().collect();
        backwards.sort();
        backwards.reverse();
        let mut other = HashMap::with_capacity(capacity);
        other.extend(backwards);
        mapped(&cache, &pairs);
        mapped(&cache, &other);
        prop_assert_eq!(cache.stats().loads, 1);

        let name = "one more \u{7f}".to_owned();
        if let Entry::Vacant(vacant) = other.entry(name) {
            vacant.insert(String::new());
            mapped(&cache, &other);
            prop_assert_eq!(cache.stats().loads, 2);
        }
    }
}

#[cache(cache = cache, skip(cache), scope = "organization", key = (two, three, parts))]
fn of_organization(cache: &Cache, org_id: &str, two: &str, three: &str, parts: &[Part]) -> String {
    format!("0 {org_id:?} {two:?} {three:?} {parts:?}")
}

#[cache(cache = cache, skip(cache), scope = "user")]
fn of_user(cache: &Cache, org_id: &str, user_id: &str, three: &str, parts: &[Part]) -> String {
    format!("1 {org_id:?} {user_id:?} {three:?} {parts:?}")
}

#[cache(cache = cache, skip(cache), scope = "session")]
fn of_session(
    cache: &Cache,
    org_id: &str,
    user_id: &str,
    session_id: &str,
    parts: &[Part],
) -> String {
    format!("2 {org_id:?} {user_id:?} {session_id:?} {parts:?}")
}

#[cache(cache = cache, skip(cache))]
fn float(cache: &Cache, value: f64) -> u64 {
    value.to_bits()
}

#[cache(cache = cache, skip(cache))]
fn mapped(cache: &Cache, map: &HashMap<String, String>) -> usize {
    map.len()
}

#[test]
fn one_is_not_a_prefix_of_ten() {
    let cache = cache();
    for org in ["1", "10", "1/0", "1:0", "1\0", "", "11"] {
        cache
            .set("settings", &org.to_owned())
            .scope(scope::organization(org))
            .run()
            .unwrap();
        cache
            .set("settings", &org.to_owned())
            .scope(scope::user(org, "1"))
            .run()
            .unwrap();
    }
    assert_eq!(
        cache.evict_by_scope(scope::organization(1)).run().unwrap(),
        2
    );
    assert_eq!(
        cache.evict_by_scope(scope::organization("")).run().unwrap(),
        2
    );
    assert_eq!(cache.stats().total_keys, 10);
    for org in ["10", "1/0", "1:0", "1\0", "11"] {
        let found: Option<String> = cache
            .get("settings")
            .scope(scope::user(org, "1"))
            .run()
            .unwrap();
        assert_eq!(found.as_deref(), Some(org));
    }
}

#[test]
fn a_boundary_between_ids_is_no_text() {
    let cache = cache();
    let pairs = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc", ""),
        ("", "abc"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("a\0b", "c"),
        ("a", "b\0c"),
        ("\u{1}a", ""),
        ("", "\u{1}a"),
    ];
    for (nth, (org, user)) in pairs.into_iter().enumerate() {
        let fresh = of_user(&cache, org, user, "", &[]);
        assert_eq!(fresh, format!("1 {org:?} {user:?} \"\" []"));
        assert_eq!(cache.stats().total_keys, nth as u64 + 1);
    }
}

#[test]
fn ids_of_ten_kilobytes_are_whole() {
    let cache = cache();
    let long = "x".repeat(10_240);
    let ids = [
        long.clone(),
        format!("{long}y"),
        format!("{long}z"),
        format!("y{}", &long[1..]),
        long[1..].to_owned(),
    ];
    for id in &ids {
        let value = format!("{} {:?}", id.len(), id.chars().last());
        let scope = scope::session("acme", id, id);
        cache.set(id, &value).scope(scope).run().unwrap();
    }
    for id in &ids {
        let scope = scope::session("acme", id, id);
        let found: Option<String> = cache.get(id).scope(scope).run().unwrap();
        assert_eq!(found, Some(format!("{} {:?}", id.len(), id.chars().last())));
    }
    let evicted = cache.evict_by_scope(scope::user("acme", &ids[0])).run();
    assert_eq!(evicted.unwrap(), 1);
    assert_eq!(cache.stats().total_keys, 4);
}

/// Composed and decomposed letters look alike but are different ids.
#[test]
fn text_that_looks_alike_is_not_equal() {
    let cache = cache();
    for id in ["é", "e\u{301}", "E\u{301}", "É", "e"] {
        of_user(&cache, "acme", id, id, &[]);
    }
    assert_eq!(cache.stats().loads, 5);
}

#[test]
fn a_number_and_its_text_are_one_scope_id() {
    let cache = cache();
    cache
        .set("settings", &1_u8)
        .scope(scope::user("acme", 7_u64))
        .run()
        .unwrap();
    let same = [
        scope::user("acme", "7"),
        scope::user("acme", 7_i8),
        scope::user("acme", '7'),
        scope::user("acme", 7_u128),
        scope::user("acme", UserId(7)),
        scope::user(String::from("acme"), Box::new(7)),
    ];
    for scope in same {
        assert_eq!(
            cache.get("settings").scope(scope).run().unwrap(),
            Some(1_u8)
        );
    }
    for other in ["07", "+7", "7.0", " 7", "７"] {
        let scope = scope::user("acme", other);
        assert_eq!(
            cache.get::<u8>("settings").scope(scope).run().unwrap(),
            None
        );
    }
}

#[derive(Clone, Copy)]
struct UserId(u64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl ScopeId for UserId {}

#[cache(cache = cache, skip(cache), scope = "user")]
fn of_typed_user(cache: &Cache, org_id: Uuid, user_id: UserId) -> String {
    format!("{org_id} {user_id}")
}

#[test]
fn ids_of_other_types_are_their_text() {
    let cache = cache();
    let org = Uuid::from_u128(0xACE);
    for user in [0, 7, u64::MAX] {
        let answer = of_typed_user(&cache, org, UserId(user));
        assert_eq!(answer, format!("{org} {user}"));
    }
    assert_eq!(cache.stats().total_keys, 3);
    let evict = |scope| cache.evict_by_scope(scope).run().unwrap();
    assert_eq!(evict(scope::user(org, u64::MAX.to_string())), 1);
    assert_eq!(
        evict(scope::organization(org.to_string().to_uppercase())),
        0
    );
    assert_eq!(evict(scope::organization(org.to_string())), 2);
}

#[test]
fn the_smallest_and_largest_integers_are_ids() {
    let cache = cache();
    let ids = [
        i128::MIN,
        i128::from(i64::MIN),
        -1,
        0,
        i128::from(u64::MAX),
        i128::MAX,
    ];
    for id in ids {
        cache.set("k", &id).scope(scope::car(id)).run().unwrap();
    }
    for id in ids {
        let scope = scope::car(id.to_string());
        assert_eq!(cache.get("k").scope(scope).run().unwrap(), Some(id));
    }
}

#[test]
fn an_argument_keeps_its_type() {
    let cache = cache();
    cache.set(1, &"number".to_owned()).run().unwrap();
    cache.set("1", &"text".to_owned()).run().unwrap();
    cache.set('1', &"letter".to_owned()).run().unwrap();
    cache.set(1.0, &"float".to_owned()).run().unwrap();
    cache.set(Some(1), &"option".to_owned()).run().unwrap();
    cache.set((1,), &"tuple".to_owned()).run().unwrap();
    let get = |found: cacheado::Result<Option<String>>| found.unwrap().unwrap();
    assert_eq!(get(cache.get(1).run()), "number");
    assert_eq!(get(cache.get("1").run()), "text");
    assert_eq!(get(cache.get('1').run()), "letter");
    assert_eq!(get(cache.get(1.0).run()), "float");
    assert_eq!(get(cache.get(Some(1)).run()), "option");
    assert_eq!(get(cache.get((1,)).run()), "tuple");
}

/// Each part makes a key of its own beside all others.
#[test]
fn shapes_that_hold_the_same_are_told_apart() {
    let cache = cache();
    let text = || "a".to_owned();
    let parts = [
        Part::Unit,
        Part::UnitStruct(Marker),
        Part::OtherUnitStruct(Sentinel),
        Part::Bool(false),
        Part::Bool(true),
        Part::Option(None),
        Part::Option(Some(None)),
        Part::Shape(Shape::Empty),
        Part::Shape(Shape::Void),
        Part::Text(text()),
        Part::Blob(Blob(text().into_bytes())),
        Part::Name(Name(text())),
        Part::Title(Title(text())),
        Part::Single((text(),)),
        Part::Texts(vec![text()]),
        Part::Numbers(vec![1, 2]),
        Part::Numbers(vec![1]),
        Part::U8(1),
        Part::Shape(Shape::One(1)),
        Part::Shape(Shape::Uno(1)),
        Part::Point(Point(1, 2)),
        Part::Size(Size(1, 2)),
        Part::Shape(Shape::Two(1, 2)),
        Part::Shape(Shape::Named { x: 1, y: 2 }),
        Part::Shape(Shape::Nested(Box::new(Shape::One(1)))),
    ];
    for (nth, part) in parts.iter().enumerate() {
        cache.set(part, &nth).run().unwrap();
    }
    for (nth, part) in parts.iter().enumerate() {
        assert_eq!(cache.get(part).run().unwrap(), Some(nth), "{part:?}");
    }
    let shown: Vec<_> = cache.keys().run().unwrap();
    let shown: HashSet<_> = shown.iter().map(Key::args).collect();
    assert_eq!(shown.len(), parts.len());
}

/// Arguments serialize as for a binary format, so the form printed for people makes another key.
#[test]
fn a_type_is_asked_for_its_compact_form() {
    let cache = cache();
    let home = Ipv4Addr::LOCALHOST;
    cache.set(home, &1_u8).run().unwrap();
    assert_eq!(cache.get::<u8>(home).run().unwrap(), Some(1));
    assert_eq!(cache.get::<u8>(home.octets()).run().unwrap(), Some(1));
    assert_eq!(cache.get::<u8>(home.to_string()).run().unwrap(), None);
}

#[cache(cache = cache, skip(cache))]
fn one_of(cache: &Cache, x: u8) -> u8 {
    x
}

#[cache(cache = cache, skip(cache))]
fn other_of(cache: &Cache, x: u8) -> u8 {
    x + 1
}

/// Code that keeps keys, such as a rule, can tell by each key what it belongs to.
#[test]
fn keys_of_two_functions_are_never_equal() {
    let cache = cache();
    one_of(&cache, 1);
    other_of(&cache, 1);
    let keys = cache.keys().run().unwrap();
    let [one, other] = &keys[..] else {
        panic!("{keys:?}");
    };
    assert_eq!(one.args(), other.args());
    assert!(one != other && one.space() != other.space());
    assert!(one == &one.clone() && one.space() == one.clone().space());
    assert_eq!(keys.iter().cloned().collect::<HashSet<_>>().len(), 2);
}

/// A reference to a value makes the same key as the value.
#[test]
fn borrowed_and_owned_arguments_are_equal() {
    let cache = cache();
    cache.set("name", &1_u8).run().unwrap();
    assert_eq!(cache.get(String::from("name")).run().unwrap(), Some(1_u8));
    assert_eq!(cache.get(Box::new("name")).run().unwrap(), Some(1_u8));
    assert_eq!(cache.get(&&"name").run().unwrap(), Some(1_u8));
    cache.set(vec![1, 2], &2_u8).run().unwrap();
    assert_eq!(cache.get(&[1, 2][..]).run().unwrap(), Some(2_u8));
}

/// The scope path is separate from the arguments, and arguments are no part of it.
#[test]
fn what_is_an_id_here_is_an_argument_there() {
    let cache = cache();
    let acme = || scope::organization("acme");
    cache.set(("acme", 7), &0_u8).run().unwrap();
    cache.set(7, &1_u8).scope(acme()).run().unwrap();
    cache.set("7", &2_u8).scope(acme()).run().unwrap();
    cache
        .set((), &3_u8)
        .scope(scope::user("acme", 7))
        .run()
        .unwrap();
    cache
        .set((), &4_u8)
        .scope(scope::team("acme", 7))
        .run()
        .unwrap();
    assert_eq!(cache.stats().total_keys, 5);
    let user = cache.get::<u8>(()).scope(scope::user("acme", 7)).run();
    assert_eq!(user.unwrap(), Some(3));
    let team = cache.get::<u8>(()).scope(scope::team("acme", 7)).run();
    assert_eq!(team.unwrap(), Some(4));
}

#[derive(Serialize)]
struct Query {
    text: String,
    #[serde(skip)]
    request_id: u64,
}

#[cache(cache = cache, skip(cache))]
fn search(cache: &Cache, query: Query) -> String {
    format!("{} {}", query.text, query.request_id)
}

#[test]
fn a_field_that_serde_skips_is_no_part_of_a_key() {
    let cache = cache();
    let query = |text: &str, request_id| Query {
        text: text.to_owned(),
        request_id,
    };
    assert_eq!(search(&cache, query("a", 1)), "a 1");
    assert_eq!(search(&cache, query("a", 2)), "a 1");
    assert_eq!(search(&cache, query("b", 2)), "b 2");
}

struct Repository {
    tenant: String,
    cache: Cache,
}

#[cache_impl]
impl Repository {
    #[cache(cache = self.cache, scope("organization", org_id = self.tenant))]
    fn title(&self, id: u32) -> String {
        format!("{} {id}", self.tenant)
    }

    #[cache(cache = self.cache, key = (&self.tenant, id))]
    fn keyed(&self, id: u32) -> String {
        format!("{} {id}", self.tenant)
    }
}

/// Two tenants with one shared cache.
#[test]
fn a_tenant_in_self_is_told_apart() {
    let cache = cache();
    let of = |tenant: &str| Repository {
        tenant: tenant.to_owned(),
        cache: cache.clone(),
    };
    let (acme, initech) = (of("acme"), of("initech"));
    for _ in 0..2 {
        assert_eq!(acme.title(1), "acme 1");
        assert_eq!(initech.title(1), "initech 1");
        assert_eq!(acme.keyed(1), "acme 1");
        assert_eq!(initech.keyed(1), "initech 1");
    }
    let evicted = cache.evict_by_scope(scope::organization("acme")).run();
    assert_eq!(evicted.unwrap(), 1);
    assert_eq!(peek!(acme.title(1)).unwrap(), None);
    assert_eq!(
        peek!(initech.title(1)).unwrap().as_deref(),
        Some("initech 1")
    );
    assert!(evict!(acme.keyed(1)).unwrap());
    assert!(peek!(initech.keyed(1)).unwrap().is_some());
}

/// Each of more arguments than serde supports in a tuple counts.
#[test]
fn each_of_seventeen_arguments_counts() {
    #[allow(clippy::too_many_arguments)]
    #[cache(cache = cache, skip(cache))]
    fn many(
        cache: &Cache,
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: u8,
        k: u8,
        l: u8,
        m: u8,
        n: u8,
        o: u8,
        p: u8,
        q: u8,
    ) -> Vec<u8> {
        vec![a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]
    }

    let cache = cache();
    for one in 0..17 {
        let mut args = [0_u8; 17];
        args[one] = 1;
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = args;
        let answer = many(&cache, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
        assert_eq!(answer, args);
    }
    assert_eq!(cache.stats().total_keys, 17);
}

/// A sequence that serializes as a map, but with only keys or only values.
struct Halves {
    keys: bool,
    of: Vec<u32>,
}

impl Serialize for Halves {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for it in &self.of {
            if self.keys {
                map.serialize_key(it)?;
            } else {
                map.serialize_value(it)?;
            }
        }
        map.end()
    }
}

#[cache(cache = cache, skip(cache))]
fn first_of(cache: &Cache, halves: &Halves) -> Option<u32> {
    halves.of.first().copied()
}

#[test]
fn what_a_map_gives_by_halves_makes_no_key() {
    let cache = cache();
    for keys in [true, false] {
        for of in [vec![1], vec![2], vec![3, 1], vec![4, 1]] {
            let first = of.first().copied();
            assert_eq!(first_of(&cache, &Halves { keys, of }), first);
        }
    }
    assert_eq!(cache.stats().total_keys, 0);
    assert_eq!(cache.stats().key_errors, 8);
}

/// Fails after serializing its content.
struct Fails(Vec<u8>);

impl Serialize for Fails {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for byte in &self.0 {
            seq.serialize_element(byte)?;
        }
        Err(serde::ser::Error::custom("as asked"))
    }
}

/// Ignores the error of its first element.
struct GoesOn(Fails, Vec<u8>);

impl Serialize for GoesOn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        let _ = seq.serialize_element(&self.0);
        for byte in &self.1 {
            seq.serialize_element(byte)?;
        }
        seq.end()
    }
}

#[test]
fn what_has_a_part_that_failed_is_no_key() {
    let cache = cache();
    let one = || GoesOn(Fails(vec![1]), vec![2]);
    let other = || GoesOn(Fails(vec![1, 2]), vec![]);
    let _ = cache.set(one(), &1_u32).run();
    let found = cache.get::<u32>(other()).run();
    assert!(!matches!(found, Ok(Some(_))), "the value of another key");
    assert!(matches!(found, Err(Error::Key { .. })), "{found:?}");
}
