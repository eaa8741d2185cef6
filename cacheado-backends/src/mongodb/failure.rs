//! Which of the driver's errors are refusals, and the message of each.

use std::error::Error as StdError;

use ::mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::backend::Refused;

/// Codes of a server that is not, or no longer, primary, is shutting down, was interrupted, or could not reach another server.
const OUTAGES: [i32; 26] = [
    6, 7, 18, 24, 43, 50, 64, 89, 91, 112, 133, 134, 175, 189, 237, 262, 290, 391, 9001, 10058,
    10107, 11600, 11601, 11602, 13435, 13436,
];

/// Another operation has made the document that an upsert would make.
pub(super) const DUPLICATE: i32 = 11000;

/// The collection to make exists already.
pub(super) const EXISTS: i32 = 48;

/// Converts the driver's error to the backend's.
#[allow(clippy::needless_pass_by_value, reason = "so it goes to `map_err`")]
pub(super) fn failure(error: Error) -> Box<dyn StdError + Send + Sync> {
    let is_refusal = match &*error.kind {
        ErrorKind::InvalidArgument { .. } | ErrorKind::Bson(_) => true,
        _ => code(&error).is_some_and(|code| !OUTAGES.contains(&code)),
    };
    told(text(&error.kind), is_refusal)
}

/// The error for the server's answer to one of several writes.
pub(super) fn refusal(code: i32, message: &str) -> Box<dyn StdError + Send + Sync> {
    told(said(message, code), !OUTAGES.contains(&code))
}

fn told(text: String, is_refusal: bool) -> Box<dyn StdError + Send + Sync> {
    if is_refusal {
        Refused::new(text).into()
    } else {
        text.into()
    }
}

/// The code that the server answered, if it did. A missing acknowledgement by other members is no answer to the write.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(answer) => Some(answer.code),
        ErrorKind::Write(WriteFailure::WriteError(answer)) => Some(answer.code),
        ErrorKind::InsertMany(answer) if answer.write_concern_error.is_none() => answer
            .write_errors
            .as_ref()
            .and_then(|errors| errors.first())
            .map(|error| error.code),
        _ => None,
    }
}

/// A short message: the driver's own text holds the server's whole answer, documents included.
fn text(kind: &ErrorKind) -> String {
    let (message, code) = match kind {
        ErrorKind::Command(answer) => (&answer.message, answer.code),
        ErrorKind::Write(WriteFailure::WriteError(answer)) => (&answer.message, answer.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(answer)) => (&answer.message, answer.code),
        ErrorKind::InsertMany(answer) => {
            let errors = answer.write_errors.as_ref();
            match errors.and_then(|errors| errors.first()) {
                Some(first) => (&first.message, first.code),
                None => return "the write was not acknowledged".to_owned(),
            }
        }
        other => return other.to_string(),
    };
    said(message, code)
}

fn said(message: &str, code: i32) -> String {
    format!("{message} ({code})")
}
