//! Shapes: whatever a function looks like, it is called as before, returns the same as before, and is cached.

#![allow(
    clippy::used_underscore_binding,
    reason = "arguments that only the key needs"
)]

use std::collections::HashMap;
use std::fmt::Display;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cacheado::{Cache, cache, cache_evict, cache_impl, cache_put, default_cache, evict, peek, put};
use futures::executor::block_on;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Counts the runs of one body.
struct Runs(AtomicU32);

impl Runs {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn run<T>(&self, value: T) -> T {
        self.0.fetch_add(1, Ordering::SeqCst);
        value
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Asserts that of two equal calls one ran the body, as counted by the test's `RUNS`.
macro_rules! once {
    ($call:expr, $expected:expr) => {{
        let before = RUNS.get();
        let expected = $expected;
        assert_eq!($call, expected);
        assert_eq!($call, expected);
        assert_eq!(RUNS.get() - before, 1, "one run of {}", stringify!($call));
    }};
}

#[test]
fn without_arguments_or_without_a_value() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn constant() -> u32 {
        RUNS.run(7)
    }

    #[cache]
    fn nothing(x: u32) {
        RUNS.run(x);
    }

    #[cache]
    async fn neither() {
        RUNS.run(());
    }

    #[cache]
    fn fallible(x: u32) -> Result<(), String> {
        RUNS.run(if x > 0 { Ok(()) } else { Err(String::new()) })
    }

    once!(constant(), 7);
    once!(nothing(1), ());
    once!(block_on(neither()), ());
    once!(fallible(1), Ok(()));
    assert!(fallible(0).is_err());
}

#[test]
fn question_mark_and_early_return() {
    static RUNS: Runs = Runs::new();

    #[derive(Debug, PartialEq)]
    struct Wrong(String);

    impl From<std::num::ParseIntError> for Wrong {
        fn from(error: std::num::ParseIntError) -> Self {
            Self(error.to_string())
        }
    }

    #[cache]
    fn parse(text: &str) -> Result<u32, Wrong> {
        RUNS.run(());
        if text.is_empty() {
            return Ok(0);
        }
        let number: u32 = text.parse()?;
        for candidate in 0.. {
            if candidate * candidate >= number {
                return Ok(candidate);
            }
        }
        unreachable!()
    }

    #[cache]
    async fn parse_async(text: &str) -> Result<u32, Wrong> {
        RUNS.run(());
        if text.is_empty() {
            return Ok(0);
        }
        let number: u32 = std::future::ready(text.parse()).await?;
        Ok(number)
    }

    #[cache]
    fn first(texts: &[&str]) -> Option<usize> {
        RUNS.run(());
        let first = texts.first()?;
        let Some(second) = texts.get(1) else {
            return Some(first.len());
        };
        Some(first.len() + second.len())
    }

    once!(parse(""), Ok(0));
    once!(parse("10"), Ok(4));
    assert!(parse("x").is_err());
    once!(block_on(parse_async("")), Ok(0));
    once!(block_on(parse_async("10")), Ok(10));
    assert!(block_on(parse_async("x")).is_err());
    once!(first(&[]), None);
    once!(first(&["a"]), Some(1));
    once!(first(&["a", "b"]), Some(2));
}

#[test]
fn recursion() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn fibonacci(n: u64) -> u64 {
        RUNS.run(());
        if n < 2 {
            n
        } else {
            fibonacci(n - 1) + fibonacci(n - 2)
        }
    }

    #[cache]
    async fn fibonacci_async(n: u64) -> u64 {
        RUNS.run(());
        if n < 2 {
            return n;
        }
        Box::pin(fibonacci_async(n - 1)).await + Box::pin(fibonacci_async(n - 2)).await
    }

    assert_eq!(fibonacci(80), 23_416_728_348_467_685);
    assert_eq!(RUNS.get(), 81);
    assert_eq!(block_on(fibonacci_async(80)), 23_416_728_348_467_685);
    assert_eq!(RUNS.get(), 162);
}

