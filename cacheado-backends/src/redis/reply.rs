//! The servers' answers, and which of their errors are outages.

use std::fmt;

use ::redis::{ErrorKind, RedisError, ServerErrorKind, Value};

use super::servers::Address;
use crate::backend::{BackendResult, Refused};

/// The server's answer is not one that the command can have.
#[derive(Debug)]
struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}", self.0)
    }
}

impl std::error::Error for Unexpected {}

pub(super) fn unexpected<T>(what: &str) -> BackendResult<T> {
    Err(Unexpected(what.to_owned()).into())
}

/// Errors that make a server unusable for now but are recognisable by their text alone: too many clients are connected, or this user
/// may not publish, which fails in the middle of a script.
const OF_NO_USE: [&str; 2] = ["max number of clients", "can't publish to the channel"];

/// `error` as a backend reports it: a [`Refused`] if the server works and declined the command, else an outage.
///
/// A server that is full, or holds another type under a name, works. A server that is read-only, still loading, part of an incomplete
/// cluster, or that rejects this user, is unusable for now.
pub(super) fn error(error: RedisError) -> Box<dyn std::error::Error + Send + Sync> {
    let refused = match error.kind() {
        ErrorKind::Server(ServerErrorKind::ResponseError) => !error
            .detail()
            .is_some_and(|detail| OF_NO_USE.iter().any(|it| detail.contains(it))),
        ErrorKind::Server(
            ServerErrorKind::CrossSlot
            | ServerErrorKind::ExecAbort
            // the slot is migrating
            | ServerErrorKind::Ask
            | ServerErrorKind::Moved
            | ServerErrorKind::TryAgain,
        ) => true,
        _ => matches!(error.code(), Some("OOM" | "WRONGTYPE")),
    };
    if refused {
        Refused::new(error).into()
    } else {
        error.into()
    }
}

/// The value, or the error that it holds.
pub(super) fn ok(value: Value) -> BackendResult<Value> {
    match value {
        Value::ServerError(refused) => Err(error(refused.into())),
        value => Ok(value),
    }
}

/// The first answer.
pub(super) fn first(values: Vec<Value>) -> BackendResult<Value> {
    match values.into_iter().next() {
        Some(value) => ok(value),
        None => unexpected("nothing"),
    }
}

/// Exactly `N` answers, one per command.
pub(super) fn all<const N: usize>(values: Vec<Value>) -> BackendResult<[Value; N]> {
    match values.try_into() {
        Ok(values) => Ok(values),
        Err(_) => unexpected("fewer or more than it was asked"),
    }
}

pub(super) fn integer(value: Value) -> BackendResult<i64> {
    match ok(value)? {
        Value::Int(it) => Ok(it),
        _ => unexpected("no number"),
    }
}

pub(super) fn array(value: Value) -> BackendResult<Vec<Value>> {
    match ok(value)? {
        Value::Array(it) => Ok(it),
        _ => unexpected("no list"),
    }
}

/// A byte string, or nil.
pub(super) fn bytes(value: Value) -> BackendResult<Option<Vec<u8>>> {
    match ok(value)? {
        Value::Nil => Ok(None),
        Value::BulkString(it) => Ok(Some(it)),
        Value::SimpleString(it) => Ok(Some(it.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        _ => unexpected("no text"),
    }
}

/// Whether the server says that it does not know the script.
pub(super) fn is_unknown_script(value: &Value) -> bool {
    is_error(value, |kind| kind == ServerErrorKind::NoScript)
}

/// Where a node of a cluster says that a key is.
#[derive(Debug, PartialEq)]
pub(super) enum Elsewhere {
    /// At this address, with its whole slot.
    Moved(Address),
    /// At this address if it exists at all: its slot is migrating there.
    Ask(Address),
    /// Some of the keys here and some there.
    NotYet,
}

/// What the answers to a pipe say about the place of its keys, if the node at `host` does not have all of them.
pub(super) fn elsewhere(answers: &[Value], host: &str) -> Option<Elsewhere> {
    answers.iter().find_map(|answer| {
        let Value::ServerError(error) = answer else {
            return None;
        };
        // the slot, then the address
        let address = || {
            let address = error.details()?.split_ascii_whitespace().nth(1)?;
            let (at, port) = address.rsplit_once(':')?;
            // a node that does not know its own name leaves the host out
            let at = if at.is_empty() { host } else { at };
            Some((at.to_owned(), port.parse().ok()?))
        };
        match error.kind()? {
            ServerErrorKind::Moved => address().map(Elsewhere::Moved),
            ServerErrorKind::Ask => address().map(Elsewhere::Ask),
            ServerErrorKind::TryAgain => Some(Elsewhere::NotYet),
            _ => None,
        }
    })
}

/// Whether the server says that it is the wrong one by now: a replica, or a server that has lost its master.
pub(super) fn is_wrong_server(value: &Value) -> bool {
    is_error(value, |kind| {
        matches!(
            kind,
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown
        )
    })
}

fn is_error(value: &Value, of: impl Fn(ServerErrorKind) -> bool) -> bool {
    matches!(value, Value::ServerError(error) if error.kind().is_some_and(of))
}

#[cfg(test)]
mod tests {
    use ::redis::parse_redis_value;

    use super::*;

    #[test]
    fn a_node_says_where_its_keys_are() {
        let said = |answer: &str| {
            let answer = parse_redis_value(answer.as_bytes()).unwrap();
            elsewhere(&[Value::Okay, answer], "here")
        };
        let at = |host: &str| (host.to_owned(), 7001);
        let there = "-MOVED 12182 10.0.0.1:7001\r\n";
        assert_eq!(said(there), Some(Elsewhere::Moved(at("10.0.0.1"))));
        let nameless = "-MOVED 12182 :7001\r\n";
        assert_eq!(said(nameless), Some(Elsewhere::Moved(at("here"))));
        let sixth = "-ASK 12182 ::1:7001\r\n";
        assert_eq!(said(sixth), Some(Elsewhere::Ask(at("::1"))));
        let split = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
        assert_eq!(said(split), Some(Elsewhere::NotYet));
        for other in ["-MOVED 12182\r\n", "-OOM no room\r\n", "+OK\r\n"] {
            assert_eq!(said(other), None, "{other}");
        }
    }
}
