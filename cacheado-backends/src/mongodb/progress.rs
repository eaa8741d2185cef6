//! Detects a change stream that is late, by comparing its position with what the primary has written.
//!
//! A stream delivers only what a majority of the members has. Without a majority the primary may go on writing, and the stream goes on
//! answering, with nothing. So a `hello` asks the primary at short intervals for the time of its last write, which costs it no write.
//! The stream must have passed what the primary had written a few intervals ago. That covers everything between the two: members that
//! are down or behind, a journal that is not written, a slow stream, or one served by a former primary.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::mongodb::Database;
use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::{Document, Timestamp, doc, serialize_to_bson};
use ::mongodb::change_stream::event::ResumeToken;
use tokio::time::{sleep, timeout};

use super::failure::failure;
use super::notices::SILENCE;
use crate::backend::BackendResult;

/// The interval at which the primary is asked. A write is noticed at most one beat later. If the stream has not passed it `REMEMBERED`
/// beats after that, the stream is late: in total after little more than a second.
const BEAT: Duration = Duration::from_millis(350);
const REMEMBERED: usize = 2;

/// A time of the server's log as a number.
fn number(time: Timestamp) -> u64 {
    u64::from(time.time) << 32 | u64::from(time.increment)
}

/// The position of a stream.
#[derive(Default)]
pub(super) struct Reached(AtomicU64);

impl Reached {
    /// Notes a position. Ignores a token that can't be read.
    pub(super) fn note(&self, token: Option<&ResumeToken>) {
        if let Some(time) = token.and_then(time_of) {
            self.0.store(time, Ordering::Relaxed);
        }
    }

    fn time(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The time at the start of a token, in hexadecimal, after a type byte. The tokens of one stream are ordered by it.
fn time_of(token: &ResumeToken) -> Option<u64> {
    const TIME: &str = "82";
    let token = serialize_to_bson(token).ok()?;
    let data = token.as_document()?.get_str("_data").ok()?;
    let time = data.strip_prefix(TIME)?.get(..16)?;
    u64::from_str_radix(time, 16).ok()
}

/// What the server says about itself, if it is the primary.
#[derive(Clone, Copy)]
pub(super) struct Primary {
    /// Differs between any two elected primaries.
    election: ObjectId,
    /// The time of its last write.
    written: u64,
}

impl Primary {
    /// Asks the primary. `None` for a `mongos`, which writes nothing itself.
    pub(super) async fn ask(database: &Database) -> BackendResult<Option<Self>> {
        let asked = timeout(SILENCE, database.run_command(doc! { "hello": 1 })).await;
        let answer = asked.map_err(|_| "the primary does not answer")?;
        read(&answer.map_err(failure)?)
    }

    /// Waits for as long as the stream keeps up with the primary; returns why it does not.
    pub(super) async fn outruns(
        self,
        reached: &Reached,
        database: &Database,
    ) -> Box<dyn std::error::Error + Send + Sync> {
        let mut written = [self.written; REMEMBERED];
        loop {
            sleep(BEAT).await;
            if reached.time() < written[0] {
                return "what is written does not reach a majority of the members".into();
            }
            written.rotate_left(1);
            match Self::ask(database).await {
                Ok(Some(now)) if now.election == self.election => {
                    written[REMEMBERED - 1] = now.written;
                }
                // writes that only the former primary acknowledged may be undone, and their notices with them
                Ok(_) => return "another primary was elected".into(),
                Err(error) => return error,
            }
        }
    }
}

fn read(hello: &Document) -> BackendResult<Option<Primary>> {
    if !hello.get_bool("isWritablePrimary").unwrap_or(false) {
        return Err("it is not the primary".into());
    }
    let (Ok(election), Ok(last)) = (
        hello.get_object_id("electionId"),
        hello.get_document("lastWrite"),
    ) else {
        return Ok(None);
    };
    let time = last.get_document("opTime")?.get_timestamp("ts")?;
    Ok(Some(Primary {
        election,
        written: number(time),
    }))
}

#[cfg(test)]
mod tests {
    use ::mongodb::bson::deserialize_from_document;

    use super::*;

    fn token(data: &str) -> ResumeToken {
        deserialize_from_document(doc! { "_data": data }).unwrap()
    }

    #[test]
    fn the_time_of_a_token_is_read_and_what_has_none_says_nothing() {
        let reached = Reached::default();
        // two tokens of MongoDB 6.0: of an insertion, without its key, and of no event
        for (data, increment) in [
            ("826B0A9C6B000000112B022C0100296E5A1004", 0x11),
            ("826B0A9C6B000000132B0229296E04", 0x13),
        ] {
            reached.note(Some(&token(data)));
            let time = 0x6B0A_9C6B;
            assert_eq!(reached.time(), number(Timestamp { time, increment }));
        }
        let before = reached.time();
        for other in [
            "",
            "82",
            "8265A1",
            "7F65A1B2C300000009",
            "82zzA1B2C300000009",
            "82ü5A1B2C30000000",
        ] {
            reached.note(Some(&token(other)));
        }
        reached.note(None);
        assert_eq!(reached.time(), before);
    }

    #[test]
    fn times_are_in_order() {
        let time = |time, increment| number(Timestamp { time, increment });
        assert!(time(1, u32::MAX) < time(2, 0));
        assert!(time(2, 0) < time(2, 1));
    }

    #[test]
    fn only_a_primary_that_says_what_it_has_written_is_one() {
        let last = doc! { "opTime": { "ts": Timestamp { time: 3, increment: 1 }, "t": 1_i64 } };
        let mut hello =
            doc! { "isWritablePrimary": true, "electionId": ObjectId::new(), "lastWrite": last };
        assert_eq!(read(&hello).unwrap().unwrap().written, (3 << 32) + 1);
        hello.insert("isWritablePrimary", false);
        assert!(read(&hello).is_err());
        // mongos
        assert!(read(&doc! { "isWritablePrimary": true }).unwrap().is_none());
    }
}