#[test]
fn generics_and_where_clauses() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn show<T>(value: T, times: usize) -> String
    where
        T: Display + Serialize,
    {
        RUNS.run(value.to_string().repeat(times))
    }

    #[cache]
    async fn fill<T, const N: usize>(value: T) -> Vec<T>
    where
        T: Copy + Send + Sync + 'static + Serialize + DeserializeOwned,
    {
        RUNS.run(vec![value; N])
    }

    once!(show(1, 2), "11");
    once!(show("1", 2), "11");
    once!(block_on(fill::<u8, 2>(1)), [1, 1]);
    once!(block_on(fill::<u8, 3>(1)), [1, 1, 1]);
    once!(block_on(fill::<u16, 3>(1)), [1, 1, 1]);
}

#[test]
fn lifetimes() {
    static RUNS: Runs = Runs::new();

    #[derive(Serialize)]
    struct Line<'text> {
        text: &'text str,
    }

    #[cache]
    fn longest<'a, 'b: 'a>(one: &'a str, two: &'b str, lines: &[Line<'_>]) -> usize {
        let mut longest: &'a str = two;
        if one.len() > two.len() {
            longest = one;
        }
        RUNS.run(longest.len() + lines.iter().map(|line| line.text.len()).sum::<usize>())
    }

    #[cache]
    async fn joined<'a>(parts: &'a [&'a str], separator: &str) -> String {
        RUNS.run(parts.join(separator))
    }

    #[cache(local)]
    fn fixed(long: bool) -> &'static str {
        RUNS.run(if long { "long" } else { "short" })
    }

    let text = String::from("abc");
    once!(longest(&text, "ab", &[Line { text: &text }]), 6);
    once!(longest("abc", &text[..1], &[]), 3);
    once!(block_on(joined(&[&text, "d"], "-")), "abc-d");
    once!(fixed(true), "long");
}

#[test]
fn impl_trait_arguments() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn total(
        numbers: impl Iterator<Item = u32> + Clone + Serialize,
        start: impl Into<u32> + Serialize,
    ) -> u32 {
        RUNS.run(numbers.sum::<u32>() + start.into())
    }

    #[cache(skip(map))]
    fn mapped(numbers: &[u32], map: impl Fn(u32) -> u32) -> Vec<u32> {
        RUNS.run(numbers.iter().copied().map(map).collect())
    }

    #[cache]
    async fn length(text: impl AsRef<str> + Serialize + Sync) -> usize {
        RUNS.run(text.as_ref().len())
    }

    #[derive(Clone, Serialize)]
    struct UpTo(u32);

    impl Iterator for UpTo {
        type Item = u32;

        fn next(&mut self) -> Option<u32> {
            self.0 = self.0.checked_sub(1)?;
            Some(self.0)
        }
    }

    once!(total(UpTo(4), 1_u8), 7);
    once!(total(UpTo(4), 1_u16), 7);
    let add_one = |x| x + 1;
    once!(mapped(&[1, 2], add_one), [2, 3]);
    once!(block_on(length("four")), 4);
}

#[test]
fn patterns_as_arguments() {
    static RUNS: Runs = Runs::new();

    #[derive(Clone, Copy, Serialize)]
    struct Point {
        x: i32,
        y: i32,
    }

    #[cache]
    fn distance(Point { x, y }: Point, (dx, dy): (i32, i32), [scale, ..]: [i32; 3]) -> i32 {
        RUNS.run(((x - dx).abs() + (y - dy).abs()) * scale)
    }

    #[cache]
    fn mutated(mut text: String, _: u32, _ignored: bool) -> String {
        text.push('!');
        RUNS.run(text)
    }

    #[cache(key = (x, name))]
    async fn picked((x, _unused): (u32, u32), &Named { name, .. }: &Named) -> u32 {
        RUNS.run(x + name)
    }

    struct Named {
        name: u32,
        #[allow(dead_code)]
        other: f32,
    }

    let point = Point { x: 1, y: 2 };
    once!(distance(point, (3, 4), [2, 0, 0]), 8);
    once!(distance(point, (3, 4), [2, 1, 0]), 8);
    once!(mutated("a".to_owned(), 1, true), "a!");
    once!(mutated("a".to_owned(), 2, true), "a!");
    once!(mutated("a".to_owned(), 2, false), "a!");
    let named = Named {
        name: 1,
        other: 0.5,
    };
    once!(block_on(picked((1, 2), &named)), 2);
    assert_eq!(block_on(picked((1, 3), &named)), 2);
    assert_eq!(RUNS.get(), 6, "what the key leaves out does not count");
}

