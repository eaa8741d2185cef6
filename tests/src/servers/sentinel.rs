//! Redis with sentinels, which make the replica the master when the master is gone.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::programs::program;
use super::redis::{Redis, cli};
use super::server::{Kind, Server};
use super::wait_until;

/// A master, its replica, and three sentinels that watch them. A master that is gone for a second is replaced.
#[derive(Debug)]
pub struct Sentinel {
    redis: [Redis; 2],
    sentinels: Vec<Server>,
}

/// How long they may take to find each other.
const AGREES_WITHIN: Duration = Duration::from_secs(60);

impl Sentinel {
    /// The name by which the sentinels know the master.
    pub const MASTER: &str = "mymaster";

    /// Starts them, which takes some seconds.
    ///
    /// # Panics
    ///
    /// If they can't be started.
    pub fn start() -> Self {
        let master = Redis::start_with(&["--repl-diskless-sync-delay", "0"]);
        let port = master.port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
        // a sentinel asks the master for its replicas when it starts, and then after ten seconds
        let follows = wait_until(AGREES_WITHIN, || is_linked(&replica));
        assert!(follows, "the replica does not follow: {replica:?}");
        let sentinels = (0..3).map(|_| start_sentinel(master.port())).collect();
        let all = Self {
            redis: [master, replica],
            sentinels,
        };
        let agreed = wait_until(AGREES_WITHIN, || all.is_whole());
        assert!(agreed, "the sentinels do not agree: {all:?}");
        all
    }

    /// A single sentinel, which takes `redis` for the master, whatever it is.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn that_names(redis: &Redis) -> Server {
        start_sentinel(redis.port())
    }

    /// Makes the replica the master, although the old master is still there. That one goes on as a master for some seconds, until the
    /// sentinels tell it. Returns the old and the new master, once a sentinel names the new one.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn fail_over(&self) -> (&Redis, &Redis) {
        let named = || self.master().map(|redis| redis.port());
        let [one, other] = &self.redis;
        let (old, new) = if named() == Some(one.port()) {
            (one, other)
        } else {
            (other, one)
        };
        let said = self.ask(&["failover", Self::MASTER]);
        let named = wait_until(AGREES_WITHIN, || named() == Some(new.port()));
        assert!(named, "the sentinels say {said}");
        (old, new)
    }

    /// The sentinels' URLs.
    pub fn urls(&self) -> Vec<String> {
        let addresses = self.sentinels.iter().map(Server::addr);
        addresses.map(|addr| format!("redis://{addr}")).collect()
    }

    /// Both servers. The first one is the initial master.
    pub fn redis(&self) -> &[Redis; 2] {
        &self.redis
    }

    /// The sentinels, to kill and restart.
    pub fn sentinels(&self) -> &[Server] {
        &self.sentinels
    }

    /// The server that the sentinels name as the master now, if they name one.
    pub fn master(&self) -> Option<&Redis> {
        let answer = self.ask(&["get-master-addr-by-name", Self::MASTER]);
        let port = answer.lines().nth(1)?;
        self.redis
            .iter()
            .find(|redis| redis.port().to_string() == port)
    }

    /// Whether each sentinel knows the two others and a replica that follows the master.
    pub fn is_whole(&self) -> bool {
        self.sentinels.iter().all(|sentinel| {
            let lines = cli(sentinel.port(), None, &["sentinel", "master", Self::MASTER]);
            let lines: Vec<&str> = lines.lines().collect();
            let says =
                |what: &str, number: &str| lines.windows(2).any(|pair| pair == [what, number]);
            says("num-slaves", "1") && says("num-other-sentinels", "2")
        }) && self.redis.iter().any(is_linked)
    }

    /// The answer of the first sentinel that runs.
    fn ask(&self, question: &[&str]) -> String {
        let answers = self.sentinels.iter().filter_map(|sentinel| {
            sentinel.id()?;
            Some(cli(
                sentinel.port(),
                None,
                &[&["sentinel"], question].concat(),
            ))
        });
        answers.into_iter().next().unwrap_or_default()
    }
}

fn is_linked(replica: &Redis) -> bool {
    let info = replica.cli(&["info", "replication"]);
    info.contains("master_link_status:up")
}

fn start_sentinel(master: u16) -> Server {
    let program = program("redis", "redis-server");
    Server::start(Kind {
        name: "redis-sentinel",
        command: Box::new(move |port, directory| {
            let file = directory.join("sentinel.conf");
            configure(&file, port, master);
            vec![program.clone().into(), file.into(), "--sentinel".into()]
        }),
        ready: Box::new(|port, _| cli(port, None, &["ping"]).contains("PONG")),
    })
}

/// Sentinels keep what they learn in this file, so a sentinel that starts again keeps its file.
fn configure(file: &Path, port: u16, master: u16) {
    if file.exists() {
        return;
    }
    let name = Sentinel::MASTER;
    let text = format!(
        "port {port}\n\
         bind 127.0.0.1\n\
         sentinel monitor {name} 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds {name} 1000\n\
         sentinel failover-timeout {name} 5000\n\
         sentinel parallel-syncs {name} 1\n"
    );
    fs::write(file, text).expect("the directory can be written to");
}
