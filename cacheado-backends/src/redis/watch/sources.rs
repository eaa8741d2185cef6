//! The servers that announce changes: finding them, subscribing to them, and checking repeatedly that they are still the right ones.
//!
//! In a cluster these are all masters. The node whose script published a message sends it to its own subscribers, in the order of the
//! connection. Subscribers at other nodes get it over the cluster's internal links, which silently lose messages while they are down.
//! So a message is received from its origin, and once more from each other master whose link works. No copy is filtered out: a command
//! that is sent again after a lost connection runs twice, and this process does not know what came in between.

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncCommands, AsyncConnectionConfig, ConnectionInfo, ProtocolVersion, PushInfo};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::nonce::random;
use super::super::sentinels::{Sentinels, says_master};
use super::super::servers::{Address, Kind, Servers, at, host};
use super::super::topology::{Topology, View};
use super::life::Life;
use super::{BEAT, Event};
use crate::backend::BackendResult;

/// Connections to all sources.
pub(super) struct Sources {
    subscribed: Vec<Subscribed>,
    proof: Proof,
}

#[derive(Clone)]
struct Subscribed {
    node: String,
    connection: MultiplexedConnection,
}

/// A server to subscribe to.
struct Node {
    /// Identifies the node after a restart.
    name: String,
    server: ConnectionInfo,
}

/// What proves that the sources are complete.
enum Proof {
    /// Only that the server answers.
    Single,
    /// Each of them sees this topology.
    Cluster(Topology),
    /// The server is a master, and the sentinels name it.
    Named(Sentinels, Address),
}

impl Sources {
    /// Subscribes to each source. Everything published from then on goes to `events`.
    ///
    /// # Errors
    ///
    /// If one can't be reached, or the sources are no longer complete.
    pub(super) async fn open(
        servers: &Servers,
        channel: &str,
        events: &UnboundedSender<Event>,
    ) -> BackendResult<Self> {
        let (nodes, proof) = find(servers).await?;
        let subscribing = nodes.into_iter().map(|node| {
            let (servers, channel, events) = (servers.clone(), channel.to_owned(), events.clone());
            async move {
                let connection = subscribe(&servers, node.server, &channel, events).await?;
                let node = node.name;
                Ok(Subscribed { node, connection })
            }
        });
        let mut sources = Self {
            subscribed: side_by_side(subscribing).await?,
            proof,
        };
        // the set of sources may have changed while these were subscribed to
        sources.prove().await?;
        Ok(sources)
    }

    /// Asks all sources whether they are still the right ones, within a [`BEAT`].
    ///
    /// # Errors
    ///
    /// If they are not, or that can't be determined.
    pub(super) async fn prove(&mut self) -> BackendResult<()> {
        let proven = timeout(BEAT, self.ask_all()).await;
        proven.map_err(|_| "no answer in time")?
    }

    /// The current lives of the sources.
    ///
    /// # Errors
    ///
    /// If one does not answer.
    pub(super) async fn lives(&self) -> BackendResult<Vec<Life>> {
        let subscribed = self.subscribed.clone().into_iter();
        let lives = subscribed.map(|it| async move { Life::of(it.node, it.connection).await });
        timeout(BEAT, side_by_side(lives))
            .await
            .map_err(|_| "no answer in time")?
    }

    async fn ask_all(&mut self) -> BackendResult<()> {
        let subscribed = self.subscribed.clone().into_iter();
        let connections = subscribed.map(|it| it.connection);
        match &mut self.proof {
            Proof::Single => {
                let answers = connections.map(|mut it| async move { Ok(it.ping::<()>().await?) });
                side_by_side(answers).await?;
            }
            Proof::Cluster(topology) => {
                let views = connections.map(|mut it| async move { View::of(&mut it).await });
                for view in side_by_side(views).await? {
                    if !view.is_ok {
                        return Err("a master has lost the cluster".into());
                    }
                    if view.topology != *topology {
                        return Err("the masters do not agree on who they are".into());
                    }
                }
            }
            Proof::Named(sentinels, address) => {
                let roles =
                    connections.map(|mut it| async move { Ok(says_master(&mut it).await?) });
                let mut roles = JoinSet::from_iter([side_by_side(roles)]);
                // sentinels that are gone must leave the other answers enough time
                if sentinels.agree(BEAT * 3 / 4).await? != *address {
                    return Err("the sentinels name another master".into());
                }
                let said = roles.join_next().await.ok_or("nobody was asked")?;
                if said?? != [true] {
                    return Err("the master is none any more".into());
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn at(server: ConnectionInfo) -> Self {
        let name = server.addr().to_string();
        Self { name, server }
    }
}

/// Finds the sources.
async fn find(servers: &Servers) -> BackendResult<(Vec<Node>, Proof)> {
    match &servers.kind {
        Kind::Single => Ok((vec![Node::at(servers.nodes[0].clone())], Proof::Single)),
        Kind::Sentinels(name) => {
            let mut sentinels = Sentinels::new(&servers.nodes, name);
            let address = sentinels.agree(BEAT).await?;
            let master = at(servers.nodes[0].clone(), address.clone());
            Ok((vec![Node::at(master)], Proof::Named(sentinels, address)))
        }
        Kind::Cluster => {
            let mut failure = "no node of the cluster to ask".into();
            let seeds = &servers.nodes;
            // starts with another seed each time: a node that is cut off may answer as fast as ever
            let first = usize::try_from(random() >> 32).unwrap_or_default() % seeds.len();
            for seed in seeds[first..].iter().chain(&seeds[..first]) {
                match timeout(BEAT, look(servers, seed)).await {
                    Ok(Ok(topology)) => {
                        let masters = topology.masters().into_iter().map(|master| Node {
                            name: String::from_utf8_lossy(&master.id).into_owned(),
                            server: at(seed.clone(), master.address(host(seed))),
                        });
                        return Ok((masters.collect(), Proof::Cluster(topology)));
                    }
                    Ok(Err(error)) => failure = error,
                    Err(_) => failure = format!("no answer of {} in time", seed.addr()).into(),
                }
            }
            Err(failure)
        }
    }
}

/// The cluster as `seed` sees it.
async fn look(servers: &Servers, seed: &ConnectionInfo) -> BackendResult<Topology> {
    let config = AsyncConnectionConfig::new();
    let mut connection = servers.connect_to(seed.clone(), BEAT, config).await?;
    let topology = View::of(&mut connection).await?.topology;
    if topology.masters().is_empty() {
        return Err("no node of the cluster serves any slots".into());
    }
    Ok(topology)
}

async fn subscribe(
    servers: &Servers,
    node: ConnectionInfo,
    channel: &str,
    events: UnboundedSender<Event>,
) -> BackendResult<MultiplexedConnection> {
    let settings = node.redis_settings().clone();
    let node = node.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3));
    let config = AsyncConnectionConfig::new()
        .set_push_sender(move |push: PushInfo| events.send(Event::Push(push)));
    let mut connection = servers.connect_to(node, BEAT, config).await?;
    let subscribed = timeout(BEAT, connection.subscribe(channel)).await;
    subscribed.map_err(|_| "no answer in time")??;
    Ok(connection)
}

/// Runs all concurrently, and drops all when one fails.
async fn side_by_side<T: Send + 'static>(
    all: impl IntoIterator<Item = impl Future<Output = BackendResult<T>> + Send + 'static>,
) -> BackendResult<Vec<T>> {
    let mut running: JoinSet<_> = all.into_iter().collect();
    let mut done = Vec::with_capacity(running.len());
    while let Some(one) = running.join_next().await {
        done.push(one??);
    }
    Ok(done)
}
