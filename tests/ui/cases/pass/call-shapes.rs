//! Whole call shapes survive: what compiles without the attribute compiles with it.
#![deny(warnings)]

use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cacheado::cache;
use serde::Serialize;

#[derive(Debug)]
struct Failed;
type Fallible<T> = Result<T, Failed>;
type Maybe<T> = Option<T>;

/// Documentation and other attributes stay.
#[cache(ttl = 300)]
#[inline]
#[must_use]
pub fn square(x: u64) -> u64 {
    x * x
}

#[cache(ttl = "1h 30m")]
fn generic<'a, T: Clone + Serialize, const N: usize>(x: &'a T, ys: &'a [T; 2]) -> usize
where
    T: Send + 'a,
{
    let _ = (x.clone(), ys);
    N + size_of::<T>()
}

#[cache(skip(f))]
fn impl_trait(name: impl AsRef<str> + Serialize, mut n: u32, f: impl Fn(u32) -> u32) -> String {
    n += f(1);
    format!("{}{n}", name.as_ref())
}

#[cache(skip(f))]
async fn impl_trait_and_generic<T: Display + Serialize>(x: T, f: &impl Fn(&str) -> usize) -> usize {
    f(&x.to_string())
}

struct Point {
    x: u32,
    y: u32,
}

#[cache(skip(x, y))]
fn skipped_pattern(Point { x, y }: Point, by: u32) -> u32 {
    (x + y) * by
}

#[cache]
fn patterns((a, mut b): (u32, u32), [x, ..]: [u8; 3], _: u8, &c: &u32) -> u32 {
    b += 1;
    a + b + u32::from(x) + c
}

#[cache(key = a, bypass = *b)]
fn patterns_in_expressions((a, b): (u32, bool)) -> u32 {
    a + u32::from(b)
}

#[cache]
#[allow(clippy::too_many_arguments)]
fn colliding(
    key: u32,
    cache: u32,
    ttl: u32,
    value: u32,
    mode: u32,
    carry: u32,
    function: u32,
    call: u32,
    args: u32,
    site: u32,
) -> u32 {
    key + cache + ttl + value + mode + carry + function + call + args + site
}

#[cache]
#[allow(clippy::too_many_arguments)]
fn more_than_sixteen(
    a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8,
    j: u8, k: u8, l: u8, m: u8, n: u8, o: u8, p: u8, q: u8, r: u8,
) -> u8 {
    a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r
}

#[cache]
fn early(x: Option<&str>) -> Fallible<Maybe<u32>> {
    let Some(x) = x else { return Ok(None) };
    let x: u32 = x.parse().map_err(|_| Failed)?;
    Ok(Some(x))
}

#[cache]
async fn early_async(x: Option<&str>) -> Fallible<Maybe<u32>> {
    let Some(x) = x else { return Ok(None) };
    let x: u32 = x.parse().map_err(|_| Failed)?;
    Ok(Some(x))
}

#[cache]
fn boxed_error(x: &str) -> Result<u32, Box<dyn std::error::Error>> {
    Ok(x.parse()?)
}

#[cache]
fn borrowed_error<'a>(x: &'a str) -> Result<u32, &'a str> {
    x.parse().map_err(|_| x)
}

#[cache]
fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

#[cache]
async fn fibonacci_async(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    Box::pin(fibonacci_async(n - 1)).await + Box::pin(fibonacci_async(n - 2)).await
}

#[cache]
unsafe fn dangerous(x: u32) -> u32 {
    x
}

#[cache]
fn returns_nothing(x: u32) {
    let _ = x;
}

#[cache]
fn r#match(r#type: u32) -> u32 {
    r#type
}

#[cache(ttl = |value| Duration::from_secs(value.len() as u64), when = |value| value.len() > 2)]
fn closures(x: u64) -> String {
    x.to_string()
}

fn long_enough(value: &String) -> bool {
    value.len() > 2
}

#[cache(ttl = Duration::from_secs(seconds), when = long_enough, bypass = seconds > 60)]
fn expressions(seconds: u64) -> String {
    seconds.to_string()
}

#[cache(when = |value| *value > limit, cache_none = true)]
fn closure_over_an_argument(limit: u32) -> u32 {
    limit
}

