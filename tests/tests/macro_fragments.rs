//! Cached functions whose parts come from a `macro_rules!`: each kind of fragment works like the tokens it stands for. (A body that is
//! one fragment is in `ui/pass`.)

use cacheado::{Cache, cache, evict, peek, scopes};

scopes! {
    organization(org_id)
}

macro_rules! cached {
    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $ret:ty { $($body:tt)* }
        ttl $ttl:expr, name $text:literal, scope $level:literal, when $when:expr
    ) => {
        $(#[$meta])*
        #[cache(cache = cache, skip(cache), ttl = $ttl, name = $text, scope = $level, when = $when)]
        $vis fn $name(cache: &Cache, $($arg: $ty),*) -> $ret {
            $($body)*
        }
    };
}

cached! {
    /// Documented.
    #[must_use]
    pub(crate) fn shout(org_id: &str, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        format!("{org_id}: {}", text.to_uppercase())
    }
    ttl 60, name "born of a macro", scope "organization", when |text| !text.is_empty()
}

#[test]
fn each_fragment_is_as_good_as_what_it_stands_for() {
    let cache = Cache::builder().build().unwrap();
    for _ in 0..2 {
        assert_eq!(shout(&cache, "acme", "a"), "acme: A");
        assert_eq!(shout(&cache, "acme", ""), "");
    }
    assert_eq!(cache.stats().loads, 3);
    assert!(peek!(shout(&cache, "acme", "a")).unwrap().is_some());
    assert!(evict!(shout(&cache, "acme", "a")).unwrap());
}
