//! A single Redis.

use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::port::BUS;
use super::programs::program;
use super::proxy::Proxy;
use super::server::{Kind, Server};
use super::tls;

/// A Redis that writes nothing to disk: its data is lost when it is killed.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    tls: bool,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments, such as `["--requirepass", "secret"]`.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_with(arguments: &[&str]) -> Self {
        let more = arguments.iter().map(OsString::from).collect();
        Self::launch("redis", false, more)
    }

    /// Starts one that, when it is killed, has everything on disk that it has acknowledged. Its log alone (`appendonly yes`) does not
    /// ensure that: while the disk is busy, Redis writes the log a second or two later.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_durable() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Starts one that speaks only TLS, with a certificate for `localhost` and `127.0.0.1` by an authority of its own: see
    /// [`ca`](Self::ca).
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_tls() -> Self {
        Self::launch("redis-tls", true, Vec::new())
    }

    fn launch(name: &'static str, tls: bool, more: Vec<OsString>) -> Self {
        let program = program("redis", "redis-server");
        let server = Server::start(Kind {
            name,
            command: Box::new(move |port, directory| {
                let mut line: Vec<OsString> = vec![program.clone().into()];
                let mut add = |arguments: &[&str]| line.extend(arguments.iter().map(Into::into));
                let port = port.to_string();
                if tls {
                    tls::certify(directory);
                    add(&[
                        "--port",
                        "0",
                        "--tls-port",
                        &port,
                        "--tls-auth-clients",
                        "no",
                    ]);
                    for (option, file) in [
                        ("--tls-cert-file", tls::CERTIFICATE),
                        ("--tls-key-file", tls::KEY),
                        ("--tls-ca-cert-file", tls::CA),
                    ] {
                        let file = directory.join(file);
                        add(&[option, &file.to_string_lossy()]);
                    }
                } else {
                    add(&["--port", &port]);
                }
                add(&["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
                line.extend(["--dir".into(), directory.into()]);
                line.extend_from_slice(&more);
                line
            }),
            ready: Box::new(move |port, directory| {
                let answer = cli(port, tls.then_some(directory), &["ping"]);
                // one that asks for a password is ready, too
                answer.contains("PONG") || answer.contains("NOAUTH")
            }),
        });
        Self { server, tls }
    }

    /// `redis://127.0.0.1:PORT`, or with TLS `rediss://`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.addr())
    }

    /// The file with the certificate (PEM) of the authority, which clients of a server with TLS must trust.
    pub fn ca(&self) -> PathBuf {
        self.directory().join(tls::CA)
    }

    /// A proxy between the other nodes of a cluster and the port that this one has for them.
    pub(crate) fn bus(&self) -> Proxy {
        let mut bus = self.addr();
        bus.set_port(bus.port() + BUS);
        Proxy::start(bus)
    }

    /// Changes a setting of the running server.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    pub fn set(&self, setting: &str, value: &str) {
        let said = self.cli(&["CONFIG", "SET", setting, value]);
        assert_eq!(said, "OK", "{setting} {value}");
    }

    /// What `redis-cli` prints for a command, without the final line end: for what other clients of the server do. Errors are printed
    /// too.
    pub fn cli(&self, command: &[&str]) -> String {
        cli(self.port(), self.tls.then_some(self.directory()), command)
    }
}

impl Deref for Redis {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Runs `redis-cli` against `port`, with TLS if the directory of the certificates is given.
pub(crate) fn cli(port: u16, certificates: Option<&Path>, command: &[&str]) -> String {
    let mut client = Command::new(program("redis", "redis-cli"));
    client.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    if let Some(directory) = certificates {
        client
            .arg("--tls")
            .arg("--cacert")
            .arg(directory.join(tls::CA));
    }
    let output = client.args(command).output().expect("redis-cli starts");
    let printed = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&printed).trim_end().to_owned()
}
