//! The servers of these tests, and a direct driver for use beside the backend.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use cacheado_tests::servers::Mongo;
use mongodb::bson::Document;
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection, Database};
use tokio::runtime::Runtime;

/// The runtime of the tests' own driver.
pub(super) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// One server shared by all tests that do not disturb it. It ends with the process.
pub(super) static SHARED: LazyLock<Mongo> = LazyLock::new(Mongo::start);

fn client(server: &Mongo) -> Client {
    RUNTIME.block_on(async {
        let mut options = ClientOptions::parse(server.url()).await.unwrap();
        options.server_selection_timeout = Some(Duration::from_millis(500));
        Client::with_options(options).unwrap()
    })
}

/// The documents of `database` on the shared server, unprocessed.
pub(super) fn documents(database: &str) -> Collection<Document> {
    self::database(database).collection("cacheado_cache_collection")
}

/// The database of this name on the shared server.
pub(super) fn database(name: &str) -> Database {
    client(&SHARED).database(name)
}

/// Runs `command`, and retries if it fails.
pub(super) fn admin(server: &Mongo, command: &Document) -> Document {
    let database = client(server).database("admin");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match RUNTIME.block_on(database.run_command(command.clone()).into_future()) {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
