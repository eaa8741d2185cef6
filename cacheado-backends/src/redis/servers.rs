//! The servers, and how each kind is connected to.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    RedisError, RedisResult, TlsCertificates, parse_redis_url,
};

use super::owners::Owners;
use crate::backend::BackendResult;
use crate::{Error, io};

/// Host and port.
pub(super) type Address = (String, u16);

/// One server, the nodes of a cluster, or the sentinels that watch a master.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) kind: Kind,
    /// The server, the seed nodes of the cluster, or the sentinels.
    pub(super) nodes: Vec<ConnectionInfo>,
    /// Used instead of the system's root certificates.
    certificates: Option<TlsCertificates>,
    /// Counts how many times the relevant servers may have changed.
    era: Arc<AtomicU64>,
    /// In a cluster: the owners of the slots.
    pub(super) owners: Arc<Owners>,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Single,
    Cluster,
    /// The sentinels of the master with this name.
    Sentinels(String),
}

impl Servers {
    /// # Errors
    ///
    /// If there is no URL, or one is not a Redis URL.
    pub(super) fn new(
        kind: Kind,
        urls: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> crate::Result<Self> {
        let nodes: Result<Vec<_>, _> = urls
            .into_iter()
            .map(|url| match url.as_ref() {
                url if splits_a_password(url) => Err(misfit("no address could be made out")),
                url => match url.into_connection_info() {
                    Ok(node) => Ok(node.set_tcp_settings(sockets())),
                    Err(error) => Err(misfit(&error)),
                },
            })
            .collect();
        let nodes = nodes?;
        if nodes.is_empty() {
            return Err(Error::config("redis", "give the URL of a server at least"));
        }
        if matches!(&kind, Kind::Sentinels(master) if master.is_empty()) {
            return Err(Error::config(
                "redis",
                "sentinels are asked for a master by its name, which is empty: give that which `sentinel monitor` has in their configuration",
            ));
        }
        if nodes.iter().any(is_encrypted) {
            // another part of the program may have installed one already
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let servers = Self {
            kind,
            nodes,
            certificates: None,
            era: Arc::default(),
            owners: Arc::default(),
        };
        if servers.kind == Kind::Cluster {
            servers.fit_together()?;
        }
        Ok(servers)
    }

    /// Checks that all nodes are reached in the same way, as nodes found later will be.
    fn fit_together(&self) -> crate::Result<()> {
        let way = |node: &ConnectionInfo| {
            let settings = node.redis_settings();
            let user = settings.username().map(str::to_owned);
            let password = settings.password().map(str::to_owned);
            (is_encrypted(node), settings.db(), user, password)
        };
        if self
            .nodes
            .iter()
            .any(|node| way(node) != way(&self.nodes[0]))
        {
            let message = "the nodes of a cluster have one user, one password and one database, and all have TLS or none: give URLs that differ in the address alone";
            return Err(Error::config("redis", message));
        }
        Ok(())
    }

    /// # Errors
    ///
    /// If `pem` is not a certificate, or a URL does not use TLS.
    pub(super) fn trust(&mut self, pem: &[u8]) -> crate::Result<()> {
        if !pem.windows(5).any(|it| it == b"BEGIN") {
            let message =
                "give the root certificate in PEM form, which has a line of BEGIN CERTIFICATE";
            return Err(Error::config("redis", message));
        }
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.to_vec()),
        };
        for node in &mut self.nodes {
            let client = Client::build_with_tls(node.clone(), certificates.clone());
            let client = client.map_err(|error| misfit(&error))?;
            *node = client.get_connection_info().clone();
        }
        self.certificates = Some(certificates);
        Ok(())
    }

    /// The number of the era. A connection of an earlier era may lead to an old master that no process writes to any more.
    pub(super) fn era(&self) -> u64 {
        self.era.load(Ordering::SeqCst)
    }

    /// Begins a new era: from here on operations use new connections.
    pub(super) fn begin_era(&self) {
        self.era.fetch_add(1, Ordering::SeqCst);
    }

    /// A connection that blocks, made within `limit`.
    pub(super) fn connect(&self, limit: Duration) -> BackendResult<Connection> {
        let start = Instant::now();
        let server = match &self.kind {
            Kind::Sentinels(name) => {
                let (servers, name) = (self.clone(), name.clone());
                io::wait(limit, async move { servers.master(&name, limit).await })?
            }
            Kind::Single | Kind::Cluster => self.nodes[0].clone(),
        };
        let left = limit.saturating_sub(start.elapsed());
        let left = left.max(Duration::from_millis(1));
        let address = server.addr().clone();
        // the driver's timeout is per answer of its handshake, and does not cover the name lookup
        let made = io::wait_for_blocking(left, move || {
            let client = Client::open(server);
            Ok(client.and_then(|client| client.get_connection_with_timeout(left)))
        })?;
        made.map_err(|error| self.unreachable(&address, &error))
    }

