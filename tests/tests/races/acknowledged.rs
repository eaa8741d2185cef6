//! A server that keeps what it has on disk and is killed right after it has acknowledged an eviction does not come back with what was
//! evicted. That is so for what the documentation names: MongoDB with `write_concern_majority`, Redis with its append-only file.

use std::thread::sleep;
use std::time::Duration;

use cacheado_tests::servers::{self, Server, wait_until};

use crate::accounts::{WAYS, slot};
use crate::process::{Directory, Settings, Store};

const LIMIT: Duration = Duration::from_secs(20);
/// By then all is in the journal that is written every tenth of a second. There is nobody who could be asked.
const WRITTEN: Duration = Duration::from_millis(300);
const PUT: u64 = 7;
const EVICT: u64 = 6;

fn stays_evicted(store: Store, server: &Server, url: &str) {
    let directory = Directory::new(&format!("acknowledged-{store:?}"));
    let settings = Settings {
        majority: true,
        ..Settings::new(store, url, &directory)
    };
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
    for _ in 0..3 {
        tell_all(PUT);
        sleep(WRITTEN);
        tell_all(EVICT);
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
                assert_eq!(stored, None, "{store:?}, slot {slot} by way {way}");
            }
        }
    }
}

#[test]
fn on_mongodb() {
    let server = servers::Mongo::start();
    stays_evicted(Store::MongoDb, &server, &server.url());
}

#[test]
fn on_redis() {
    let server = servers::Redis::start_with(&["--appendonly", "yes"]);
    stays_evicted(Store::Redis, &server, &server.url());
}
