//! A server of any kind: its port, its directory, its process, and the operations on it.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::port::Port;
use super::process::Process;
use super::wait_until;

/// How long a server may take until it answers.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// How often another port is tried if the chosen one was taken meanwhile.
const ATTEMPTS: u32 = 5;

/// Returns the command line, given the port and the directory.
type CommandLine = dyn Fn(u16, &Path) -> Vec<OsString> + Send + Sync;
/// Returns whether the server answers, given the port and the directory.
type Ready = dyn Fn(u16, &Path) -> bool + Send + Sync;

/// A kind of server.
pub(crate) struct Kind {
    /// For messages and the directory's name.
    pub(crate) name: &'static str,
    /// The command line of a server that listens on a port and keeps its files in a directory.
    pub(crate) command: Box<CommandLine>,
    /// Whether the server on a port can be used.
    pub(crate) ready: Box<Ready>,
}

/// A server that runs until this is dropped. The test panics if it can't be started.
pub struct Server {
    kind: Arc<Kind>,
    port: Port,
    directory: PathBuf,
    process: Mutex<Option<Process>>,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let kind = Arc::new(kind);
        for _ in 0..ATTEMPTS {
            let server = Self {
                kind: Arc::clone(&kind),
                port: Port::claim(),
                directory: make_directory(kind.name),
                process: Mutex::new(None),
            };
            match server.launch() {
                Ok(()) => return server,
                // taken by something other than a test, since tests claim their ports
                Err(output) if output.to_lowercase().contains("address already in use") => {}
                Err(output) => panic!("{} did not start; it says: {output}", kind.name),
            }
        }
        panic!("{} found each port taken", kind.name);
    }

    /// Starts the process and waits until it is ready. If it ends or is not ready in time, the error is its output.
    fn launch(&self) -> Result<(), String> {
        let command = (self.kind.command)(self.port(), &self.directory);
        let process = Process::start(&self.directory, &command)
            .map_err(|error| format!("{error}: {command:?}"))?;
        let mut ready = false;
        wait_until(STARTS_WITHIN, || {
            ready = (self.kind.ready)(self.port(), &self.directory);
            // if the process has ended, it is another one that answers on its port
            let alive = process.is_alive();
            ready &= alive;
            ready || !alive
        });
        if ready {
            *self.process() = Some(process);
            return Ok(());
        }
        drop(process);
        Err(self.output())
    }

    /// What the server has printed.
    pub fn output(&self) -> String {
        let printed = fs::read(self.directory.join("output")).unwrap_or_default();
        String::from_utf8_lossy(&printed).into_owned()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address on which it listens: `127.0.0.1:PORT`.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The directory of its files, which is removed when this is dropped.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The id of the process; `None` once it was killed.
    pub fn id(&self) -> Option<u32> {
        self.process().as_ref().map(Process::id)
    }

    /// Kills it with SIGKILL. When this returns, it is gone, and its port refuses connections.
    pub fn kill(&self) {
        drop(self.process().take());
    }

    /// Starts it again on the same port and directory, after killing it if it runs. It is ready when this returns.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn restart(&self) {
        self.kill();
        if let Err(output) = self.launch() {
            panic!("{} did not start again; it says: {output}", self.kind.name);
        }
    }

    /// Stops it with SIGSTOP: its port still accepts connections, but nothing is answered.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it continue after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process();
        let process = process.as_ref().expect("the server runs");
        process.signal(signal).expect("the supervisor answers");
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.kind.name, self.addr())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn make_directory(name: &str) -> PathBuf {
    let unique = RandomState::new().hash_one(std::process::id());
    let directory = std::env::temp_dir().join(format!("cacheado-{name}-{unique:016x}"));
    fs::create_dir_all(&directory).expect("the temporary directory can be written to");
    directory
}
