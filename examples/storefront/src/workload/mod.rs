//! Visits the service over HTTP as its users would: many tenants at once, a few of them most of the time, mostly reading.
//!
//! The same seed gives the same visits, so that two runs differ only in the cache. A run ends after a number of requests or a time,
//! whichever comes first. `plan` decides who does what, `visit` does it, `client` is one connection, and `measure` keeps the times.

mod client;
mod measure;
mod plan;
mod visit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::database::model::Visitor;

pub(crate) use measure::{Measured, Question};
pub(crate) use plan::Plan;

/// The visitors, and the limits of a run.
pub(crate) struct Workload {
    visitors: Arc<[Visitor]>,
    clients: u32,
    seed: u64,
    requests: u64,
    time: Duration,
}

/// The result of a run.
pub(crate) struct Outcome {
    pub(crate) measured: Measured,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Answers that were older than a write whose success was known before the question was asked.
    pub(crate) stale: Vec<String>,
    /// Answers that had to show a write of the same client.
    pub(crate) checked: u64,
}

impl Workload {
    pub(crate) fn new(visitors: Arc<[Visitor]>, args: &Args) -> Self {
        Self {
            visitors,
            clients: args.clients,
            seed: args.seed,
            requests: args.requests,
            time: args.phase_limit(),
        }
    }

    /// The same with a twentieth of the requests.
    pub(crate) fn brief(&self) -> Self {
        Self {
            visitors: Arc::clone(&self.visitors),
            requests: self.requests.div_ceil(20),
            ..*self
        }
    }

    /// Visits the service at `address`, and waits until all clients are done.
    ///
    /// Fails if the service answers anything other than what was asked for. A stale answer is part of the outcome instead.
    pub(crate) async fn run(
        &self,
        address: SocketAddr,
        title: &'static str,
    ) -> anyhow::Result<Outcome> {
        let limit = Arc::new(Limit::new(self.requests, self.time, title));
        let mut clients = JoinSet::new();
        let begin = Instant::now();
        for number in 0..self.clients {
            // the streams of the clients differ as much as those of two seeds
            let plan = Plan::new(
                Arc::clone(&self.visitors),
                self.seed.wrapping_add(u64::from(number) << 32),
            );
            clients.spawn(visit::visits(address, plan, Arc::clone(&limit)));
        }
        let mut outcome = Outcome {
            measured: Measured::default(),
            took: Duration::ZERO,
            stale: Vec::new(),
            checked: 0,
        };
        while let Some(client) = clients.join_next().await {
            let client = client??;
            outcome.measured.add(&client.measured);
            outcome.stale.extend(client.stale);
            outcome.checked += client.checked;
        }
        outcome.took = begin.elapsed();
        limit.bar.finish_and_clear();
        Ok(outcome)
    }
}

/// The limit of a run, shared by its clients.
struct Limit {
    requests: u64,
    sent: AtomicU64,
    deadline: Instant,
    bar: ProgressBar,
}

impl Limit {
    fn new(requests: u64, time: Duration, title: &'static str) -> Self {
        let style = "{msg} {bar:40} {human_pos}/{human_len} requests, {elapsed}";
        let style = ProgressStyle::with_template(style).expect("a correct template");
        let bar = ProgressBar::new(requests)
            .with_style(style)
            .with_message(title);
        Self {
            requests,
            sent: AtomicU64::new(0),
            deadline: Instant::now() + time,
            bar,
        }
    }

    /// Whether another visit may begin. A visit that has begun is finished, so a run ends a few requests late.
    fn allows_more(&self) -> bool {
        self.sent.load(Ordering::Relaxed) < self.requests && Instant::now() < self.deadline
    }

    fn count_request(&self) {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed);
        // drawing takes a lock, so this doesn't draw for each request
        if sent.is_multiple_of(256) {
            self.bar.set_position(sent);
        }
    }
}
