//! MongoDB.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::op_msg::{self, Document};
use super::programs::program;
use super::server::{Kind, Server};

const REPLICA: [&str; 4] = ["--replSet", "rs0", "--oplogSize", "50"];

/// A mongod: a replica set of one member, unless it is standalone. Its data survives [`kill`](Server::kill) as far as it is in the
/// journal. Expired documents are removed every second.
#[derive(Debug)]
pub struct Mongo(Server);

impl Mongo {
    /// Starts one that is a replica set, `rs0`, and its primary.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a replica set with more arguments, such as `["--setParameter", "enableTestCommands=1"]`.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments = [&REPLICA[..], arguments].concat();
        Self::launch(&arguments, None, |port| is_primary(port, true))
    }

    /// Starts a replica set whose members authenticate by a key, and which has one user, `user`, who may do everything.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn with_root(user: &str, password: &str) -> Self {
        let mongo = Self::launch(&REPLICA, Some("key"), |port| is_primary(port, true));
        let role = Document::default().text("role", "root").text("db", "admin");
        let create = Document::default()
            .text("createUser", user)
            .text("pwd", password)
            .array("roles", &[role]);
        // anybody may create the first user
        let made = op_msg::run(mongo.port(), create).expect("it answers");
        let said = String::from_utf8_lossy(&made);
        assert!(op_msg::is_ok(&made), "there is no user: {said}");
        mongo
    }

    /// Starts one that is going to be a member of a larger set.
    pub(crate) fn member() -> Self {
        Self::launch(&REPLICA, None, |port| hello(port).is_some())
    }

    /// Starts one that is not a replica set, and so has no change streams.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn standalone() -> Self {
        Self::launch(&[], None, |port| is_primary(port, false))
    }

    /// `key`: the name of its key file, if it is to have one.
    fn launch(
        arguments: &[&str],
        key: Option<&'static str>,
        ready: impl Fn(u16) -> bool + Send + Sync + 'static,
    ) -> Self {
        let program = program("mongod", "mongod");
        let more: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Self(Server::start(Kind {
            name: "mongod",
            command: Box::new(move |port, directory| {
                let port = port.to_string();
                let line = [
                    ["--port", &port],
                    ["--bind_ip", "127.0.0.1"],
                    ["--wiredTigerCacheSizeGB", "0.25"],
                    ["--setParameter", "ttlMonitorSleepSecs=1"],
                    ["--setParameter", "diagnosticDataCollectionEnabled=false"],
                ];
                let line: Vec<OsString> = line.concat().iter().map(OsString::from).collect();
                let files = ["--nounixsocket".into(), "--dbpath".into(), directory.into()];
                let key = key.map(|name| ["--keyFile".into(), make_key(&directory.join(name))]);
                let key = key.as_ref().map_or(&[][..], |key| key);
                [&[program.clone().into()], &line[..], &files, &more, key].concat()
            }),
            ready: Box::new(move |port, _| ready(port)),
        }))
    }

    /// `mongodb://127.0.0.1:PORT/?directConnection=true`.
    pub fn url(&self) -> String {
        format!("mongodb://{}/?directConnection=true", self.addr())
    }
}

impl Deref for Mongo {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

/// A file that only its owner can read, or mongod would refuse it.
fn make_key(file: &Path) -> OsString {
    let mut options = File::options();
    let made = options.create(true).write(true).truncate(true).mode(0o600);
    let written = made.open(file).and_then(|mut it| it.write_all(b"cacheado"));
    written.expect("the directory can be written to");
    file.into()
}

/// What the server on that port says about itself, if it answers.
pub(crate) fn hello(port: u16) -> Option<Vec<u8>> {
    op_msg::run(port, Document::default().int("hello", 1)).ok()
}

/// Whether the server takes writes. Makes it a replica set if it should be one and is not yet.
fn is_primary(port: u16, replica_set: bool) -> bool {
    let Some(hello) = hello(port) else {
        return false;
    };
    // the server sets this field until it has a configuration
    if replica_set && op_msg::is_true(&hello, "isreplicaset") {
        let member = Document::default()
            .int("_id", 0)
            .text("host", &format!("127.0.0.1:{port}"));
        let set = Document::default()
            .text("_id", "rs0")
            .array("members", &[member]);
        // if it fails, the next hello shows it
        let _ = op_msg::run(port, Document::default().document("replSetInitiate", &set));
        return false;
    }
    op_msg::is_true(&hello, "isWritablePrimary")
}
