//! What the servers answer, and which of their errors are outages.

use std::fmt;

use ::redis::{ErrorKind, RedisError, ServerErrorKind, Value};

use super::servers::Address;
use crate::backend::{BackendResult, Refused};

/// The server answered something that the command has no such answer to.
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

/// What a server says that is of no use for now, in words alone: too many are connected, or this user may not publish, which is missing in the
/// middle of scripts.
const OF_NO_USE: [&str; 2] = ["max number of clients", "can't publish to the channel"];

/// `error` as a backend reports it: refused if the server was there and would not, else an outage.
///
/// A server that is full, or finds something else under a name, is in order. One that is read-only, still loading, not of a whole cluster,
/// or lets this user not in, is of no use for now.
pub(super) fn error(error: RedisError) -> Box<dyn std::error::Error + Send + Sync> {
    let refused = match error.kind() {
        ErrorKind::Server(ServerErrorKind::ResponseError) => !error
            .detail()
            .is_some_and(|detail| OF_NO_USE.iter().any(|it| detail.contains(it))),
        ErrorKind::Server(
            ServerErrorKind::CrossSlot
            | ServerErrorKind::ExecAbort
            // the slot is on its way
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

/// The value, or the error that it is.
pub(super) fn ok(value: Value) -> BackendResult<Value> {
    match value {
        Value::ServerError(refused) => Err(error(refused.into())),
        value => Ok(value),
    }
}

/// The first of the answers.
pub(super) fn first(values: Vec<Value>) -> BackendResult<Value> {
    match values.into_iter().next() {
        Some(value) => ok(value),
        None => unexpected("nothing"),
    }
}

/// As many answers as there are commands.
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

/// Bytes, or nothing.
pub(super) fn bytes(value: Value) -> BackendResult<Option<Vec<u8>>> {
    match ok(value)? {
        Value::Nil => Ok(None),
        Value::BulkString(it) => Ok(Some(it)),
        Value::SimpleString(it) => Ok(Some(it.into_bytes())),
        Value::Okay => Ok(Some(b"OK".to_vec())),
        _ => unexpected("no text"),
    }
}

/// Whether it says that the server has no such script.
pub(super) fn is_unknown_script(value: &Value) -> bool {
    is_error(value, |kind| kind == ServerErrorKind::NoScript)
}

/// Where a node of a cluster says that something is.
#[derive(Debug, PartialEq)]
pub(super) enum Elsewhere {
    /// There, with all of its slot.
    Moved(Address),
    /// There if it is anywhere: its slot is on its way.
    Ask(Address),
    /// Some of it here, and some there.
    NotYet,
}

/// What the answers to a pipe say of where its keys are, if the node, which is at `host`, has not all of them.
pub(super) fn elsewhere(answers: &[Value], host: &str) -> Option<Elsewhere> {
    answers.iter().find_map(|answer| {
        let Value::ServerError(error) = answer else {
            return None;
        };
        // the slot, and the address
        let address = || {
            let address = error.details()?.split_ascii_whitespace().nth(1)?;
            let (at, port) = address.rsplit_once(':')?;
            // one that does not know its own name leaves it out
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

/// Whether it says that this is the wrong server to ask by now: a replica, or one that has lost its master.
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
