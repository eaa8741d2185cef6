//! Which master of a cluster serves which slots, as one node sees it.

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Pipeline, Value, from_redis_value, pipe};

use super::reply;
use super::servers::Address;
use crate::backend::BackendResult;

/// What a node says about the cluster.
pub(super) struct View {
    /// Whether the node considers the cluster working, with itself in it.
    pub(super) is_ok: bool,
    /// The number of the latest election that the node knows of.
    pub(super) epoch: u64,
    pub(super) topology: Topology,
}

/// The ranges of slots, in order.
#[derive(Debug)]
pub(super) struct Topology(Vec<Range>);

#[derive(Debug)]
struct Range {
    slots: (i64, i64),
    master: Master,
}

#[derive(Clone, Debug)]
pub(super) struct Master {
    /// The node's id, independent of its address.
    pub(super) id: Vec<u8>,
    /// Empty: the host of the node that was asked.
    host: String,
    port: u16,
}

impl Master {
    /// Its address, as told by a node at `host`.
    pub(super) fn address(&self, host: &str) -> Address {
        let host = if self.host.is_empty() {
            host
        } else {
            &self.host
        };
        (host.to_owned(), self.port)
    }
}

impl PartialEq for Topology {
    /// Compares which masters serve which slots. Their addresses may differ from node to node.
    fn eq(&self, other: &Self) -> bool {
        let served = |it: &Range| (it.slots, it.master.id.clone());
        self.0.iter().map(served).eq(other.0.iter().map(served))
    }
}

impl View {
    pub(super) async fn of(connection: &mut MultiplexedConnection) -> BackendResult<Self> {
        let question = Self::question();
        let answers = connection.req_packed_commands(&question, 0, question.len());
        Self::read(answers.await?)
    }

    pub(super) fn question() -> Pipeline {
        let mut question = pipe();
        question.cmd("CLUSTER").arg("INFO");
        question.cmd("CLUSTER").arg("SLOTS");
        question
    }

    /// Reads the answers to the [`question`](Self::question).
    pub(super) fn read(answers: Vec<Value>) -> BackendResult<Self> {
        let [info, slots] = reply::all(answers)?;
        // its type depends on the protocol version
        let info: String = from_redis_value(reply::ok(info)?)?;
        let topology = Topology::read(reply::ok(slots)?).ok_or("the node's slots can't be read")?;
        let mut lines = info.lines();
        let epoch = lines.find_map(|line| line.strip_prefix("cluster_current_epoch:"));
        Ok(Self {
            is_ok: info.contains("cluster_state:ok"),
            epoch: epoch.and_then(|it| it.trim().parse().ok()).unwrap_or(0),
            topology,
        })
    }
}

impl Topology {
    /// Each master once.
    pub(super) fn masters(&self) -> Vec<&Master> {
        let mut masters: Vec<_> = self.0.iter().map(|it| &it.master).collect();
        masters.sort_by(|one, other| one.id.cmp(&other.id));
        masters.dedup_by(|one, other| one.id == other.id);
        masters
    }

    /// The owners of the slots, as told by a node at `host`.
    pub(super) fn owners(&self, host: &str) -> Vec<((u16, u16), Address)> {
        let slot = |slot: i64| u16::try_from(slot).unwrap_or(u16::MAX);
        let owners = self.0.iter().map(|range| {
            let (first, last) = range.slots;
            ((slot(first), slot(last)), range.master.address(host))
        });
        owners.collect()
    }

    /// One range of slots, owned by a master at that address.
    #[cfg(test)]
    pub(super) fn of_one(slots: (u16, u16), host: &str, port: u16) -> Self {
        let master = Master {
            id: b"a".to_vec(),
            host: host.to_owned(),
            port,
        };
        let slots = (slots.0.into(), slots.1.into());
        Self(vec![Range { slots, master }])
    }

    /// Reads the answer to CLUSTER SLOTS; `None` if it has another form.
    fn read(slots: Value) -> Option<Self> {
        let ranges = list(slots)?.into_iter().map(Range::read);
        let mut ranges = ranges.collect::<Option<Vec<_>>>()?;
        ranges.sort_by_key(|it| it.slots);
        Some(Self(ranges))
    }
}

impl Range {
    /// Reads the first slot, the last slot and the master. The replicas that follow are ignored.
    fn read(range: Value) -> Option<Self> {
        let mut range = list(range)?.into_iter();
        let slots = (number(&range.next()?)?, number(&range.next()?)?);
        let mut master = list(range.next()?)?.into_iter();
        let host = text(master.next()?)?;
        let port = u16::try_from(number(&master.next()?)?).ok()?;
        let id = text(master.next()?)?;
        let host = String::from_utf8(host).ok().filter(|host| host != "?")?;
        Some(Self {
            slots,
            master: Master { id, host, port },
        })
    }
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(it) => Some(it),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(it) => Some(*it),
        _ => None,
    }
}

fn text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(it) => Some(it),
        Value::Nil => Some(Vec::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    /// A range whose master has the replica `z`.
    fn range(slots: (i64, i64), host: Value, id: &str) -> Value {
        let node = |host, id| Value::Array(vec![host, Value::Int(7000), bytes(id)]);
        let (first, last) = (Value::Int(slots.0), Value::Int(slots.1));
        let replica = node(bytes("elsewhere"), "z");
        Value::Array(vec![first, last, node(host, id), replica])
    }

    fn topology(ranges: impl Into<Vec<Value>>) -> Topology {
        Topology::read(Value::Array(ranges.into())).unwrap()
    }

    #[test]
    fn it_is_who_serves_what_and_not_where() {
        let one = [
            range((0, 9), bytes("here"), "a"),
            range((10, 19), bytes("here"), "b"),
            range((20, 29), bytes("here"), "a"),
        ];
        let mut other = one.clone();
        other.reverse();
        other[1] = range((10, 19), Value::Nil, "b");
        assert_eq!(topology(one.clone()), topology(other));
        let masters = topology(one.clone());
        let masters: Vec<_> = masters.masters().into_iter().map(|it| &*it.id).collect();
        assert_eq!(masters, [b"a", b"b"]);
        for different in [
            range((10, 19), bytes("here"), "z"),
            range((10, 18), bytes("here"), "b"),
        ] {
            let mut ranges = one.clone();
            ranges[1] = different;
            assert_ne!(topology(one.clone()), topology(ranges));
        }
        assert_ne!(topology(one.clone()), topology(&one[..2]));
    }

    #[test]
    fn a_host_that_a_node_does_not_know_is_where_it_was_asked() {
        for unknown in [Value::Nil, bytes("")] {
            let topology = topology([range((0, 9), unknown, "a")]);
            assert_eq!(topology.masters()[0].host, "");
        }
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        for other in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![range((0, 9), bytes("?"), "a")]),
            Value::Array(vec![Value::Array(vec![Value::Int(0), Value::Int(9)])]),
        ] {
            assert!(Topology::read(other.clone()).is_none(), "{other:?}");
        }
    }
}
