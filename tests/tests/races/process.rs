//! A process, seen from the test: it receives orders as lines, and answers each with a line.

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

/// The variable with the settings of a process.
pub const SETTINGS: &str = "CACHEADO_TEST_SETTINGS";
/// The first character of a line that is an answer.
pub const ANSWER: char = '@';
/// The number of an answer that reports a panic of any thread.
pub const PANIC: &str = "panic";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Store {
    Redis,
    MongoDb,
    Memcached,
}

/// The settings of a process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    pub store: Store,
    pub url: String,
    pub directory: PathBuf,
    /// The time limit of an operation of the shared tier.
    pub timeout: Duration,
    pub coherence: Duration,
    pub flight_timeout: Duration,
    /// The longest time a body takes.
    pub slowness: Duration,
}

impl Settings {
    /// The settings that most tests use.
    pub fn new(store: Store, url: &str, directory: &Directory) -> Self {
        Self {
            store,
            url: url.to_owned(),
            directory: directory.path().to_owned(),
            // so that a busy machine does not look like an outage
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

    /// What a process works with. The test itself uses a shared-only cache.
    pub fn accounts(&self, in_process: bool) -> Accounts {
        let cache = self.builder().in_process(in_process).build();
        let truth = Truth::open(&self.directory);
        Accounts::new(cache.expect("a cache"), truth, self.slowness)
    }
}

/// A directory of one test, removed when dropped.
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

/// The pending answer to an order.
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
            // no more answers come
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

    /// Sends `STOP` or `CONT`. The process is this one's child and has not been waited for, so its id is still its own.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success());
    }

    /// Kills the process with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was alive");
        self.child.wait().expect("it ends");
    }

    /// Panics if any thread of the process has panicked.
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
    /// The numbers of the answer. Panics if there are none, since something went wrong in the process.
    pub fn numbers(self) -> Vec<u64> {
        let answer = self.receiver.recv_timeout(Duration::from_secs(60));
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", self.order));
        let numbers: Result<Vec<u64>, _> = answer.split_whitespace().map(str::parse).collect();
        numbers.unwrap_or_else(|_| panic!("{}: {answer}", self.order))
    }
}
