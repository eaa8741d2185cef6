//! A `macro_rules!` that takes a function's body as `$body:block`, and what it returns as `$ret:ty`.

use std::pin::Pin;

use cacheado::{cache, default_cache};

macro_rules! cached {
    ($name:ident($arg:ident: $ty:ty) -> $ret:ty $body:block) => {
        #[cache]
        fn $name($arg: $ty) -> $ret $body
    };
}

cached!(square(x: u64) -> u64 { x * x });

cached!(later(x: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> { Box::pin(async move { x * x }) });

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
}
