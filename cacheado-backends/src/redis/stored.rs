//! A payload as stored in the server: preceded by the lifetime it was stored with.
//!
//! The remaining lifetime and the value are two answers of the server. In between, another process may have stored a value that ends
//! sooner. The stored lifetime bounds the remaining one that is reported.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{RedisWrite, ToRedisArgs};

use crate::backend::Payload;

/// The longest lifetime in milliseconds: a thousand years. Longer lifetimes are cut to this.
const LONGEST: u64 = 1000 * 365 * 86_400_000;

/// `lifetime` in whole milliseconds, 0 if it has no end. `None` if it is shorter than a millisecond.
pub(super) fn life(lifetime: Option<Duration>) -> Option<u64> {
    match lifetime {
        None => Some(0),
        Some(lifetime) => {
            let life = u64::try_from(lifetime.as_millis()).map_or(LONGEST, |it| it.min(LONGEST));
            (life > 0).then_some(life)
        }
    }
}

/// A payload in its stored form: the number of bytes of its lifetime, the lifetime, the payload's bytes.
#[derive(Clone, Copy)]
pub(super) struct Stored<'p> {
    head: [u8; 9],
    used: usize,
    bytes: &'p [u8],
}

impl<'p> Stored<'p> {
    pub(super) fn new(payload: &'p Payload, life: u64) -> Self {
        let number = life.to_le_bytes();
        let used = number.len() - life.leading_zeros() as usize / 8;
        let mut head = [0; 9];
        #[allow(clippy::cast_possible_truncation, reason = "eight at most")]
        let count = used as u8;
        head[0] = count;
        head[1..].copy_from_slice(&number);
        Self {
            head,
            used: 1 + used,
            bytes: &payload.bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.used + self.bytes.len()
    }
}

impl ToRedisArgs for Stored<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let mut argument = out.writer_for_next_arg();
        for part in [&self.head[..self.used], self.bytes] {
            // writes into memory, which does not fail
            let _ = argument.write_all(part);
        }
    }
}

/// Decodes the payload in `bytes`. The server said `ago` that it lives for `left` more milliseconds, or without end if `left` is
/// negative. `None` if that is over. Bytes in another format are returned as they are: the caller checks their content.
pub(super) fn read(bytes: &[u8], left: i64, ago: Duration) -> Option<Payload> {
    let (life, value) = split(bytes).unwrap_or((0, bytes));
    // the server reads its clock only now and then, and counts whole milliseconds
    let left = u64::try_from(left).ok().map(|it| it.saturating_sub(1));
    let life = (life > 0).then_some(life);
    let left = match (left, life) {
        (Some(left), Some(life)) => Some(left.min(life)),
        (left, life) => left.or(life),
    };
    let lifetime = match left {
        None => None,
        Some(left) => {
            let left = Duration::from_millis(left).checked_sub(ago)?;
            if left.is_zero() {
                return None;
            }
            Some(left)
        }
    };
    Some(Payload {
        bytes: Arc::from(value),
        lifetime,
    })
}

fn split(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&used, rest) = bytes.split_first()?;
    let mut number = [0; 8];
    let used = usize::from(used);
    number.get_mut(..used)?.copy_from_slice(rest.get(..used)?);
    Some((u64::from_le_bytes(number), &rest[used..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn payload(bytes: &[u8]) -> Payload {
        Payload {
            bytes: bytes.into(),
            lifetime: None,
        }
    }

    fn write(payload: &Payload, life: u64) -> Vec<u8> {
        let stored = Stored::new(payload, life);
        let written = stored.to_redis_args().concat();
        assert_eq!(written.len(), stored.len());
        written
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: Vec<u8>, life: u64) {
            let stored = write(&payload(&bytes), life);
            let read = read(&stored, -1, Duration::ZERO).unwrap();
            prop_assert_eq!(&*read.bytes, &*bytes);
            prop_assert_eq!(read.lifetime, (life > 0).then(|| Duration::from_millis(life)));
        }

        #[test]
        fn what_is_read_may_be_anything(bytes: Vec<u8>, left: i64, ago: Duration) {
            if let Some(read) = read(&bytes, left, ago) {
                prop_assert!(bytes.ends_with(&read.bytes));
            }
        }
    }

    #[test]
    fn what_is_left_is_the_less_of_both() {
        let stored = write(&payload(b"x"), 5_000);
        let left = |left| read(&stored, left, SECOND).unwrap().lifetime.unwrap();
        assert_eq!(left(3_001), 2 * SECOND);
        assert_eq!(left(60_000), 4 * SECOND);
        assert_eq!(left(-1), 4 * SECOND);
        assert_eq!(read(&stored, 1_001, SECOND), None);
        assert_eq!(read(&stored, 1, Duration::ZERO), None);
    }

    #[test]
    fn a_lifetime_is_never_longer_than_it_was_given() {
        assert_eq!(life(None), Some(0));
        assert_eq!(life(Some(Duration::from_micros(1_999))), Some(1));
        assert_eq!(life(Some(Duration::from_micros(999))), None);
        assert_eq!(life(Some(Duration::MAX)), Some(LONGEST));
    }
}