/// An upper-case name in a pattern may be a binding or a unit struct; its meaning counts, not its spelling.
#[test]
fn upper_case_names_in_patterns() {
    static RUNS: Runs = Runs::new();

    #[derive(Clone, Copy, Serialize)]
    struct Unit;

    #[cache]
    #[allow(non_snake_case)]
    fn bound((N, m): (u32, u32)) -> u32 {
        RUNS.run(N + m)
    }

    #[cache(key = N)]
    #[allow(non_snake_case)]
    async fn as_key((N, m): (u32, u32)) -> u32 {
        RUNS.run(N + m)
    }

    #[cache(skip(Unit, noise))]
    fn unit((Unit, noise): (Unit, u32), x: u32) -> u32 {
        RUNS.run(noise + x)
    }

    once!(bound((1, 2)), 3);
    once!(bound((2, 2)), 4);
    once!(block_on(as_key((1, 2))), 3);
    assert_eq!(block_on(as_key((1, 3))), 3);
    once!(unit((Unit, 1), 2), 3);
    assert_eq!(unit((Unit, 2), 2), 3);
}

/// Names that generated code might have used.
#[test]
fn arguments_of_any_name() {
    static RUNS: Runs = Runs::new();

    #[allow(clippy::too_many_arguments)]
    #[cache(ttl = 60)]
    fn named(
        key: u8,
        cache: u8,
        ttl: u8,
        value: u8,
        mode: u8,
        scope: u8,
        args: u8,
        result: u8,
        body: u8,
        function: u8,
        pending: u8,
        r#type: u8,
    ) -> Vec<u8> {
        RUNS.run(vec![
            key, cache, ttl, value, mode, scope, args, result, body, function, pending, r#type,
        ])
    }

    #[cache(ttl = |value| std::time::Duration::from_secs(value.len() as u64 + u64::from(ttl)))]
    async fn closures(value: &str, ttl: u8, key: u8, cache: &str) -> String {
        RUNS.run(format!("{value}{ttl}{key}{cache}"))
    }

    #[cache]
    fn r#match(r#fn: u8) -> u8 {
        RUNS.run(r#fn)
    }

    once!(
        named(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
        (1..=12).collect::<Vec<u8>>()
    );
    once!(block_on(closures("v", 1, 2, "c")), "v12c");
    once!(r#match(1), 1);
}

mod hostile {
    //! A module in which the names of the prelude mean something else.

    #![allow(dead_code, non_camel_case_types)]

    struct Result;
    struct Option;
    struct Some;
    struct None;
    struct Ok;
    struct Err;
    struct Clone;
    struct Send;
    struct Vec;
    struct String;
    struct Box;
    mod std {}
    mod core {}

    #[cacheado::cache(ttl = 60, max_items = 9)]
    pub(super) fn sync(x: u32) -> u32 {
        x + 1
    }

    #[cacheado::cache]
    pub(super) async fn waiting(x: u32) -> ::core::result::Result<u32, u32> {
        ::core::result::Result::Ok(x + 1)
    }
}

#[test]
fn where_names_of_the_prelude_are_taken() {
    let before = default_cache().stats().hits;
    for _ in 0..2 {
        assert_eq!(hostile::sync(1), 2);
        assert_eq!(block_on(hostile::waiting(1)), Ok(2));
    }
    assert!(default_cache().stats().hits >= before + 2);
}

type Outcome<T, E = String> = std::result::Result<T, E>;
type Answer = Outcome<u32>;
type Maybe<T> = Option<T>;

#[test]
fn aliases_of_result_and_option() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn answer(x: u32) -> Answer {
        RUNS.run(if x > 0 { Ok(x) } else { Err("zero".to_owned()) })
    }

    #[cache]
    async fn outcome(x: u32) -> Outcome<Maybe<u32>, u8> {
        RUNS.run(if x > 0 { Ok(Some(x)) } else { Err(0) })
    }

    #[cache(cache_none = false)]
    fn maybe(x: u32) -> Maybe<u32> {
        RUNS.run((x > 0).then_some(x))
    }

    #[cache(cache_none = false)]
    fn both(x: u32) -> Outcome<Maybe<u32>> {
        RUNS.run(Ok((x > 0).then_some(x)))
    }

    #[cache]
    fn of_io(x: u32) -> std::io::Result<u32> {
        RUNS.run(if x > 0 {
            Ok(x)
        } else {
            Err(std::io::ErrorKind::Other.into())
        })
    }

    once!(answer(1), Ok(1));
    once!(block_on(outcome(1)), Ok(Some(1)));
    once!(maybe(1), Some(1));
    once!(both(1), Ok(Some(1)));
    once!(of_io(1).unwrap(), 1);
    let before = RUNS.get();
    for _ in 0..2 {
        assert!(answer(0).is_err());
        assert!(block_on(outcome(0)).is_err());
        assert!(maybe(0).is_none());
        assert_eq!(both(0), Ok(None));
        assert!(of_io(0).is_err());
    }
    assert_eq!(RUNS.get() - before, 10);
}

/// The cache does not require an error to be `Send` or `Clone`.
#[test]
fn errors_of_any_type() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn sync(x: u32) -> Result<u32, Rc<str>> {
        RUNS.run(if x > 0 { Ok(x) } else { Err("zero".into()) })
    }

    #[cache]
    async fn boxed(x: u32) -> Result<u32, Box<dyn std::error::Error>> {
        RUNS.run(());
        if x == 0 {
            Err("zero")?;
        }
        Ok(x)
    }

    once!(sync(1), Ok(1));
    assert!(sync(0).is_err());
    once!(block_on(boxed(1)).unwrap(), 1);
    assert_eq!(block_on(boxed(0)).unwrap_err().to_string(), "zero");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    name: String,
    children: HashMap<String, Tree>,
}

