//! Round trips to the nodes of a cluster. Each command goes to the node that owns its slot, and several nodes are asked concurrently.
//!
//! Each node has its own connection, so a node that hangs loses only its own. The nodes themselves are asked which node owns which
//! slots: at first, when one says that a slot is elsewhere, when one can't be reached, and in each new era.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redis::{Pipeline, Value, cmd};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::line::{Dropped, Line};
use super::owners::slot_of;
use super::reply::{self, Elsewhere};
use super::servers::{Address, Servers, address, at};
use super::topology::View;
use crate::backend::BackendResult;
use crate::io::{self, TimedOut, within};
use crate::sync::lock;

/// The shortest and longest pause before asking again a node that lacks some of a slot's keys or is wrong about their owner.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

pub(super) struct Cluster {
    servers: Arc<Servers>,
    timeout: Duration,
    runtime: Option<Handle>,
    lines: Mutex<HashMap<Address, Arc<Line>>>,
    /// Held while the owners of the slots are looked up.
    looking: Arc<tokio::sync::Mutex<()>>,
}

/// A pipe without an answer so far.
#[derive(Clone, Copy)]
struct Pending<'p> {
    nth: usize,
    pipe: &'p Pipeline,
    slot: u16,
}

impl<'p> Pending<'p> {
    fn new((nth, pipe): (usize, &'p Pipeline)) -> Self {
        let slot = slot_of(pipe);
        Self { nth, pipe, slot }
    }
}

/// A node, and whether it is only about to own the slot (`ASKING`).
type Asked = (Address, bool);

/// A node, the pipes it was asked, and its answers to them.
type Answered<'p> = (Address, Vec<Pending<'p>>, BackendResult<Vec<Vec<Value>>>);

impl Cluster {
    pub(super) fn new(servers: Arc<Servers>, timeout: Duration, runtime: Option<Handle>) -> Self {
        Self {
            servers,
            timeout,
            runtime,
            lines: Mutex::default(),
            looking: Arc::default(),
        }
    }

    /// The nodes' answers to each of `pipes`, each of which concerns one slot, within the timeout.
    ///
    /// # Errors
    ///
    /// If a node can't be reached, or does not answer in time.
    pub(super) async fn ask(
        self: &Arc<Self>,
        pipes: &[Pipeline],
        dropped: Dropped,
    ) -> BackendResult<Vec<Vec<Value>>> {
        let start = Instant::now();
        let asked = self.ask_since(start, pipes, dropped).await;
        asked.map_err(|error| io::of_all(self.timeout, error))
    }

