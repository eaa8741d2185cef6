//! Two instances of the program with one server and one database: each sees what is changed through the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use cacheado_tests::servers::{self, wait_until};

/// Shorter than the time for which copies are kept while no changes are reported, and far shorter than answers live.
const SOON: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 20;

/// A running program, which ends when this is dropped.
struct Instance {
    program: Child,
    // kept open, because the program prints to it
    _output: BufReader<ChildStdout>,
    host: String,
    /// The address of a user, and that user's session.
    user: String,
    session: String,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Instance {
    fn start(redis: &str, database: &Path) -> Self {
        let words = "--serve --organizations 3 --users 12 --orders 600";
        let mut program = Command::new(env!("CARGO_BIN_EXE_storefront"))
            .args(words.split(' '))
            .args(["--secret-key", &"5e".repeat(32), "--redis", redis])
            .arg("--database")
            .arg(database)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(program.stdout.take().expect("it is piped"));
        let mut line = String::new();
        while !line.starts_with("try") {
            line.clear();
            let count = output.read_line(&mut line).expect("it prints text");
            assert!(count > 0, "it has ended");
        }
        // try curl -H 'Authorization: Bearer SESSION' http://HOST/organizations/ORG/users/USER/home
        let (_, rest) = line.split_once("Bearer ").expect("a session");
        let (session, rest) = rest.split_once('\'').expect("the session's end");
        let (_, address) = rest.split_once("http://").expect("an address");
        let (host, path) = address.split_once('/').expect("a path");
        let user = path.trim_end().strip_suffix("/home").expect("a page");
        Self {
            program,
            _output: output,
            host: host.to_owned(),
            user: format!("/{user}"),
            session: session.to_owned(),
        }
    }

    /// The whole answer.
    fn ask(&self, method: &str, page: &str, session: &str, body: &str) -> String {
        let Self { host, user, .. } = self;
        let mut stream = TcpStream::connect(host).expect("it listens");
        let len = body.len();
        write!(
            stream,
            "{method} {user}/{page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {session}\r\nContent-Length: {len}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    fn settings(&self) -> String {
        self.ask("GET", "settings", &self.session, "")
    }

    fn log_in(&self) -> String {
        let answer = self.ask("POST", "sessions", "", "");
        let (_, rest) = answer.split_once(r#""session_id":""#).expect("a session");
        rest.chars().take_while(|it| *it != '"').collect()
    }

    fn lets_in(&self, session: &str) -> bool {
        let answer = self.ask("GET", "profile", session, "");
        let refused = answer.starts_with("HTTP/1.1 401");
        assert!(refused || answer.starts_with("HTTP/1.1 200"), "{answer}");
        !refused
    }
}

#[test]
fn what_one_changes_the_other_sees() {
    let redis = servers::Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shop.sqlite");
    let instances = [(); 2].map(|()| Instance::start(&redis.url(), &database));
    for round in 0..ROUNDS {
        // until both receive each other's changes, copies may be as old as without that
        let soon = if round == 0 { PATIENCE } else { SOON };
        let (one, other) = (&instances[round % 2], &instances[(round + 1) % 2]);
        let theme = format!("theme-{round}");
        // the other instance keeps the old settings in its memory
        assert!(!other.settings().contains(&theme));
        let changed = one.ask("PUT", "settings/theme", &one.session, &theme);
        assert!(changed.starts_with("HTTP/1.1 204"), "{changed}");
        assert!(one.settings().contains(&theme), "round {round}");
        let seen = || other.settings().contains(&theme);
        assert!(
            wait_until(soon, seen),
            "round {round}: {}",
            other.settings()
        );

        let session = one.log_in();
        assert!(one.lets_in(&session) && other.lets_in(&session));
        let left = one.ask("DELETE", "sessions", &session, "");
        assert!(left.starts_with("HTTP/1.1 204"), "{left}");
        assert!(!one.lets_in(&session), "round {round}");
        let gone = wait_until(soon, || !other.lets_in(&session));
        assert!(gone, "round {round}");
    }
}

#[test]
fn a_key_that_is_none_is_said() {
    use clap::Parser;
    use storefront::args::Args;
    for key in ["5e", &"5e".repeat(33), &"xy".repeat(32)] {
        let line = ["storefront", "--serve", "--secret-key", key];
        let error = Args::try_parse_from(line).unwrap_err().to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
