//! A server that accepts and never answers.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::port::Port;

/// Accepts connections, and reads and answers nothing.
#[derive(Debug)]
pub struct Silent {
    port: Port,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silent {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If the system gives it no port.
    pub fn start() -> Self {
        let (port, listener) = Port::listen();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                if end.load(Ordering::Acquire) {
                    return;
                }
                open.push(stream);
            }
        });
        Self {
            port,
            ended,
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// `SCHEME://127.0.0.1:PORT`, whatever server it is taken for.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr())
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // wakes it
        let _ = TcpStream::connect(self.addr());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
