//! A durable server that is killed right after it has acknowledged an eviction does not come back with the evicted value, nor, after
//! an acknowledged put, with an older value. This holds for the servers that the documentation names: MongoDB, and Redis with an
//! append-only file that it writes before it answers.

use std::thread::sleep;
use std::time::Duration;

use cacheado_tests::servers::{self, Server, wait_until};

use crate::accounts::{WAYS, slot};
use crate::process::{Directory, Settings, Store};

const LIMIT: Duration = Duration::from_secs(20);
/// By then everything is in the journal, which is written every tenth of a second. No operation could confirm it.
const WRITTEN: Duration = Duration::from_millis(300);
const PUT: u64 = 7;
const REFRESH: u64 = 8;
/// Of a scope, of everything, and key by key.
const EVICT: [u64; 3] = [0, 4, 6];

fn outlives_the_server(store: Store, server: &Server, url: &str) {
    let directory = Directory::new(&format!("acknowledged-{store:?}"));
    let settings = Settings::new(store, url, &directory);
    let accounts = settings.accounts(false);
    let slots: Vec<u32> = (1..=6).map(|user| slot(0, user)).collect();
    let tell_all = |invalidation| {
        for &slot in &slots {
            let version = accounts.truth.change(slot);
            let told = wait_until(LIMIT, || {
                accounts.invalidate(slot, version, invalidation).is_ok()
            });
            assert!(told, "{store:?} is not told");
        }
    };
    let each_is = |expected: &dyn Fn(u32) -> Option<u64>| {
        server.kill();
        server.restart();
        for &slot in &slots {
            for way in 0..WAYS {
                let mut stored = accounts.stored(slot, way);
                wait_until(LIMIT, || {
                    stored = accounts.stored(slot, way);
                    stored.is_ok()
                });
                let stored = stored.expect("the server is back");
                assert_eq!(
                    stored,
                    expected(slot),
                    "{store:?}, slot {slot} by way {way}"
                );
            }
        }
    };
    for evict in EVICT {
        tell_all(PUT);
        sleep(WRITTEN);
        tell_all(evict);
        each_is(&|_| None);
    }
    for put in [PUT, REFRESH] {
        tell_all(PUT);
        sleep(WRITTEN);
        tell_all(put);
        each_is(&|slot| Some(accounts.truth.version(slot)));
    }
}

#[test]
fn on_mongodb() {
    let server = servers::Mongo::start();
    outlives_the_server(Store::MongoDb, &server, &server.url());
}

#[test]
fn on_redis() {
    let server = servers::Redis::start_durable();
    outlives_the_server(Store::Redis, &server, &server.url());
}