    /// Makes a shared connection within `limit`, whose driver runs on the current runtime. Connections to nodes of a cluster are [made
    /// by address](Self::connect_to).
    pub(super) async fn connect_async(
        &self,
        limit: Duration,
    ) -> BackendResult<MultiplexedConnection> {
        let server = match &self.kind {
            Kind::Sentinels(name) => self.master(name, limit).await?,
            Kind::Single | Kind::Cluster => self.nodes[0].clone(),
        };
        self.connect_to(server, limit, AsyncConnectionConfig::new())
            .await
    }

    /// [`connect_async`](Self::connect_async) to `server`.
    pub(super) async fn connect_to(
        &self,
        server: ConnectionInfo,
        limit: Duration,
        config: AsyncConnectionConfig,
    ) -> BackendResult<MultiplexedConnection> {
        let config = config
            .set_connection_timeout(Some(limit))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1024);
        let address = server.addr().clone();
        let connection = connect(server, &config).await;
        connection.map_err(|error| self.unreachable(&address, &error))
    }

    /// The error, with the server's address and without credentials.
    pub(super) fn unreachable(
        &self,
        what: &dyn fmt::Display,
        error: &RedisError,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        // the system's messages contain no credentials; a server may quote what it was sent
        let says = error.to_string();
        if error.is_io_error() || !self.is_told_by(&says) {
            return format!("no connection to {what}: {says}").into();
        }
        format!("no connection to {what}: what is said of it has its user's name or password, or looks like it, and is not told")
            .into()
    }

    /// Whether `text` contains the user or password of a server. Such a text is dropped, not masked: the rest of a well-known sentence
    /// would reveal what was masked.
    fn is_told_by(&self, text: &str) -> bool {
        let settings = self.nodes.iter().map(ConnectionInfo::redis_settings);
        let mut secrets = settings.flat_map(|settings| [settings.password(), settings.username()]);
        secrets.any(|secret| secret.is_some_and(|it| !it.is_empty() && text.contains(it)))
    }
}

impl fmt::Debug for Servers {
    /// Without the URLs: they may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.nodes.iter().map(|node| node.addr().to_string());
        match &self.kind {
            Kind::Single => f.write_str("Single")?,
            Kind::Cluster => f.write_str("Cluster")?,
            Kind::Sentinels(master) => write!(f, "Sentinels({master:?})")?,
        }
        f.debug_list().entries(addresses).finish()
    }
}

pub(super) async fn connect(
    server: ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let client = Client::open(server)?;
    client
        .get_multiplexed_async_connection_with_config(config)
        .await
}

/// The server at another address, with the user and certificates of `like`.
pub(super) fn at(like: ConnectionInfo, (to_host, to_port): Address) -> ConnectionInfo {
    let address = match like.addr().clone() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host: to_host,
            port: to_port,
            insecure,
            tls_params,
        },
        _ => ConnectionAddr::Tcp(to_host, to_port),
    };
    like.set_addr(address)
}

/// The server's host and port, if it has them.
pub(super) fn address(server: &ConnectionInfo) -> Option<Address> {
    match server.addr() {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            Some((host.clone(), *port))
        }
        _ => None,
    }
}

/// The server's host, if it has one.
pub(super) fn host(server: &ConnectionInfo) -> &str {
    match server.addr() {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host,
        _ => "",
    }
}

/// Socket settings. With zero linger, closing discards what an abandoned operation had not sent yet: it would otherwise reach the
/// server after later commands on another connection. With `nodelay`, the end of a command does not wait for its beginning to be
/// acknowledged.
fn sockets() -> TcpSettings {
    let settings = TcpSettings::default().set_nodelay(true);
    settings.set_linger_time(Duration::ZERO)
}

fn is_encrypted(node: &ConnectionInfo) -> bool {
    matches!(node.addr(), ConnectionAddr::TcpTls { .. })
}

/// Whether an `@` follows what the driver takes for the host. A password with an unencoded `/`, `?` or `#` causes that, and the part
/// before the `@` would pass for the host. The driver does not quote a URL that it can't parse.
fn splits_a_password(url: &str) -> bool {
    let Some(url) = parse_redis_url(url) else {
        return false;
    };
    let behind = [Some(url.path()), url.query(), url.fragment()];
    // the path of a Unix socket may contain one
    !url.scheme().ends_with("unix") && behind.iter().flatten().any(|piece| piece.contains('@'))
}

/// The error for a malformed URL, with the driver's `error`, which does not quote the URL.
fn misfit(error: impl fmt::Display) -> Error {
    let message = format!(
        "{error}; servers are given as `redis://user:password@host:port/database`, or `rediss://` for TLS, with user and password percent-encoded"
    );
    Error::config("redis", message)
}
