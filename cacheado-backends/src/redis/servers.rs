//! Which servers there are, and how each kind is connected to.

use std::fmt;
use std::time::{Duration, Instant};

use ::redis::aio::MultiplexedConnection;
use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::{
    AsyncConnectionConfig, Client, Connection, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, cmd,
};
use tokio::task::JoinSet;

use crate::backend::BackendResult;
use crate::{Error, io};

/// One server, those of a cluster, or those that a group of sentinels knows the master of.
#[derive(Clone)]
pub(super) struct Servers {
    pub(super) kind: Kind,
    /// That, the seeds of the cluster, or the sentinels.
    nodes: Vec<ConnectionInfo>,
    /// In the place of the system's own.
    certificates: Option<TlsCertificates>,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Single,
    Cluster,
    /// Of the master of this name.
    Sentinels(String),
}

impl Servers {
    /// # Errors
    ///
    /// If there is no URL, or one is none of Redis.
    pub(super) fn new<'u>(
        kind: Kind,
        urls: impl IntoIterator<Item = &'u str>,
    ) -> crate::Result<Self> {
        let nodes: Result<Vec<_>, _> = urls
            .into_iter()
            .map(|url| url.into_connection_info().map_err(|error| misfit(&error)))
            .collect();
        let nodes = nodes?;
        if nodes.is_empty() {
            return Err(Error::config("redis", "give the URL of a server at least"));
        }
        if nodes.iter().any(is_encrypted) {
            // another part of the program may have chosen already
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let servers = Self {
            kind,
            nodes,
            certificates: None,
        };
        if servers.kind == Kind::Cluster {
            // looks whether they fit together
            let built = servers.cluster(Duration::ZERO);
            built.map_err(|error| misfit(&error))?;
        }
        Ok(servers)
    }

    /// # Errors
    ///
    /// If `pem` is no certificate, or a URL is not one of TLS.
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

    /// A connection that blocks, made within `limit`.
    pub(super) fn connect(&self, limit: Duration) -> BackendResult<Connection> {
        let start = Instant::now();
        let server = match &self.kind {
            Kind::Sentinels(_) => {
                let servers = self.clone();
                io::wait(limit, async move { servers.master(limit).await })?
            }
            Kind::Single | Kind::Cluster => self.nodes[0].clone(),
        };
        let left = limit.saturating_sub(start.elapsed());
        let left = left.max(Duration::from_millis(1));
        let address = server.addr().clone();
        Client::open(server)
            .and_then(|client| client.get_connection_with_timeout(left))
            .map_err(|error| self.unreachable(&address, &error))
    }

    /// A connection that many share, made within `limit`, whose driver runs on the current runtime. Of a cluster, to any of its nodes.
    pub(super) async fn connect_async(
        &self,
        limit: Duration,
        config: AsyncConnectionConfig,
        protocol: Option<ProtocolVersion>,
    ) -> BackendResult<MultiplexedConnection> {
        let candidates = match &self.kind {
            Kind::Sentinels(_) => vec![self.master(limit).await?],
            Kind::Single | Kind::Cluster => self.nodes.clone(),
        };
        let config = config
            .set_connection_timeout(Some(limit))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(1024);
        let mut failure = "no server to connect to".into();
        for mut server in candidates {
            if let Some(protocol) = protocol {
                let settings = server.redis_settings().clone().set_protocol(protocol);
                server = server.set_redis_settings(settings);
            }
            let address = server.addr().clone();
            match connect(server, &config).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = self.unreachable(&address, &error),
            }
        }
        Err(failure)
    }

    /// What connects to the cluster. Each node has `timeout` to answer.
    pub(super) fn cluster(&self, timeout: Duration) -> RedisResult<ClusterClient> {
        let mut builder = ClusterClientBuilder::new(self.nodes.clone())
            .connection_timeout(timeout)
            .response_timeout(timeout)
            // the cache's own limits are what bounds an operation
            .retries(3)
            .min_retry_wait(2)
            .max_retry_wait(50);
        if let Some(certificates) = &self.certificates {
            builder = builder.certs(certificates.clone());
        }
        builder.build()
    }

    /// An error of connecting to the cluster.
    pub(super) fn no_cluster(
        &self,
        error: &RedisError,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        self.unreachable(&"the cluster", error)
    }

    /// The server that the first sentinel to answer takes for the master.
    async fn master(&self, limit: Duration) -> BackendResult<ConnectionInfo> {
        let Kind::Sentinels(name) = &self.kind else {
            return Ok(self.nodes[0].clone());
        };
        let mut asked = JoinSet::new();
        for sentinel in &self.nodes {
            let (sentinel, name) = (sentinel.clone(), name.clone());
            asked.spawn(async move {
                let address = ask_for_master(&sentinel, &name, limit).await;
                address.map(|it| (sentinel, it))
            });
        }
        let mut failure = format!("no sentinel knows a master named {name:?}");
        while let Some(answer) = asked.join_next().await {
            match answer {
                Ok(Ok((sentinel, Some((host, port))))) => {
                    return Ok(with_address(sentinel, host, port));
                }
                Ok(Err(error)) => {
                    failure = self.unreachable(&"the sentinels", &error).to_string();
                }
                Ok(Ok((_, None))) | Err(_) => {}
            }
        }
        Err(failure.into())
    }

    /// The error, with what could not be reached and without what nobody is to see.
    fn unreachable(
        &self,
        what: &dyn fmt::Display,
        error: &RedisError,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        let mut text = format!("no connection to {what}: {error}");
        for node in &self.nodes {
            // a server may quote what it was sent
            for secret in [
                node.redis_settings().password(),
                node.redis_settings().username(),
            ] {
                if let Some(secret) = secret.filter(|it| !it.is_empty()) {
                    text = text.replace(secret, "***");
                }
            }
        }
        text.into()
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

async fn connect(
    server: ConnectionInfo,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let client = Client::open(server)?;
    client
        .get_multiplexed_async_connection_with_config(config)
        .await
}

/// The address of the master that the sentinel names. Sentinels are asked without the servers' user and password.
async fn ask_for_master(
    sentinel: &ConnectionInfo,
    name: &str,
    limit: Duration,
) -> RedisResult<Option<(String, u16)>> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(limit))
        .set_response_timeout(Some(limit));
    let sentinel = sentinel
        .clone()
        .set_redis_settings(RedisConnectionInfo::default());
    let mut connection = connect(sentinel, &config).await?;
    let mut ask = cmd("SENTINEL");
    ask.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    ask.query_async(&mut connection).await
}

/// `like`, with its user and its certificates, at another address.
fn with_address(like: ConnectionInfo, to_host: String, to_port: u16) -> ConnectionInfo {
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

fn is_encrypted(node: &ConnectionInfo) -> bool {
    matches!(node.addr(), ConnectionAddr::TcpTls { .. })
}

/// The driver's error, which quotes no URL.
fn misfit(error: &RedisError) -> Error {
    let message = format!(
        "{error}; servers are given as `redis://user:password@host:port/database`, or `rediss://` for TLS"
    );
    Error::config("redis", message)
}
