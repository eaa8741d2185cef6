//! The program from end to end, in small: it fails by itself if a cached answer is wrong or an eviction is not exact.

use clap::Parser;
use storefront::args::Args;
use storefront::database::fill::{self, Size};
use storefront::demo;

#[tokio::test(flavor = "multi_thread")]
async fn it_fills_measures_checks_and_evicts() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("demo.sqlite");
    let words = "storefront --organizations 5 --users 100 --orders 2000 --requests 1000 --clients 4 --database";
    let args = Args::parse_from(
        words
            .split(' ')
            .map(Into::into)
            .chain([database.clone().into_os_string()]),
    );
    demo::run(&args).await.unwrap();
    assert!(database.exists());
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
