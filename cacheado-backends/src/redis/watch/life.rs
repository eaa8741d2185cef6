//! Detects a server that restarted and lost changes.
//!
//! A restarted server has the data that it last wrote to disk. If that is a snapshot, it brings back entries that were evicted after
//! the snapshot was made, and old values that were replaced.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, pipe};

use crate::backend::BackendResult;

/// Tolerance for when a server ended: it answered within the last two beats, and reports its uptime in whole seconds.
const INEXACT: Duration = Duration::from_secs(3);

/// What a server says about itself.
pub(super) struct Life {
    /// Identifies the server across restarts.
    node: String,
    /// The run id, new at each start; `None` if this user may not know it.
    run: Option<String>,
    age: Duration,
    /// Whether it logs each change as it comes, and so loses none.
    keeps_all: bool,
}

/// The lives seen last, and until when.
pub(super) struct Lives {
    runs: HashMap<String, String>,
    seen: Instant,
}

impl Life {
    pub(super) async fn of(node: String, mut of: MultiplexedConnection) -> BackendResult<Self> {
        let mut ask = pipe();
        ask.cmd("INFO").arg("server");
        ask.cmd("INFO").arg("persistence");
        let said: Result<(String, String), RedisError> = ask.query_async(&mut of).await;
        let (server, persistence) = match said {
            Err(error) if error.code() == Some("NOPERM") => Default::default(),
            said => said?,
        };
        let age = value_of("uptime_in_seconds", &server).and_then(|it| it.parse().ok());
        Ok(Self {
            node,
            run: value_of("run_id", &server).map(str::to_owned),
            age: Duration::from_secs(age.unwrap_or(0)),
            keeps_all: value_of("aof_enabled", &persistence) == Some("1"),
        })
    }
}

impl Lives {
    pub(super) fn none() -> Self {
        Self {
            runs: HashMap::new(),
            seen: Instant::now(),
        }
    }

    /// The runs in `now` that began since the servers were seen last and may have lost changes made before. A server with a longer
    /// uptime that takes a node's place was its replica, and has the same data.
    pub(super) fn that_forgot<'n>(&self, now: &'n [Life]) -> impl Iterator<Item = &'n str> {
        let since = self.seen.elapsed() + INEXACT;
        let forgot = move |life: &&Life| !life.keeps_all && life.age <= since;
        now.iter().filter(forgot).filter_map(|life| {
            let run = life.run.as_deref()?;
            let before = self.runs.get(&life.node)?;
            (before != run).then_some(run)
        })
    }

    pub(super) fn are(&mut self, now: Vec<Life>) {
        let known = now.into_iter().filter_map(|it| Some((it.node, it.run?)));
        self.runs = known.collect();
    }

    /// Notes that all of them were there until now.
    pub(super) fn end(&mut self) {
        self.seen = Instant::now();
    }
}

fn value_of<'i>(name: &str, info: &'i str) -> Option<&'i str> {
    let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(it, _)| *it == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(node: &str, run: &str, age: u64) -> Life {
        Life {
            node: node.to_owned(),
            run: Some(run.to_owned()),
            age: Duration::from_secs(age),
            keeps_all: false,
        }
    }

    #[test]
    fn one_that_began_again_has_forgotten() {
        const HOUR: u64 = 3600;
        let mut lives = Lives::none();
        lives.are(vec![life("a", "1", HOUR), life("b", "1", HOUR)]);
        lives.end();
        let forgot = |now| lives.that_forgot(&[now]).count() == 1;
        assert!(forgot(life("a", "2", 1)));
        assert!(forgot(life("b", "3", 0)));
        // the same run, a former replica, an unknown node, one that keeps all
        assert!(!forgot(life("a", "1", HOUR)));
        assert!(!forgot(life("a", "2", HOUR)));
        assert!(!forgot(life("c", "2", 1)));
        let keeps_all = true;
        assert!(!forgot(Life {
            keeps_all,
            ..life("a", "2", 1)
        }));
        // without a run id
        let run = None;
        assert!(!forgot(Life {
            run,
            ..life("a", "2", 1)
        }));
    }
}
