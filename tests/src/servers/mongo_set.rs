//! MongoDB as a replica set of several members.

use std::time::Duration;

use super::mongo::{Mongo, hello};
use super::op_msg::{self, Document};
use super::wait_until;

/// The time after which a missing primary is noticed.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the members may take to agree, on a busy machine.
const AGREES_WITHIN: Duration = Duration::from_secs(60);

/// The members of one replica set, `rs0`.
#[derive(Debug)]
pub struct MongoSet {
    members: Vec<Mongo>,
}

impl MongoSet {
    /// Three members that hold data.
    ///
    /// # Panics
    ///
    /// If they can't be started.
    pub fn start() -> Self {
        Self::of(false)
    }

    /// Two members that hold data, and an arbiter, which is the last member. If one of the two is gone, the other stays primary, and
    /// takes writes that no majority has.
    ///
    /// # Panics
    ///
    /// If they can't be started.
    pub fn with_arbiter() -> Self {
        Self::of(true)
    }

    fn of(arbiter: bool) -> Self {
        let set = Self {
            members: (0..3).map(|_| Mongo::member()).collect(),
        };
        let configured = set.members.iter().zip(0..).map(|(member, nth)| {
            let arbiter = arbiter && nth == 2;
            Document::default()
                .int("_id", nth)
                .text("host", &member.addr().to_string())
                .truth("arbiterOnly", arbiter)
                // required of an arbiter
                .int("priority", i32::from(!arbiter))
        });
        let milliseconds = i32::try_from(ELECTION_TIMEOUT.as_millis()).expect("short");
        let settings = Document::default()
            .int("electionTimeoutMillis", milliseconds)
            .int("heartbeatIntervalMillis", milliseconds / 4);
        let configuration = Document::default()
            .text("_id", "rs0")
            .array("members", &configured.collect::<Vec<_>>())
            .document("settings", &settings);
        let initiate = Document::default().document("replSetInitiate", &configuration);
        let answer = op_msg::run(set.members[0].port(), initiate);
        assert!(answer.is_ok(), "no set is made: {answer:?}");
        let whole = wait_until(AGREES_WITHIN, || set.is_whole());
        assert!(whole, "they do not agree: {set:?}");
        set
    }

    /// `mongodb://127.0.0.1:PORT,127.0.0.1:PORT,127.0.0.1:PORT/?replicaSet=rs0`.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self
            .members
            .iter()
            .map(|member| member.addr().to_string())
            .collect();
        format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))
    }

    /// The members, to kill, pause and restart. Each is a server of its own, and its `url()` is for that member alone.
    pub fn members(&self) -> &[Mongo] {
        &self.members
    }

    /// The member that takes writes, once there is one.
    ///
    /// # Panics
    ///
    /// If none is elected. Don't call this while a member is paused: it would wait for that member.
    pub fn primary(&self) -> &Mongo {
        let mut found = None;
        wait_until(AGREES_WITHIN, || {
            found = self.members.iter().find(|member| is(member, PRIMARY));
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("there is no primary: {self:?}"))
    }

    /// The members that hold data and take no writes. Don't call this while a member is paused.
    pub fn secondaries(&self) -> impl Iterator<Item = &Mongo> {
        self.members.iter().filter(|member| is(member, SECONDARY))
    }

    /// Makes the primary step down for `span`, even if the others lag behind, so that another one is elected.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn step_down(&self, span: Duration) {
        let seconds = i32::try_from(span.as_secs()).expect("short");
        let order = Document::default()
            .int("replSetStepDown", seconds)
            .int("secondaryCatchUpPeriodSecs", 0)
            .truth("force", true);
        // it may close the connection instead of answering
        let _ = op_msg::run(self.primary().port(), order);
    }

    /// Makes `level` the read concern of reads that don't name one.
    ///
    /// # Panics
    ///
    /// If it can't be set.
    pub fn read_by_default(&self, level: &str) {
        let concern = Document::default().text("level", level);
        let order = Document::default()
            .int("setDefaultRWConcern", 1)
            .document("defaultReadConcern", &concern);
        let answer = op_msg::run(self.primary().port(), order).expect("it answers");
        let said = String::from_utf8_lossy(&answer);
        assert!(op_msg::is_ok(&answer), "it is not set: {said}");
    }

    /// Whether all members are up, and one of them is the primary.
    pub fn is_whole(&self) -> bool {
        let mut primaries = 0;
        self.members.iter().all(|member| {
            let primary = is(member, PRIMARY);
            primaries += usize::from(primary);
            primary || is(member, SECONDARY) || is(member, "arbiterOnly")
        }) && primaries == 1
    }
}

const PRIMARY: &str = "isWritablePrimary";
const SECONDARY: &str = "secondary";

fn is(member: &Mongo, what: &str) -> bool {
    // a killed member is not asked, because its port may belong to another server
    member.id().is_some() && hello(member.port()).is_some_and(|hello| op_msg::is_true(&hello, what))
}
