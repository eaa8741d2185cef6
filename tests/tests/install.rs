//! Installing the default cache. Runs in a process of its own as a single test, because the order of first uses matters.

use cacheado::{Cache, Error, cache, default_cache, peek};

#[cache(ttl = 60)]
fn square(x: u32) -> u32 {
    x * x
}

#[test]
fn the_installed_cache_is_the_default_of_every_function() {
    let cache = Cache::builder().name("installed").build().unwrap();
    cache.clone().install().unwrap();
    assert_eq!(default_cache().name(), "installed");

    assert_eq!(square(3), 9);
    assert_eq!(square(3), 9);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses), (1, 1));
    cache.clear().run().unwrap();
    assert_eq!(peek!(square(3)).unwrap(), None);

    let second = Cache::builder().name("second").build().unwrap();
    let refused = second.install().unwrap_err();
    assert!(matches!(refused, Error::AlreadyInstalled));
    assert!(refused.to_string().contains("install()"), "{refused}");
    assert!(cache.install().is_err(), "not even the same one again");
    assert_eq!(default_cache().name(), "installed");
}
