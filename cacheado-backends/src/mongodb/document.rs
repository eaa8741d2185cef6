//! The fields of a document, and the expressions over them. The server evaluates the expressions by its own clock, whatever its
//! clients' clocks say.
//!
//! | field | |
//! |---|---|
//! | `_id` | the cache's name, a colon, and the entry's name as [`address`](crate::address) writes it |
//! | `value` | the value; a document without one is a place for a load |
//! | `exp` | when the value expires; absent: never |
//! | `keep` | until when the server keeps the document, for loads that know its token; absent: for ever |
//! | `gen` | the token, new after each set and each eviction |
//! | `owner`, `until` | who claimed the load, and until when |

use std::sync::Arc;
use std::time::Duration;

use ::mongodb::bson::oid::ObjectId;
use ::mongodb::bson::spec::BinarySubtype;
use ::mongodb::bson::{
    Binary, Bson, Document, RawBsonRef, RawDocument, doc, serialize_to_document,
};
use ::mongodb::options::WriteConcern;

use crate::backend::Payload;

/// The owner of a claim that is open to anybody.
pub(super) const ANYBODY: ObjectId = ObjectId::from_bytes([0; 12]);

/// About 35,000 years, in milliseconds: no date is advanced by more.
const LONGEST: u64 = 1 << 50;

/// The largest document that the server takes, in bytes.
pub(super) const LARGEST: usize = 16 * 1024 * 1024;

pub(super) fn milliseconds(span: Duration) -> i64 {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    span.min(LONGEST).cast_signed()
}

/// A write concern in the form that commands take.
pub(super) fn concern(concern: &WriteConcern) -> Option<Document> {
    serialize_to_document(concern).ok()
}

/// The date `span` from now.
fn after(span: Duration) -> Document {
    doc! { "$add": ["$$NOW", milliseconds(span)] }
}

pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    })
}

/// Whether the document holds a value that has not expired.
pub(super) fn is_live() -> Document {
    doc! { "$and": [
        { "$ne": [{ "$type": "$value" }, "missing"] },
        { "$or": [
            { "$eq": [{ "$type": "$exp" }, "missing"] },
            { "$gt": ["$exp", "$$NOW"] },
        ] },
    ] }
}

/// Whether a claim is in force.
pub(super) fn is_claimed() -> Document {
    doc! { "$gt": ["$until", "$$NOW"] }
}

/// A condition on names: they begin with `prefix`, which ends in an ASCII character.
pub(super) fn beginning_with(prefix: &str) -> Document {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    doc! { "$gte": prefix, "$lt": String::from_utf8_lossy(&end).into_owned() }
}

/// The names in `range` that come after `last`.
pub(super) fn behind(mut range: Document, last: &str) -> Document {
    range.remove("$gte");
    range.insert("$gt", last);
    range
}

/// The projection that [`Found`] reads.
pub(super) fn all() -> Document {
    let mut all = all_but_the_value();
    all.insert("value", 1);
    all.insert("left", doc! { "$subtract": ["$exp", "$$NOW"] });
    all
}

/// The projection that [`Found`] reads, without the value and its lifetime.
pub(super) fn all_but_the_value() -> Document {
    doc! { "gen": 1, "owner": 1, "kept": { "$subtract": ["$keep", "$$NOW"] } }
}

/// The update that replaces the document by `payload` and the fields to `stay`. The server keeps it for `load_limit` past the
/// lifetime, for loads that begin before its end.
pub(super) fn with(payload: &Payload, load_limit: Duration, stay: Document) -> Vec<Document> {
    let mut new = doc! { "_id": "$_id", "value": binary(&payload.bytes) };
    new.extend(stay);
    if let Some(lifetime) = payload.lifetime {
        new.insert("exp", after(lifetime));
        new.insert("keep", after(lifetime.saturating_add(load_limit)));
    }
    vec![doc! { "$replaceWith": new }]
}

/// The document if it is live; else the document without its value, or a new one. An existing token stays. The server keeps the
/// document for at least `span`, and for twice that whenever this extends it.
pub(super) fn place(token: ObjectId, span: Duration) -> Document {
    let twice = after(span.saturating_mul(2));
    let empty = doc! {
        "_id": "$_id",
        "gen": { "$ifNull": ["$gen", token] },
        "owner": "$owner",
        "until": "$until",
        "keep": { "$max": [twice.clone(), "$until"] },
    };
    let ends = doc! { "$and": [
        { "$ne": [{ "$type": "$keep" }, "missing"] },
        { "$lt": ["$keep", after(span)] },
    ] };
    let longer = doc! { "$mergeObjects": ["$$ROOT", { "keep": twice }] };
    doc! { "$switch": {
        "branches": [
            { "case": { "$not": is_live() }, "then": empty },
            { "case": ends, "then": longer },
        ],
        "default": "$$ROOT",
    } }
}

/// [`place`], with the load claimed by `owner` for `claim` unless a claim is in force.
pub(super) fn claimed_place(
    token: ObjectId,
    span: Duration,
    owner: ObjectId,
    claim: Duration,
) -> Document {
    let mine = self::claim(owner, claim);
    doc! { "$mergeObjects": [
        place(token, span.max(claim)),
        { "$cond": [is_claimed(), {}, mine] },
    ] }
}

/// The fields of a claim by `owner` from now on, for `span`.
pub(super) fn claim(owner: ObjectId, span: Duration) -> Document {
    doc! { "owner": owner, "until": after(span) }
}

/// What was read of a document.
#[derive(Default)]
pub(super) struct Found {
    pub(super) token: Option<ObjectId>,
    pub(super) owner: Option<ObjectId>,
    value: Option<Arc<[u8]>>,
    /// How long the value still lives, in milliseconds; `None`: without an end.
    left: Option<i64>,
    /// How long the server still keeps the document, in the same way.
    kept: Option<i64>,
}

impl Found {
    /// A place that was just made.
    pub(super) fn place(token: ObjectId) -> Self {
        Self {
            token: Some(token),
            ..Self::default()
        }
    }

    /// Reads the projected `document`. A field of the wrong type counts as missing, except `value`: that is read as an empty value,
    /// which does not decode and so is counted.
    pub(super) fn read(document: &RawDocument) -> Self {
        Self {
            token: document.get_object_id("gen").ok(),
            owner: document.get_object_id("owner").ok(),
            value: match document.get("value") {
                Ok(Some(RawBsonRef::Binary(value))) => Some(value.bytes.into()),
                Ok(Some(_)) => Some(Arc::default()),
                _ => None,
            },
            left: document.get_i64("left").ok(),
            kept: document.get_i64("kept").ok(),
        }
    }

    /// The value, if it has not expired. The server was asked `ago`; the remaining lifetime is reduced by that, and by one step of the
    /// server's clock, which counts whole milliseconds.
    pub(super) fn payload(&self, ago: Duration) -> Option<Payload> {
        let lifetime = match self.left {
            None => None,
            Some(left) => {
                let left = u64::try_from(left).ok()?.saturating_sub(1);
                let left = Duration::from_millis(left);
                Some(left.checked_sub(ago).filter(|left| !left.is_zero())?)
            }
        };
        let bytes = self.value.clone()?;
        Some(Payload { bytes, lifetime })
    }

    /// The token, if the document will be there for `span` unless it is deleted.
    pub(super) fn token_for(&self, span: Duration) -> Option<ObjectId> {
        let lasting = self.kept.is_none_or(|kept| kept >= milliseconds(span));
        self.token.filter(|_| lasting)
    }
}
