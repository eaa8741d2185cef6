//! A `macro_rules!` that takes a function's body as `$body:block`.

use cacheado::{cache, default_cache};

macro_rules! cached {
    ($name:ident($arg:ident: $ty:ty) -> $ret:ty $body:block) => {
        #[cache]
        fn $name($arg: $ty) -> $ret $body
    };
}

cached!(square(x: u64) -> u64 { x * x });

fn main() {
    assert_eq!(square(3), 9);
    assert_eq!(square(3), 9);
    assert_eq!(default_cache().stats().hits, 1);
}
