//! A `macro_rules!` that takes a function's body as `$body:block`, and what it returns as `$ret:ty`.

#![deny(unused_braces)]

use std::pin::Pin;

use cacheado::{cache, cache_evict, default_cache};

macro_rules! cached {
    ($name:ident($arg:ident: $ty:ty) -> $ret:ty $body:block) => {
        #[cache]
        fn $name($arg: $ty) -> $ret $body
    };
}

cached!(square(x: u64) -> u64 { x * x });

cached!(later(x: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> { Box::pin(async move { x * x }) });

macro_rules! in_braces {
    ($name:ident $later:ident $evict:ident($arg:ident: $ty:ty) -> $ret:ty $body:block) => {
        #[cache]
        fn $name($arg: $ty) -> $ret {
            $body
        }

        #[cache(ttl = 60, stale = 60)]
        async fn $later($arg: $ty) -> $ret {
            $body
        }

        #[cache_evict(scope = "global", before)]
        fn $evict($arg: $ty) -> $ret {
            $body
        }
    };
}

in_braces!(twice twice_later forget(x: u64) -> u64 { x + x });

#[cache]
#[allow(unused_parens)]
fn in_parentheses(x: u64) -> Pin<Box<(dyn Future<Output = u64> + Send)>> {
    Box::pin(async move { x * x })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(square(3), 9);
    assert_eq!(square(3), 9);
    assert_eq!(default_cache().stats().hits, 1);
    assert_eq!((later(3).await, in_parentheses(3).await), (9, 9));
    assert_eq!((later(3).await, in_parentheses(3).await), (9, 9));
    assert_eq!(default_cache().stats().hits, 3);
    assert_eq!((twice(3), twice_later(3).await, forget(3)), (6, 6, 6));
}
