//! The servers, and which of them has a key.

use std::cmp::Reverse;

use memcache::exp::Router;

use crate::error::{Error, Result};

/// The default port of memcached.
const PORT: u16 = 11_211;

/// How many names are tried to find one that a server owns.
const CANDIDATES: usize = 256;

/// The servers' addresses, as host and port. At least one.
#[derive(Clone, Debug)]
pub(super) struct Servers(Vec<String>);

impl Servers {
    pub(super) fn parse<A: AsRef<str>>(addresses: impl IntoIterator<Item = A>) -> Result<Self> {
        let servers: Vec<String> = addresses
            .into_iter()
            .map(|address| parse(address.as_ref()))
            .collect::<Result<_>>()?;
        if servers.is_empty() {
            return Err(Error::config(
                "Memcached",
                "give it the address of one server at least",
            ));
        }
        Ok(Self(servers))
    }

    pub(super) fn addresses(&self) -> &[String] {
        &self.0
    }

    /// For each server, one of the names given by `name` that this server owns; empty for a single server. Adding or removing a server
    /// seldom changes the names of the others: each server gets the name with the highest score there, which another server is least
    /// likely to beat.
    pub(super) fn names_at_each(&self, name: impl Fn(usize) -> String) -> Vec<String> {
        if self.0.len() == 1 {
            return Vec::new();
        }
        let at = |(nth, server): (usize, &String)| {
            let mut names: Vec<String> = (0..CANDIDATES).map(&name).collect();
            names.sort_by_cached_key(|name| Reverse(score(server, name.as_bytes())));
            let its = names
                .iter()
                .find(|name| self.route(name.as_bytes(), &[]) == nth);
            // with so many servers that none is owned, a name at another server is less precise and does no harm
            its.unwrap_or(&names[0]).clone()
        };
        self.0.iter().enumerate().map(at).collect()
    }
}

/// The rendezvous score of `key` at a server: the highest wins. The hash is the same in every build.
fn score(server: &str, key: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(server.as_bytes());
    hasher.update(&[0]);
    hasher.update(key);
    *hasher.finalize().as_bytes()
}

/// Normalizes `HOST`, `HOST:PORT`, or either after `memcached://`, to `HOST:PORT`.
fn parse(address: &str) -> Result<String> {
    // the address is not shown: it may contain a password
    let wrong = || {
        Error::config(
            "Memcached",
            "an address is `host:port` or `memcached://host:port`, without a user or a path",
        )
    };
    let address = match address.strip_prefix("memcached://") {
        Some(rest) => rest.strip_suffix('/').unwrap_or(rest),
        None => address,
    };
    // an IPv6 address has its colons in brackets
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (address, PORT),
    };
    let name = host
        .strip_prefix('[')
        .map_or(Some(host), |rest| rest.strip_suffix(']'));
    let bracketed = host.starts_with('[');
    let plain =
        |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || (bracketed && ":%".contains(c));
    match name {
        Some(name) if !name.is_empty() && name.chars().all(plain) => Ok(format!("{host}:{port}")),
        _ => Err(wrong()),
    }
}

impl Router for Servers {
    /// Rendezvous hashing (Thaler and Ravishankar, 1996): a key is at the server with the highest score for it. Adding or removing a
    /// server moves only that server's keys. The order of the servers does not matter.
    fn route(&self, key: &[u8], _: &[String]) -> usize {
        if self.0.len() == 1 {
            return 0;
        }
        let scored = self.0.iter().enumerate();
        scored
            .max_by_key(|(_, server)| score(server, key))
            .map_or(0, |(nth, _)| nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hosts_and_ports() {
        let parsed = |address| parse(address).unwrap();
        assert_eq!(parsed("127.0.0.1:1234"), "127.0.0.1:1234");
        assert_eq!(parsed("memcached://cache.example/"), "cache.example:11211");
        assert_eq!(parsed("[::1]:5"), "[::1]:5");
        assert_eq!(parsed("[::1]"), "[::1]:11211");
        for wrong in [
            "",
            ":1",
            "a:b",
            "a:70000",
            "a/b",
            "redis://a",
            "::1",
            "[a",
            "memcached://user:word@a:1",
            "a b",
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(
                error.contains("host:port") && !error.contains("word"),
                "{wrong}: {error}"
            );
        }
        assert!(Servers::parse::<&str>([]).is_err());
    }

    #[test]
    fn each_of_several_servers_has_a_name_of_its_own() {
        let name = |nth| format!("x/{nth}");
        let three = Servers::parse(["a", "b", "c"]).unwrap();
        let names = three.names_at_each(name);
        for (nth, name) in names.iter().enumerate() {
            assert_eq!(three.route(name.as_bytes(), &[]), nth);
        }
        let two = Servers::parse(["c", "a"]).unwrap().names_at_each(name);
        assert_eq!([&two[1], &two[0]], [&names[0], &names[2]]);
        let one = Servers::parse(["a"]).unwrap().names_at_each(name);
        assert_eq!(one.len(), 0);
    }

    #[test]
    fn a_server_less_moves_its_own_keys_alone() {
        let three = Servers::parse(["a", "b", "c"]).unwrap();
        let two = Servers::parse(["c", "a"]).unwrap();
        let mut counts = [0; 3];
        for key in 0..600_u32 {
            let key = key.to_be_bytes();
            let before = three.route(&key, &[]);
            counts[before] += 1;
            let after = two.route(&key, &[]);
            if before != 1 {
                assert_eq!(three.0[before], two.0[after]);
            }
        }
        assert!(
            counts.iter().all(|count| (150..250).contains(count)),
            "{counts:?}"
        );
    }
}
