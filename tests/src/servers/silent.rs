//! A server that accepts connections and never answers.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::port::Port;

/// Accepts connections. It reads and answers nothing.
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
    /// If there is no free port.
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

    /// The address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port.number()).into()
    }

    /// `SCHEME://127.0.0.1:PORT`, for whatever server it stands in.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.addr())
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // wakes the thread
        let _ = TcpStream::connect(self.addr());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
