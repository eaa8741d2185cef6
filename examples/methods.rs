//! Methods: how `self` is accounted for, a cache in a field, associated functions, and methods of traits.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cacheado::{Cache, cache, cache_evict, cache_impl, evict, peek, refresh};

struct Catalog {
    currency: &'static str,
    cache: Cache,
    runs: AtomicU32,
}

/// With `#[cache_impl]`, functions without a receiver can be annotated, and all of the functions get the verbs.
#[cache_impl]
impl Catalog {
    /// `self` must be accounted for. Here it provides the cache, and the key names the other field on which the result depends.
    #[cache(ttl = 60, cache = self.cache, key = (self.currency, product))]
    fn price(&self, product: u32) -> String {
        self.runs.fetch_add(1, Ordering::Relaxed);
        format!("{product}.00 {}", self.currency)
    }

    #[cache_evict(self.price(product))]
    fn reprice(&self, product: u32) {
        println!("the price of {product} has changed");
    }

    /// Stored in the process-wide cache, because no other is named.
    #[cache(ttl = "1h")]
    fn currencies() -> Vec<String> {
        vec!["EUR".to_owned(), "USD".to_owned()]
    }
}

#[async_trait]
trait Rates {
    async fn rate(&self, to: &str) -> f64;
}

#[async_trait]
impl Rates for Catalog {
    /// In any impl, a method with a receiver needs only `#[cache]`. Methods of traits have no verbs.
    #[cache(ttl = 60, cache = self.cache, key = (self.currency, to))]
    async fn rate(&self, to: &str) -> f64 {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if to == self.currency { 1.0 } else { 1.08 }
    }
}

#[tokio::main]
async fn main() -> cacheado::Result<()> {
    let cache = Cache::builder().build()?;
    let catalog = |currency| Catalog {
        currency,
        cache: cache.clone(),
        runs: AtomicU32::new(0),
    };
    let (euros, dollars) = (catalog("EUR"), catalog("USD"));

    assert_eq!(euros.price(3), euros.price(3));
    assert_eq!(euros.runs.load(Ordering::Relaxed), 1);
    println!("two calls, one run: {}", euros.price(3));
    assert_eq!(dollars.price(3), "3.00 USD");
    println!(
        "what differs in `self` is part of the key: {}",
        dollars.price(3)
    );

    assert_eq!(peek!(euros.price(3))?.as_deref(), Some("3.00 EUR"));
    euros.reprice(3);
    assert_eq!(peek!(euros.price(3))?, None);
    assert!(peek!(dollars.price(3))?.is_some());
    assert_eq!(refresh!(euros.price(3)), "3.00 EUR");
    assert!(evict!(euros.price(3))?);

    assert_eq!(Catalog::currencies(), Catalog::currencies());
    assert!(peek!(Catalog::currencies())?.is_some());
    assert_eq!(cacheado::default_cache().stats().hits, 1);

    let runs = dollars.runs.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert!((dollars.rate("EUR").await - 1.08).abs() < f64::EPSILON);
    }
    assert_eq!(dollars.runs.load(Ordering::Relaxed), runs + 1);
    println!("{}", cache.stats());
    Ok(())
}