const BOUND: usize = 2 * 5;

#[cache(max_items = BOUND, version = 3, name = "bounded", single_flight = false)]
fn bounded(x: u32) -> u32 {
    x
}

#[derive(Clone)]
struct NoSerde(Arc<str>);

#[cache(local, cache_none = false)]
fn in_process(x: u32) -> Option<NoSerde> {
    Some(NoSerde(x.to_string().into()))
}

#[cache(cache = c, key = "{config}")]
fn key_is_a_text_with_braces(c: &cacheado::Cache) -> u32 {
    let _ = c;
    3
}

#[cache(key = "{{x}} {")]
fn key_is_a_text_with_braces_that_format_nothing(x: u32) -> u32 {
    x
}

#[cache(key = a)]
fn key_names_one(a: u32, b: u32) -> u32 {
    a + b
}

#[cache(key = (a, b.len()), skip(c))]
fn key_moves_nothing(a: String, b: Vec<u8>, c: Rc<u32>) -> (String, Vec<u8>, u32) {
    (a, b, *c)
}

#[cache]
#[expect(clippy::needless_return, reason = "it is what is tried")]
fn expecting(x: u32) -> u32 {
    return x;
}

#[cfg(any())]
#[cache]
fn not_there(x: NoSuchType) -> u32 {
    x
}

#[cache]
#[cfg(any())]
fn not_there_either(x: NoSuchType) -> u32 {
    x
}

macro_rules! born {
    ($($name:ident $arg:ident: $ty:ty;)*) => {
        $(#[cache] fn $name($arg: $ty) -> $ty { $arg })*
    };
}
born! {
    first x: u32;
    second x: String;
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::main]
async fn main() {
    assert_eq!(square(4), 16);
    assert_eq!(generic::<u32, 3>(&1, &[1, 2]), 7);
    assert_eq!(impl_trait("n", 1, |x| x), "n2");
    assert_eq!(is_send(impl_trait_and_generic::<u8>(5, &str::len)).await, 1);
    assert_eq!(skipped_pattern(Point { x: 1, y: 2 }, 2), 6);
    assert_eq!(patterns((1, 2), [3, 4, 5], 6, &7), 14);
    assert_eq!(patterns_in_expressions((1, true)), 2);
    assert_eq!(colliding(1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 10);
    assert_eq!(more_than_sixteen(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 18);
    assert_eq!(early(Some("5")).unwrap(), Some(5));
    assert!(is_send(early_async(Some("x"))).await.is_err());
    assert_eq!(boxed_error("5").unwrap(), 5);
    assert_eq!(borrowed_error("x"), Err("x"));
    assert_eq!(fibonacci(50), 12_586_269_025);
    assert_eq!(is_send(fibonacci_async(50)).await, 12_586_269_025);
    // SAFETY: it is not dangerous
    assert_eq!(unsafe { dangerous(3) }, 3);
    returns_nothing(3);
    assert_eq!(r#match(3), 3);
    assert_eq!(closures(300), "300");
    assert_eq!(expressions(30), "30");
    assert_eq!(closure_over_an_argument(3), 3);
    assert_eq!(bounded(3), 3);
    assert_eq!(&*in_process(3).unwrap().0, "3");
    assert_eq!(key_moves_nothing("a".into(), vec![1], Rc::new(3)).2, 3);
    assert_eq!(key_is_a_text_with_braces(cacheado::default_cache()), 3);
    assert_eq!(key_is_a_text_with_braces_that_format_nothing(3), 3);
    assert_eq!(key_names_one(1, 2), 3);
    assert_eq!(expecting(3), 3);
    assert_eq!(first(3), 3);
    assert_eq!(second("x".into()), "x");

    #[cache]
    fn local(x: u32) -> u32 {
        x
    }
    assert_eq!(local(1), 1);
    {
        #[cache]
        fn local(x: u32) -> u32 {
            x + 1
        }
        assert_eq!(local(1), 2);
    }
    {
        let behind = behind(1);
        #[cache]
        fn behind(x: u32) -> u32 {
            x + 2
        }
        assert_eq!(behind, 3);
    }
}
