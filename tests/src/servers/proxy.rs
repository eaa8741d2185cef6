//! A network between a client and a server, which can be made to fail.

use std::fmt;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use socket2::SockRef;

use super::port::Port;

/// The most bytes of a client that are accepted without being read, including the kernel's doubling. Without a limit, the system
/// enlarges the buffer as it likes.
const UNREAD: usize = 64 * 1024;

/// Forwards what arrives at its port to a server, and the answers back, until told otherwise.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    network: Arc<Network>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Network {
    server: SocketAddr,
    traffic: Mutex<Traffic>,
    changed: Condvar,
    meanwhile: Meanwhile,
}

/// What is to happen between a request and its answer.
#[derive(Default)]
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Meanwhile {
    fn set(&self, happens: Box<dyn FnOnce() + Send>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(happens);
    }

    fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

#[derive(Debug)]
struct Traffic {
    state: State,
    /// Both ends of each connection, the client's first.
    open: Vec<TcpStream>,
    /// Clients that will never be answered.
    swallowed: Vec<TcpStream>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flowing,
    Swallowing,
    Stalled,
    Cut,
    Ended,
}

impl Proxy {
    /// Starts one in front of `server`.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn start(server: SocketAddr) -> Self {
        let (port, listener) = Port::listen();
        // inherited by each connection
        SockRef::from(&listener)
            .set_recv_buffer_size(UNREAD / 2)
            .expect("a socket's buffer may be small");
        let network = Arc::new(Network {
            server,
            traffic: Mutex::new(Traffic {
                state: State::Flowing,
                open: Vec::new(),
                swallowed: Vec::new(),
            }),
            changed: Condvar::new(),
            meanwhile: Meanwhile::default(),
        });
        let of_thread = Arc::clone(&network);
        let thread = thread::spawn(move || of_thread.accept(&listener));
        Self {
            port,
            network,
            thread: Some(thread),
        }
    }

    /// The address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// `SCHEME://127.0.0.1:PORT`.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr())
    }

    /// Closes all connections, and each new one at once.
    pub fn cut(&self) {
        self.network.enter(State::Cut);
    }

    /// Lets nothing pass in either direction, and closes nothing, as if a cable were pulled out. What is sent meanwhile arrives after
    /// [`restore`](Self::restore): up to 80 KiB that were accepted already, and whatever the sender has not given up.
    pub fn stall(&self) {
        self.network.enter(State::Stalled);
    }

    /// Accepts new connections, and never answers or closes them, not even after [`restore`](Self::restore): a load balancer with
    /// nothing behind it. Open connections continue.
    pub fn swallow(&self) {
        self.network.enter(State::Swallowing);
    }

    /// The number of accepted connections that will never be answered.
    pub fn swallowed(&self) -> usize {
        self.network.traffic().swallowed.len()
    }

    /// Runs `happens` once the server has answered the next request, before the client gets the answer.
    pub fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        self.network.meanwhile.set(Box::new(happens));
    }

    /// The number of connections that the client has closed while it had unsent data, which it dropped. During a
    /// [`stall`](Self::stall), only such closing is noticed.
    pub fn given_up(&self) -> usize {
        let is_reset = |client: &&TcpStream| client.peer_addr().is_err();
        let traffic = self.network.traffic();
        traffic.open.iter().step_by(2).filter(is_reset).count()
    }

    /// Lets everything pass again.
    pub fn restore(&self) {
        self.network.enter(State::Flowing);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.network.enter(State::Ended);
        // wakes the thread
        let _ = TcpStream::connect(self.addr());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Network {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, state: State) {
        let mut traffic = self.traffic();
        traffic.state = state;
        if matches!(state, State::Cut | State::Ended) {
            for stream in traffic.open.drain(..) {
                // it may be closed already
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            let mut traffic = self.traffic();
            match traffic.state {
                State::Ended => return,
                // dropped, and so closed
                State::Cut => continue,
                State::Swallowing => {
                    traffic.swallowed.extend(client);
                    continue;
                }
                State::Flowing | State::Stalled => drop(traffic),
            }
            if let Ok(client) = client {
                // if the server is not there, the client's connection is closed
                let _ = self.connect(client);
            }
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(self.server)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let mut traffic = self.traffic();
        if matches!(traffic.state, State::Cut | State::Ended) {
            return Ok(());
        }
        traffic.open.push(client.try_clone()?);
        traffic.open.push(server.try_clone()?);
        drop(traffic);
        let asks = (client.try_clone()?, server.try_clone()?, false);
        for (from, to, answers) in [asks, (server, client, true)] {
            let network = Arc::clone(self);
            thread::spawn(move || network.copy(from, to, answers));
        }
        Ok(())
    }

    /// Forwards what arrives from `from` until either end closes. `answers`: whether that is the server.
    fn copy(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut bytes) {
            let stalled = |traffic: &mut Traffic| traffic.state == State::Stalled;
            drop(self.changed.wait_while(self.traffic(), stalled));
            if answers && let Some(happens) = self.meanwhile.take() {
                happens();
            }
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
