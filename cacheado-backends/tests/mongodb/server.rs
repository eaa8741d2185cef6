//! A `mongod` of the tests' own: the one on the PATH, a replica set of one, on a free port, in a temporary directory.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};
use tokio::runtime::Runtime;

/// What the tests' own driver runs on.
pub(super) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// One server for all tests that leave it alone. It ends with the process.
pub(super) static SHARED: LazyLock<Mongod> = LazyLock::new(Mongod::start);

static NEXT: AtomicU16 = AtomicU16::new(0);

pub(super) struct Mongod {
    /// A shell that kills the server once nobody holds its input any more, however this process ends.
    guard: Child,
    port: u16,
    directory: PathBuf,
    replicated: bool,
}

impl Mongod {
    pub(super) fn start() -> Self {
        Self::launch(true)
    }

    pub(super) fn standalone() -> Self {
        Self::launch(false)
    }

    fn launch(replicated: bool) -> Self {
        let nth = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let directory = std::env::temp_dir().join(format!("cacheado-mongod-{process}-{nth}"));
        std::fs::create_dir_all(&directory).unwrap();
        let mut port = 15_000 + u16::try_from(process % 7_000).unwrap() + nth;
        while std::net::TcpListener::bind(("127.0.0.1", port)).is_err() {
            port += 1;
        }
        let guard = Self::guard(&directory, port, replicated);
        let server = Self {
            guard,
            port,
            directory,
            replicated,
        };
        if replicated {
            let member = doc! { "_id": 0, "host": format!("127.0.0.1:{port}") };
            server.admin(&doc! { "replSetInitiate": { "_id": "rs0", "members": [member] } });
        }
        server.await_primary();
        server
    }

    fn guard(directory: &std::path::Path, port: u16, replicated: bool) -> Child {
        let script = r#"
            directory=$1; port=$2; shift 2
            mongod --dbpath "$directory" --port "$port" --bind_ip 127.0.0.1 --nounixsocket \
                --wiredTigerCacheSizeGB 0.25 --setParameter ttlMonitorSleepSecs=1 \
                --setParameter diagnosticDataCollectionEnabled=false "$@" >"$directory/log" 2>&1 </dev/null &
            echo $! >"$directory/pid"
            cat >/dev/null
            kill -9 $(cat "$directory/pid")
            wait
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-c", script, "sh"])
            .arg(directory)
            .arg(port.to_string());
        if replicated {
            command.args(["--replSet", "rs0", "--oplogSize", "50"]);
        }
        command.stdin(Stdio::piped()).spawn().unwrap()
    }

    pub(super) fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    pub(super) fn client(&self) -> Client {
        RUNTIME.block_on(async {
            let mut options = ClientOptions::parse(self.uri()).await.unwrap();
            options.server_selection_timeout = Some(Duration::from_millis(500));
            Client::with_options(options).unwrap()
        })
    }

    pub(super) fn documents(&self, database: &str) -> Collection<Document> {
        self.client()
            .database(database)
            .collection("cacheado_cache_collection")
    }

    pub(super) fn admin(&self, command: &Document) -> Document {
        let client = self.client();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let database = client.database("admin");
            let answer = database.run_command(command.clone());
            match RUNTIME.block_on(answer.into_future()) {
                Ok(answer) => return answer,
                Err(error) if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(self.directory.join("log"));
                    panic!("no mongod on the PATH, or it fails: {error}\n{log:?}");
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn await_primary(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self
            .admin(&doc! { "hello": 1 })
            .get_bool("isWritablePrimary")
            .unwrap()
        {
            assert!(Instant::now() < deadline, "no primary");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.directory.join("pid")).unwrap();
        let done = Command::new("kill").args([signal, pid.trim()]).status();
        assert!(done.unwrap().success());
    }

    pub(super) fn pause(&self) {
        self.signal("-STOP");
    }

    pub(super) fn resume(&self) {
        self.signal("-CONT");
    }

    pub(super) fn kill(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        self.guard = Self::guard(&self.directory, self.port, self.replicated);
        self.await_primary();
    }
}

impl Drop for Mongod {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
