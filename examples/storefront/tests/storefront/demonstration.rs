//! The program from end to end, in small. It fails by itself if a cached answer is wrong, or if an eviction is not exact.

use cacheado_tests::servers;
use clap::Parser;
use storefront::args::Args;
use storefront::database::fill::{self, Size};
use storefront::demo;

/// Runs the program in small, with more arguments.
async fn run(more: &[&str]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.sqlite");
    let words = "storefront --organizations 5 --users 100 --orders 2000 --requests 1000 --clients 4 --database";
    let words = words.split(' ').map(Into::into);
    let words = words.chain([database.clone().into_os_string()]);
    let args = Args::parse_from(words.chain(more.iter().map(Into::into)));
    demo::run(&args).await?;
    assert!(database.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_fills_measures_checks_and_evicts() {
    run(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_each_of_the_shared_tiers() {
    let redis = servers::Redis::start();
    run(&["--redis", &redis.url()]).await.unwrap();
    let mongo = servers::Mongo::start();
    run(&["--mongodb", &mongo.url()]).await.unwrap();
    let memcached = servers::Memcached::start();
    // twice: the second run finds what the first has left
    for _ in 0..2 {
        run(&["--memcached", &memcached.url()]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_said() {
    let error = run(&["--redis", "redis://127.0.0.1:1"]).await.unwrap_err();
    assert!(error.to_string().contains("is it running"), "{error}");
}

#[test]
fn there_is_one_shared_tier_at_most() {
    let two = ["storefront", "--redis", "redis://a", "--memcached", "b"];
    assert!(Args::try_parse_from(two).is_err());
}

#[test]
fn the_same_seed_fills_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, seed| {
        let path = folder.path().join(name);
        assert!(
            fill::ensure(
                &path,
                Size {
                    organizations: 2,
                    users: 10,
                    orders: 100,
                    seed
                }
            )
            .unwrap()
        );
        std::fs::read(path).unwrap()
    };
    assert_eq!(bytes("a", 1), bytes("b", 1));
    assert_ne!(bytes("c", 1), bytes("d", 2));
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    std::fs::write(&path, "Dear Sir or Madam").unwrap();
    assert!(
        !fill::ensure(
            &path,
            Size {
                organizations: 2,
                users: 10,
                orders: 100,
                seed: 1
            }
        )
        .unwrap()
    );
    let opened = storefront::database::Db::open(&path, cacheado::Cache::disabled());
    assert!(matches!(
        opened,
        Err(storefront::database::Error::Foreign { .. })
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "Dear Sir or Madam");
}