#[test]
fn values_of_many_types() {
    static RUNS: Runs = Runs::new();

    #[cache]
    fn tree(depth: u32) -> Tree {
        let children = (depth > 0).then(|| ("child".to_owned(), tree(depth - 1)));
        let name = depth.to_string();
        let children = children.into_iter().collect();
        if depth == 2 {
            RUNS.run(());
        }
        Tree { name, children }
    }

    #[cache]
    fn shared(x: u32) -> Arc<[u32]> {
        RUNS.run((0..x).collect())
    }

    #[cache(local)]
    fn function(x: u32) -> fn(u32) -> u32 {
        let _ = x;
        RUNS.run(|x| x + 1)
    }

    once!(tree(2).children["child"].children.len(), 1);
    once!(shared(3)[2], 2);
    assert!(Arc::ptr_eq(&shared(3), &shared(3)));
    once!(function(1)(1), 2);
}

struct Service {
    factor: u32,
    runs: Runs,
    cache: Cache,
}

impl Service {
    fn new(factor: u32) -> Self {
        Self {
            factor,
            runs: Runs::new(),
            cache: Cache::builder().build().unwrap(),
        }
    }

    /// Without `#[cache_impl]`, which a method does not need.
    #[cache(cache = self.cache, key = (self.factor, x))]
    fn method(&self, x: u32) -> u32 {
        self.runs.run(self.factor * x)
    }

