//! A Redis Cluster.

use std::time::Duration;

use super::proxy::Proxy;
use super::redis::{Redis, cli};
use super::wait_until;

/// Three masters and three replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
    buses: Vec<Proxy>,
    fronts: Vec<Proxy>,
}

/// How long the nodes may take to agree.
const AGREES_WITHIN: Duration = Duration::from_secs(60);

impl RedisCluster {
    /// Starts one. It takes some seconds, so tests share it where they can.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start() -> Self {
        Self::of(Self::start_nodes("2000"), Vec::new())
    }

    /// Starts one whose nodes don't take an unreachable node for dead, neither at their first start nor after a restart. So no replica
    /// takes over, and no node refuses requests because others answer it slowly.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_without_failover() -> Self {
        Self::of(Self::start_nodes("600000"), Vec::new())
    }

    /// Starts one whose nodes reach each other through [`buses`](Self::buses), and wait a minute before they take an unreachable node
    /// for dead.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_with_buses() -> Self {
        let nodes = Self::start_nodes("2000");
        let buses: Vec<Proxy> = nodes.iter().map(Redis::bus).collect();
        for (node, bus) in nodes.iter().zip(&buses) {
            let port = bus.addr().port().to_string();
            node.set("cluster-announce-bus-port", &port);
            node.set("cluster-node-timeout", "60000");
        }
        Self::of(nodes, buses)
    }

    /// Starts one whose clients and replicas reach each node through one of the [`fronts`](Self::fronts).
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start_with_fronts() -> Self {
        let mut cluster = Self::start();
        let front = |node: &Redis| Proxy::start(node.addr());
        cluster.fronts = cluster.nodes.iter().map(front).collect();
        let ports = cluster.fronts.iter().map(|it| it.addr().port().to_string());
        let ports: Vec<String> = ports.collect();
        for (node, port) in cluster.nodes.iter().zip(&ports) {
            node.set("cluster-announce-port", port);
        }
        let is_known = |node: &Redis| {
            let slots = node.cli(&["CLUSTER", "SLOTS"]);
            ports.iter().all(|port| slots.lines().any(|it| it == port))
        };
        let known = wait_until(AGREES_WITHIN, || cluster.nodes.iter().all(is_known));
        assert!(known, "the nodes do not know each other's: {cluster:?}");
        cluster
    }

    /// `timeout`: how long a node may be unreachable, in milliseconds.
    fn start_nodes(timeout: &str) -> Vec<Redis> {
        let arguments = [
            ["--cluster-enabled", "yes"],
            ["--cluster-config-file", "nodes.conf"],
            ["--cluster-node-timeout", timeout],
            // otherwise, a replica is five seconds late
            ["--repl-diskless-sync-delay", "0"],
        ];
        let start = |_| Redis::start_with(&arguments.concat());
        (0..6).map(start).collect()
    }

    fn of(nodes: Vec<Redis>, buses: Vec<Proxy>) -> Self {
        let addresses: Vec<String> = nodes.iter().map(|node| node.addr().to_string()).collect();
        let mut create = vec!["--cluster", "create"];
        create.extend(addresses.iter().map(String::as_str));
        create.extend(["--cluster-replicas", "1", "--cluster-yes"]);
        let printed = cli(nodes[0].port(), None, &create);
        assert!(printed.contains("All 16384 slots covered"), "{printed}");

        let cluster = Self {
            nodes,
            buses,
            fronts: Vec::new(),
        };
        let agreed = wait_until(AGREES_WITHIN, || cluster.is_whole());
        assert!(agreed, "the nodes do not agree: {cluster:?}");
        cluster
    }

    /// The URLs of the nodes, or of the proxies in front of them.
    pub fn urls(&self) -> Vec<String> {
        if self.fronts.is_empty() {
            return self.nodes.iter().map(Redis::url).collect();
        }
        self.fronts.iter().map(|it| it.url("redis")).collect()
    }

    /// The proxies through which clients reach the nodes.
    pub fn fronts(&self) -> &[Proxy] {
        &self.fronts
    }

    /// The nodes, to kill and restart. At first, the first three are the masters.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The proxies through which each node is reached by the others. What it sends to the others goes through theirs.
    pub fn buses(&self) -> &[Proxy] {
        &self.buses
    }

    /// The index of the replica of the node with the index `master`.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn replica_of(&self, master: usize) -> usize {
        let followed = format!("master_port:{}", self.nodes[master].port());
        let follows = |node: &Redis| {
            let replication = node.cli(&["info", "replication"]);
            replication.lines().any(|line| line == followed)
        };
        let replica = self.nodes.iter().position(follows);
        replica.expect("each master has a replica")
    }

    /// Moves a slot from one master to another, key by key, as `redis-cli --cluster reshard` does. The first three nodes must be
    /// masters.
    ///
    /// # Panics
    ///
    /// If one of them refuses.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.begin_to_move(slot, from, to);
        let slot = slot.to_string();
        loop {
            let keys = self.nodes[from].cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "3"]);
            if keys.is_empty() {
                break;
            }
            self.move_keys(&keys.lines().collect::<Vec<_>>(), from, to);
        }
        let id = self.nodes[to].cli(&["CLUSTER", "MYID"]);
        // the new owner must know first, or no node would have the slot
        for node in [&self.nodes[to]].into_iter().chain(&self.nodes[..3]) {
            set_slot(node, &slot, "NODE", &id);
        }
    }

    /// Begins to move a slot. This moves no keys yet.
    ///
    /// # Panics
    ///
    /// If one of the masters refuses.
    pub fn begin_to_move(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let [source, target] = [from, to].map(|nth| &self.nodes[nth]);
        let [from, to] = [source, target].map(|node| node.cli(&["CLUSTER", "MYID"]));
        set_slot(target, &slot, "IMPORTING", &from);
        set_slot(source, &slot, "MIGRATING", &to);
    }

    /// Moves these keys, whose slot is being moved.
    ///
    /// # Panics
    ///
    /// If one of the masters refuses.
    pub fn move_keys(&self, keys: &[&str], from: usize, to: usize) {
        let port = self.nodes[to].port().to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &*port, "", "0", "5000", "KEYS"];
        migrate.extend(keys);
        let said = self.nodes[from].cli(&migrate);
        assert!(said == "OK" || said == "NOKEY", "{said}");
    }

    /// Whether all nodes are up, all slots are served, and all replicas follow.
    pub fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| {
            let info = node.cli(&["cluster", "info"]);
            let replication = node.cli(&["info", "replication"]);
            info.contains("cluster_state:ok")
                && info.contains("cluster_known_nodes:6")
                && (replication.contains("role:master")
                    || replication.contains("master_link_status:up"))
        })
    }
}

fn set_slot(node: &Redis, slot: &str, what: &str, id: &str) {
    let said = node.cli(&["CLUSTER", "SETSLOT", slot, what, id]);
    assert_eq!(said, "OK", "{what}");
}
