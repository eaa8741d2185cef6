//! Free ports, even among test processes that run at the same time.

use std::collections::hash_map::RandomState;
use std::fs::{File, create_dir_all};
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that systems give to outgoing connections, even with the 10,000 added that Redis Cluster uses for its own traffic.
/// The two ranges don't overlap.
const PORTS: std::ops::Range<u16> = 12_000..22_000;
/// What Redis Cluster adds to a port for its own traffic.
pub(crate) const BUS: u16 = 10_000;

/// A port that no other test on this machine gets while this is held. The system frees it when the process ends, in whatever way.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// Locked.
    _claim: File,
}

impl Port {
    /// A port on which nothing listens.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn claim() -> Self {
        Self::take(|number| (is_free(number) && is_free(number + BUS)).then_some(())).0
    }

    /// A port with a listener on it. To check that a port is free, and to listen on it later, may fail: a server that another test is
    /// just starting holds all sockets of this process for a moment, and so the one of the check.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn listen() -> (Self, TcpListener) {
        Self::take(|number| TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok())
    }

    /// The first port that is not claimed and for which `take` returns something.
    fn take<T>(take: impl Fn(u16) -> Option<T>) -> (Self, T) {
        let claims = std::env::temp_dir().join("cacheado-test-ports");
        create_dir_all(&claims).expect("the temporary directory can be written to");
        let size = u64::from(PORTS.end - PORTS.start);
        // begins anywhere, so that few processes meet
        let start = RandomState::new().hash_one(0);
        let mut candidates = (0..size).map(|nth| {
            let offset = u16::try_from((start.wrapping_add(nth)) % size).unwrap_or_default();
            PORTS.start + offset
        });
        let claimed = candidates.find_map(|number| {
            let claim = File::create(claims.join(number.to_string())).ok()?;
            claim.try_lock().ok()?;
            let taken = take(number)?;
            let port = Self {
                number,
                _claim: claim,
            };
            Some((port, taken))
        });
        claimed.expect("a port from 12000 to 21999 is free")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_is_in_use() {
        let ports: Vec<Port> = (0..50).map(|_| Port::claim()).collect();
        let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
        assert!(numbers.iter().all(|port| PORTS.contains(port)));
    }
}