    #[cache(cache = self.cache, skip(self))]
    fn mutable(&mut self, x: u32) -> u32 {
        self.factor += 1;
        self.runs.run(self.factor * x)
    }

    #[cache(cache = self.cache, skip(self))]
    async fn consuming(self: Arc<Self>, x: u32) -> Result<u32, String> {
        Ok(self.runs.run(self.factor * x))
    }

    #[cache(cache = self.cache, skip(self, log))]
    fn logged(&self, x: u32, log: &mut Vec<u32>) -> u32 {
        log.push(x);
        self.runs.run(x)
    }
}

#[cache_impl]
impl Service {
    #[cache(cache = service.cache, skip(service))]
    fn associated(service: &Self, x: u32) -> Result<u32, String> {
        let this: &Self = service;
        Ok(this.runs.run(Self::FACTOR * x))
    }

    #[cache(cache = service.cache, skip(service))]
    async fn associated_async<T: Serialize + Sync>(service: &Service, x: &T) -> String {
        service
            .runs
            .run(serde_json::to_string(x).unwrap_or_default())
    }

    const FACTOR: u32 = 10;

    fn plain(&self) -> u32 {
        self.factor
    }
}

#[test]
fn methods_and_associated_functions() {
    let mut service = Service::new(2);
    for _ in 0..2 {
        assert_eq!(service.method(3), 6);
        assert_eq!(Service::associated(&service, 3), Ok(30));
        assert_eq!(block_on(Service::associated_async(&service, &"x")), "\"x\"");
    }
    for _ in 0..2 {
        assert_eq!(service.mutable(5), 15);
        assert_eq!(service.method(3), 9, "`self` is in its key");
    }
    assert_eq!(service.runs.get(), 5);
    let mut log = Vec::new();
    service.logged(1, &mut log);
    service.logged(1, &mut log);
    assert_eq!(log, [1]);
    let service = Arc::new(service);
    for _ in 0..2 {
        assert_eq!(block_on(Arc::clone(&service).consuming(5)), Ok(15));
    }
    assert_eq!(service.runs.get(), 7);
    assert_eq!(service.plain(), 3);
}

trait Quote {
    const RATE: u32;
    fn quote(&self, x: u32) -> u32;
    fn make(x: u32) -> u32;
    fn twice(&self, x: u32) -> u32 {
        2 * self.quote(x)
    }
}

#[cache_impl]
impl Quote for Service {
    const RATE: u32 = 3;

    #[cache(cache = self.cache, skip(self))]
    fn quote(&self, x: u32) -> u32 {
        self.runs.run(x * Self::RATE)
    }

    #[cache]
    fn make(x: u32) -> u32 {
        MADE.run(x * Self::RATE)
    }
}

static MADE: Runs = Runs::new();

impl<T> Quote for Vec<T> {
    const RATE: u32 = 5;

    #[cache(key = (self.len(), x))]
    fn quote(&self, x: u32) -> u32 {
        MADE.run(x * Self::RATE)
    }

    fn make(x: u32) -> u32 {
        x
    }
}

#[test]
fn methods_of_trait_impls() {
    let service = Service::new(1);
    let (before, made) = (service.runs.get(), MADE.get());
    for _ in 0..2 {
        assert_eq!(service.quote(2), 6);
        assert_eq!(service.twice(2), 12);
        assert_eq!(Service::make(2), 6);
        assert_eq!(vec![0_u8].quote(2), 10);
        assert_eq!(Vec::<u8>::make(2), 2);
    }
    assert_eq!((service.runs.get() - before, MADE.get() - made), (1, 2));
}

#[async_trait]
trait Remote: Send + Sync {
    async fn fetch(&self, url: &str, retries: u32) -> Result<String, String>;
    async fn ping(&self) -> u32;
}

