//! A process, seen from the test: it is told lines, and answers each with a line.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cacheado::backends::{Memcached, MongoDb, Redis};
use cacheado::{Cache, CacheBuilder};
use serde::{Deserialize, Serialize};

use crate::accounts::Accounts;
use crate::truth::Truth;

/// Where a process is told how it is to work.
pub const SETTINGS: &str = "CACHEADO_TEST_SETTINGS";
/// What a line begins with that is an answer.
pub const ANSWER: char = '@';
/// Whose answer it is if a thread panics that nobody asked.
pub const PANIC: &str = "panic";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Store {
    Redis,
    MongoDb,
    Memcached,
}

/// How a process is to work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub store: Store,
    pub url: String,
    pub directory: PathBuf,
    /// How long an operation of the shared tier may take.
    pub timeout: Duration,
    pub coherence: Duration,
    pub flight_timeout: Duration,
    /// How long a body takes at most.
    pub slowness: Duration,
}

impl Settings {
    /// As most tests have it.
    pub fn new(store: Store, url: &str, directory: &Directory) -> Self {
        Self {
            store,
            url: url.to_owned(),
            directory: directory.path().to_owned(),
            // so that a busy machine is not taken for an outage
            timeout: Duration::from_secs(10),
            coherence: Duration::from_secs(5),
            flight_timeout: Duration::from_secs(5),
            slowness: Duration::ZERO,
        }
    }

    pub fn builder(&self) -> CacheBuilder {
        let builder = Cache::builder()
            .name("races")
            .coherence(self.coherence)
            .flight_timeout(self.flight_timeout);
        let (url, timeout) = (&self.url, self.timeout);
        match self.store {
            Store::Redis => builder.backend(Redis::new(url).expect("a URL").timeout(timeout)),
            Store::MongoDb => builder.backend(MongoDb::new(url).expect("a URI").timeout(timeout)),
            Store::Memcached => {
                builder.backend(Memcached::new(url).expect("an address").timeout(timeout))
            }
        }
    }

    /// What a process works with; in the test itself, with a cache that has nothing but the shared tier.
    pub fn accounts(&self, in_process: bool) -> Accounts {
        let cache = self.builder().in_process(in_process).build();
        let truth = Truth::open(&self.directory);
        Accounts::new(cache.expect("a cache"), truth, self.slowness)
    }
}

/// A directory of a test's own, which goes with it.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new(test: &str) -> Self {
        let name = format!("cacheado-races-{test}-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("it can be written to");
        Self(directory)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Waiting = HashMap<String, Sender<String>>;

pub struct Process {
    child: Child,
    orders: ChildStdin,
    number: AtomicU64,
    waiting: Arc<Mutex<Waiting>>,
    panics: Receiver<String>,
}

/// What will be said to an order.
pub struct Answer {
    order: String,
    receiver: Receiver<String>,
}

impl Process {
    pub fn start(settings: &Settings) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--ignored", "--exact", "worker::a_process", "--nocapture"])
            .env(
                SETTINGS,
                serde_json::to_string(settings).expect("plain values"),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let orders = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let waiting: Arc<Mutex<Waiting>> = Arc::default();
        let (report, panics) = mpsc::channel();
        let asked = Arc::clone(&waiting);
        thread::spawn(move || {
            for line in answers.lines().map_while(Result::ok) {
                let Some((number, answer)) = line
                    .strip_prefix(ANSWER)
                    .and_then(|line| line.split_once(' '))
                else {
                    continue;
                };
                let sender = asked.lock().unwrap().remove(number);
                match sender {
                    Some(sender) => drop(sender.send(answer.to_owned())),
                    None => drop(report.send(answer.to_owned())),
                }
            }
            // nobody answers any more
            asked.lock().unwrap().clear();
        });
        Self {
            child,
            orders,
            number: AtomicU64::new(0),
            waiting,
            panics,
        }
    }

    pub fn tell(&mut self, order: impl Into<String>) -> Answer {
        let order = order.into();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel();
        self.waiting
            .lock()
            .unwrap()
            .insert(number.to_string(), sender);
        writeln!(self.orders, "{number} {order}").expect("the process lives");
        Answer { order, receiver }
    }

    pub fn ask(&mut self, order: impl Into<String>) -> Vec<u64> {
        self.tell(order).numbers()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `STOP` or `CONT`. It is this process's child and has not been waited for, so the id is still its own.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success());
    }

    /// Kills it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was alive");
        self.child.wait().expect("it ends");
    }

    /// Fails if any thread of it has panicked.
    pub fn assert_well(&self) {
        if let Ok(panic) = self.panics.try_recv() {
            panic!("a thread of the process has panicked: {panic}");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// The numbers that it answers with. Fails if it has none, since something went wrong in the process.
    pub fn numbers(self) -> Vec<u64> {
        let answer = self.receiver.recv_timeout(Duration::from_secs(60));
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.order));
        let numbers: Result<Vec<u64>, _> = answer.split_whitespace().map(str::parse).collect();
        numbers.unwrap_or_else(|_| panic!("{}: {answer}", self.order))
    }
}
