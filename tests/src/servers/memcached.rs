//! Memcached.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::ops::Deref;

use super::programs::program;
use super::server::{Kind, Server};

/// A memcached with 64 MiB.
#[derive(Debug)]
pub struct Memcached(Server);

impl Memcached {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_with(arguments: &[&str]) -> Self {
        let program = program("memcached", "memcached");
        let more: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        Self(Server::start(Kind {
            name: "memcached",
            command: Box::new(move |port, _| {
                let port = port.to_string();
                // it refuses to run as root unless a user is named
                let line = [
                    "-l",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "0",
                    "-m",
                    "64",
                    "-u",
                    "nobody",
                ];
                let line = line.map(OsString::from);
                [&[program.clone().into()], &line[..], &more].concat()
            }),
            ready: Box::new(|port, _| answers(port)),
        }))
    }

    /// `memcached://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("memcached://{}", self.addr())
    }
}

impl Deref for Memcached {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(1)))?;
        stream.write_all(b"version\r\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        std::io::Result::Ok(line)
    };
    ask().is_ok_and(|line| line.starts_with("VERSION"))
}
