//! `detached`: a load that outlives its caller.

use std::time::Duration;

use cacheado::{Cache, cache, peek};
use tokio::time::timeout;

use crate::source::{Failure, Source, cache};

#[cache(ttl = 60, detached, cache = cache, skip(cache, source))]
async fn outlives(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load_async().await
}

#[cache(ttl = 60, cache = cache, skip(cache, source))]
async fn ends(cache: &Cache, source: &Source) -> Result<u64, String> {
    source.load_async().await
}

#[tokio::test]
async fn the_load_goes_on_and_those_who_wait_get_its_value() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.close();
    let first = timeout(Duration::ZERO, outlives(&cache, &source)).await;
    assert!(first.is_err());
    let waits = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { outlives(&cache, &source).await })
    };
    tokio::task::yield_now().await;
    source.open();
    assert_eq!(waits.await.unwrap(), Ok(1));
    assert_eq!(peek!(outlives(&cache, &source)).await.unwrap(), Some(1));
    assert_eq!(source.loads(), 1);
}

#[tokio::test]
async fn without_it_the_load_ends_with_its_caller() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.close();
    assert!(
        timeout(Duration::ZERO, ends(&cache, &source))
            .await
            .is_err()
    );
    source.open();
    tokio::task::yield_now().await;
    assert_eq!(peek!(ends(&cache, &source)).await.unwrap(), None);
    assert_eq!(ends(&cache, &source).await, Ok(2));
}

#[tokio::test]
async fn its_errors_and_panics_are_its_callers() {
    let source = Source::default();
    let (cache, _clock) = cache();
    source.fails(Failure::Error);
    assert_eq!(outlives(&cache, &source).await, Err("as asked".to_owned()));
    source.fails(Failure::Panic);
    let call = {
        let (cache, source) = (cache.clone(), source.clone());
        tokio::spawn(async move { outlives(&cache, &source).await })
    };
    assert!(call.await.unwrap_err().is_panic());
}