    async fn ask_since(
        self: &Arc<Self>,
        start: Instant,
        pipes: &[Pipeline],
        dropped: Dropped,
    ) -> BackendResult<Vec<Vec<Value>>> {
        let mut answers = vec![Vec::new(); pipes.len()];
        let all = pipes.iter().enumerate().map(Pending::new);
        // each with the node to ask if that is only about to own its slot
        let mut rest: Vec<(Pending<'_>, Option<Address>)> = all.map(|it| (it, None)).collect();
        let mut pause = Duration::ZERO;
        let mut looked_again = false;
        loop {
            let mut version = self.servers.owners.version(self.servers.era());
            if version == 0 {
                self.look(version, self.left(start)).await?;
                version = self.servers.owners.version(self.servers.era());
            }
            let mut by_node: HashMap<Asked, Vec<Pending<'_>>> = HashMap::new();
            for (pending, about_to) in std::mem::take(&mut rest) {
                let asked = match about_to {
                    Some(node) => (node, true),
                    None => (self.owner(pending.slot)?, false),
                };
                by_node.entry(asked).or_default().push(pending);
            }
            let mut failure = None;
            for (node, portion, answered) in self.ask_nodes(by_node, start, dropped).await? {
                match answered {
                    Ok(answered) => {
                        for (pending, answer) in portion.into_iter().zip(answered) {
                            match reply::elsewhere(&answer, &node.0) {
                                None => {}
                                Some(Elsewhere::Moved(to)) => {
                                    self.servers.owners.moved(pending.slot, to);
                                    self.look_in_the_background(version);
                                    rest.push((pending, None));
                                }
                                Some(Elsewhere::Ask(to)) => rest.push((pending, Some(to))),
                                Some(Elsewhere::NotYet) => rest.push((pending, None)),
                            }
                            answers[pending.nth] = answer;
                        }
                    }
                    Err(error) => {
                        rest.extend(portion.into_iter().map(|pending| (pending, None)));
                        failure = Some(error);
                    }
                }
            }
            match failure {
                None if rest.is_empty() => return Ok(answers),
                None => {}
                // another node may own its slots by now
                Some(error) if error.is::<TimedOut>() || looked_again => {
                    self.look_in_the_background(version);
                    return Err(error);
                }
                Some(error) => {
                    looked_again = true;
                    let had = self.owners(&rest);
                    // if the lookup fails, the owners stay as they were
                    let _ = self.look(version, self.left(start)).await;
                    if self.owners(&rest) == had {
                        return Err(error);
                    }
                    continue;
                }
            }
            let paused = within(self.left(start), async {
                sleep(pause).await;
                Ok(())
            });
            if paused.await.is_err() {
                // redirections are answers too
                return Ok(answers);
            }
            pause = (pause * 2).clamp(PAUSES.0, PAUSES.1);
        }
    }

    /// Asks the nodes concurrently.
    async fn ask_nodes<'p>(
        self: &Arc<Self>,
        by_node: HashMap<Asked, Vec<Pending<'p>>>,
        start: Instant,
        dropped: Dropped,
    ) -> BackendResult<Vec<Answered<'p>>> {
        let mut asked = Vec::with_capacity(by_node.len());
        let mut questions = Vec::with_capacity(by_node.len());
        for ((node, about_to), portion) in by_node {
            questions.push((self.line(&node), question(&portion, about_to)));
            asked.push((node, about_to, portion));
        }
        let answers = match &questions[..] {
            // one node: no need to wake another thread
            [(line, question)] => vec![line.ask(question, self.left(start), dropped).await],
            _ => self.side_by_side(questions, start, dropped).await?,
        };
        let answered = asked.into_iter().zip(answers);
        let answered = answered.map(|((node, about_to, portion), answer)| {
            let answer = answer.map(|answer| split(&portion, about_to, answer));
            (node, portion, answer)
        });
        Ok(answered.collect())
    }

    async fn side_by_side(
        &self,
        questions: Vec<(Arc<Line>, Pipeline)>,
        start: Instant,
        dropped: Dropped,
    ) -> BackendResult<Vec<BackendResult<Vec<Value>>>> {
        let mut asking = JoinSet::new();
        let left = self.left(start);
        let mut answers: Vec<_> = questions
            .iter()
            .map(|_| Err("asking panicked".into()))
            .collect();
        for (nth, (line, question)) in questions.into_iter().enumerate() {
            let ask = async move { (nth, line.ask(&question, left, dropped).await) };
            asking.spawn_on(ask, io::runtime()?);
        }
        while let Some(joined) = asking.join_next().await {
            if let Ok((nth, answer)) = joined {
                answers[nth] = answer;
            }
        }
        Ok(answers)
    }

    /// Finds out which node owns which slots, unless another task has done so since `version`.
    ///
    /// A node that is cut off from the others does not know the masters elected since. So this waits for the views of more than half
    /// of the nodes, if so many answer in time, and uses the view with the latest election.
    async fn look(self: &Arc<Self>, version: u64, limit: Duration) -> BackendResult<()> {
        let start = Instant::now();
        let looking = Arc::clone(&self.looking);
        let _alone = within(limit, async { Ok(looking.lock_owned().await) }).await?;
        let era = self.servers.era();
        if self.servers.owners.version(era) > version {
            return Ok(());
        }
        let nodes: HashSet<Address> = self.seeds().chain(self.servers.owners.all()).collect();
        let half = nodes.len() / 2;
        let left = limit.saturating_sub(start.elapsed()) / 2;
        let mut asking = JoinSet::new();
        for node in nodes {
            let line = self.line(&node);
            let ask = async move {
                let question = View::question();
                let answer = line.ask(&question, left, Dropped::Harmless);
                (node, answer.await)
            };
            asking.spawn_on(ask, io::runtime()?);
        }
        let mut failure = "no node of the cluster serves any slots".into();
        let mut views = Vec::new();
        while let Some(joined) = asking.join_next().await {
            let (node, answer) = joined?;
            match answer.and_then(View::read) {
                Ok(view) if view.topology.masters().is_empty() => {}
                Ok(view) => views.push((node, view)),
                Err(error) => failure = error,
            }
            if views.len() > half {
                break;
            }
        }
        let latest = views
            .iter()
            .max_by_key(|(_, view)| (view.is_ok, view.epoch));
        let (node, view) = latest.ok_or(failure)?;
        self.servers.owners.learn(era, &view.topology, &node.0);
        let used: HashSet<Address> = self.seeds().chain(self.servers.owners.all()).collect();
        lock(&self.lines).retain(|node, _| used.contains(node));
        Ok(())
    }

    fn look_in_the_background(self: &Arc<Self>, version: u64) {
        if self.looking.try_lock().is_err() {
            return;
        }
        if let Ok(runtime) = io::runtime() {
            let cluster = Arc::clone(self);
            runtime.spawn(async move {
                if let Err(error) = cluster.look(version, cluster.timeout).await {
                    tracing::debug!(%error, "it is not known which node has which slots");
                }
            });
        }
    }

    fn owner(&self, slot: u16) -> BackendResult<Address> {
        let owner = self.servers.owners.of(slot);
        owner.ok_or_else(|| format!("no node of the cluster has slot {slot}").into())
    }

    fn owners(&self, of: &[(Pending<'_>, Option<Address>)]) -> Vec<Option<Address>> {
        let owners = of.iter().map(|(it, _)| self.servers.owners.of(it.slot));
        owners.collect()
    }

    fn seeds(&self) -> impl Iterator<Item = Address> {
        self.servers.nodes.iter().filter_map(address)
    }

    fn line(&self, node: &Address) -> Arc<Line> {
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.get(node) {
            return Arc::clone(line);
        }
        let server = at(self.servers.nodes[0].clone(), node.clone());
        let (servers, runtime) = (Arc::clone(&self.servers), self.runtime.clone());
        let line = Arc::new(Line::new(servers, Some(server), self.timeout, runtime));
        lines.insert(node.clone(), Arc::clone(&line));
        line
    }

    fn left(&self, start: Instant) -> Duration {
        self.timeout.saturating_sub(start.elapsed())
    }
}

/// Joins the commands of `portion` into one pipe. A node that is only `about_to` own the slot needs an `ASKING` before each of them.
fn question(portion: &[Pending<'_>], about_to: bool) -> Pipeline {
    let mut question = Pipeline::new();
    for command in portion.iter().flat_map(|it| it.pipe.cmd_iter()) {
        if about_to {
            question.add_command(cmd("ASKING"));
        }
        question.add_command(command.clone());
    }
    question
}

/// Splits the answers to a [`question`] by the pipes of `portion`.
fn split(portion: &[Pending<'_>], about_to: bool, answers: Vec<Value>) -> Vec<Vec<Value>> {
    let step = if about_to { 2 } else { 1 };
    let mut answers = answers.into_iter().skip(step - 1).step_by(step);
    let of = |it: &Pending<'_>| answers.by_ref().take(it.pipe.len()).collect();
    portion.iter().map(of).collect()
}