#[async_trait]
impl Remote for Service {
    #[cache(cache = self.cache, skip(self, retries), ttl = 60)]
    async fn fetch(&self, url: &str, retries: u32) -> Result<String, String> {
        std::future::ready(()).await;
        if url.is_empty() {
            return Err(format!("no url, {retries} retries"));
        }
        let fetched = Ok::<_, String>(url.to_uppercase())?;
        Ok(self.runs.run(fetched))
    }

    #[cache(cache = self.cache, skip(self))]
    async fn ping(&self) -> u32 {
        self.runs.run(1)
    }
}

#[test]
fn methods_under_async_trait() {
    let service = Service::new(1);
    let remote: &dyn Remote = &service;
    for retries in 0..3 {
        assert_eq!(block_on(remote.fetch("a", retries)), Ok("A".to_owned()));
        assert_eq!(block_on(remote.ping()), 1);
    }
    assert_eq!(service.runs.get(), 2);
    assert!(block_on(remote.fetch("", 1)).is_err());
}

/// Code ahead of the future may prepare what is not part of the key.
#[test]
fn a_boxed_future_written_out() {
    static RUNS: Runs = Runs::new();

    type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

    #[cache(skip(texts))]
    fn text(
        texts: &Arc<[&'static str]>,
        id: usize,
    ) -> Pin<Box<dyn Future<Output = String> + Send>> {
        let texts = Arc::clone(texts);
        Box::pin(async move { RUNS.run(texts[id].to_owned()) })
    }

    #[cache]
    fn unused(id: usize) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(async { RUNS.run(1) })
    }

    let texts: Arc<[&str]> = Arc::from(["a", "b"]);
    let future: Boxed<String> = text(&texts, 0);
    assert_eq!(block_on(future), "a");
    assert_eq!(block_on(text(&texts, 0)), "a");
    assert_eq!(block_on(text(&texts, 1)), "b");
    assert_eq!(
        block_on(peek!(text(&texts, 1))).unwrap().as_deref(),
        Some("b")
    );
    assert_eq!(RUNS.get(), 2);
    once!(block_on(unused(1)), 1);
}

/// A trait with `async fn` itself.
trait Local {
    async fn fetch(&self, x: u32) -> u32;
}

impl Local for Service {
    #[cache(cache = self.cache, skip(self))]
    async fn fetch(&self, x: u32) -> u32 {
        std::future::ready(()).await;
        self.runs.run(x)
    }
}

#[test]
fn async_methods_of_trait_impls() {
    let service = Service::new(1);
    for _ in 0..2 {
        assert_eq!(block_on(Local::fetch(&service, 1)), 1);
    }
    assert_eq!(service.runs.get(), 1);
}

/// A function keeps its attributes and modifiers.
#[test]
fn other_attributes_and_modifiers_stay() {
    static RUNS: Runs = Runs::new();

    /// Documented.
    #[must_use]
    #[inline(never)]
    #[deprecated(note = "stays deprecated")]
    #[track_caller]
    #[cache]
    #[cfg(test)]
    fn attributed(#[allow(unused_variables)] x: u32, y: u32) -> u32 {
        RUNS.run(y)
    }

    #[cfg(any())]
    #[cache]
    fn absent() -> NoSuchType {
        no_such_function()
    }

    #[cache]
    #[expect(clippy::needless_return, reason = "the attribute reaches the body")]
    fn lints(x: u32) -> u32 {
        return RUNS.run(x);
    }

    /// # Safety
    ///
    /// None is needed.
    #[allow(unsafe_code)]
    #[cache]
    unsafe fn unsafe_one(x: u32) -> u32 {
        RUNS.run(x)
    }

    #[allow(deprecated)]
    {
        once!(attributed(1, 2), 2);
    }
    once!(lints(1), 1);
    #[allow(unsafe_code)]
    {
        // SAFETY: it has no conditions.
        once!(unsafe { unsafe_one(1) }, 1);
    }
}

