//! MongoDB.

use std::ffi::OsString;
use std::ops::Deref;

use super::op_msg::{self, Document};
use super::programs::program;
use super::server::{Kind, Server};

const REPLICA: [&str; 4] = ["--replSet", "rs0", "--oplogSize", "50"];

/// A mongod, in a replica set of itself alone unless it is a standalone one. What it holds outlives [`kill`](Server::kill) as far as
/// its journal goes. Expired documents are swept each second.
#[derive(Debug)]
pub struct Mongo(Server);

impl Mongo {
    /// Starts one that is a replica set, `rs0`, and its primary.
    ///
    /// # Panics
    ///
    /// If it can't be had.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a replica set with more arguments, such as `["--setParameter", "enableTestCommands=1"]`.
    ///
    /// # Panics
    ///
    /// If it can't be had.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::launch(&[&REPLICA[..], arguments].concat(), |port| {
            is_primary(port, true)
        })
    }

    /// Starts one that is to be made a member of a set of several.
    pub(crate) fn member() -> Self {
        Self::launch(&REPLICA, |port| hello(port).is_some())
    }

    /// Starts one that is no replica set, and so has no change streams.
    ///
    /// # Panics
    ///
    /// If it can't be had.
    pub fn standalone() -> Self {
        Self::launch(&[], |port| is_primary(port, false))
    }

    fn launch(arguments: &[&str], ready: impl Fn(u16) -> bool + Send + Sync + 'static) -> Self {
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
                [&[program.clone().into()], &line[..], &files, &more].concat()
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

/// What the server on that port says of itself, if it does.
pub(crate) fn hello(port: u16) -> Option<Vec<u8>> {
    op_msg::run(port, Document::default().int("hello", 1)).ok()
}

/// Whether the server takes writes; makes a replica set of it if it is to be one and is not yet.
fn is_primary(port: u16, replica_set: bool) -> bool {
    let Some(hello) = hello(port) else {
        return false;
    };
    // it says so in this field until it has a configuration
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