/// The future of a cached function is `Send`.
#[test]
fn futures_are_send() {
    #[cache]
    async fn doubled(x: u32, parts: &[&str]) -> Result<u32, String> {
        tokio::task::yield_now().await;
        Ok(2 * x + u32::try_from(parts.len()).map_err(|error| error.to_string())?)
    }

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let answers = runtime.block_on(async {
        let calls = (0..8).map(|x| tokio::spawn(async move { doubled(x % 2, &["a"]).await }));
        futures::future::join_all(calls).await
    });
    for (nth, answer) in (0_u32..).zip(answers) {
        assert_eq!(answer.unwrap(), Ok(2 * (nth % 2) + 1));
    }
}

/// A function still finds the surrounding items that it uses by name.
#[test]
fn a_function_among_local_items() {
    const FACTOR: u32 = 3;

    fn helper(x: u32) -> u32 {
        x * FACTOR
    }

    #[cache]
    fn outer(x: u32) -> u32 {
        const FACTOR: u32 = 5;
        #[cache]
        fn inner(x: u32) -> u32 {
            helper(x) + FACTOR
        }
        fn helper(x: u32) -> u32 {
            x
        }
        inner(x)
    }

    assert_eq!(outer(1), 6);
    assert_eq!(outer(1), 6);
    assert_eq!(helper(1), 3);
}

trait Make: Clone + Send + Sync + 'static {
    fn make() -> Self;
}

impl Make for Result<u8, String> {
    fn make() -> Self {
        Ok(7)
    }
}

#[cache(local)]
fn make<R: Make>(_id: u32) -> R {
    R::make()
}

/// The function stores its whole return value, while a verb of a call that returns a `Result` means the `Ok` value.
#[test]
fn verbs_of_a_generic_return_type_that_is_a_result_find_nothing() {
    assert_eq!(make::<Result<u8, String>>(1), Ok(7));
    assert_eq!(peek!(make::<Result<u8, String>>(1)).unwrap(), None);
    assert!(!put!(make::<Result<u8, String>>(1), 8).unwrap());
    assert_eq!(make::<Result<u8, String>>(1), Ok(7));
    assert!(evict!(make::<Result<u8, String>>(1)).unwrap());
}

/// Clippy does not suggest to borrow arguments that are not part of the key in another form.
#[test]
fn what_is_skipped_may_be_of_any_shape() {
    #[cache(skip(filled))]
    fn filling(x: u32, filled: &mut Vec<u32>) -> u32 {
        filled.push(x);
        x
    }

    #[cache(skip(room))]
    fn with_room(x: u32, room: &String) -> u32 {
        x + u32::try_from(room.capacity()).unwrap_or(0)
    }

    #[cache(key = x)]
    fn of_one<'t>(x: u32, text: &'t str) -> u32 {
        let word: Option<&'t str> = text.split(' ').next();
        x + u32::from(word.is_some())
    }

    let mut filled = Vec::new();
    assert_eq!(filling(3, &mut filled), 3);
    assert_eq!(filling(3, &mut filled), 3);
    assert_eq!(filled, [3]);
    assert_eq!(with_room(3, &String::new()), 3);
    assert_eq!(of_one(3, "a b"), 4);
}

/// Lint levels that concern a body's style apply to the body alone, not to generated code.
#[test]
#[deny(clippy::implicit_return)]
#[allow(clippy::needless_return, reason = "the style that is asked for")]
fn a_body_may_have_the_opposite_of_the_usual_style() {
    struct Shop(u32);

    #[cache]
    fn twice(x: u32) -> u32 {
        return x * 2;
    }

    #[cache_put(name = "put")]
    async fn kept(x: u32) -> u32 {
        return x;
    }

    #[cache_evict(twice(x))]
    fn sold(x: u32) -> u32 {
        return x;
    }

    impl Shop {
        #[cache(skip(self))]
        fn price(&self, x: u32) -> u32 {
            return self.0 + x;
        }
    }

    assert_eq!((twice(3), sold(3), Shop(1).price(3)), (6, 3, 4));
    assert_eq!(block_on(kept(3)), 3);
    assert_eq!(twice(3), 6);
}
