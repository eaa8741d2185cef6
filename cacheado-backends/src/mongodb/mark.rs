//! The content of a mark: the document's token, and the owner if the load holds a claim.

use std::time::Instant;

use ::mongodb::bson::oid::ObjectId;

use crate::backend::Mark;

/// The length of each, in bytes.
const ID: usize = 12;

pub(super) fn write(token: ObjectId, owner: Option<ObjectId>, taken: Instant) -> Mark {
    let mut bytes = token.bytes().to_vec();
    if let Some(owner) = owner {
        bytes.extend(owner.bytes());
    }
    Mark::new(bytes, taken)
}

/// The token and the owner; `None` for a mark without content.
pub(super) fn read(mark: &Mark) -> Option<(ObjectId, Option<ObjectId>)> {
    let (token, owner) = mark.bytes().split_at_checked(ID)?;
    let token = ObjectId::from_bytes(token.try_into().ok()?);
    match owner {
        [] => Some((token, None)),
        owner => Some((token, Some(ObjectId::from_bytes(owner.try_into().ok()?)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_all_else_says_nothing() {
        let (token, owner) = (ObjectId::new(), ObjectId::new());
        let taken = Instant::now();
        assert_eq!(read(&write(token, None, taken)), Some((token, None)));
        let both = write(token, Some(owner), taken);
        assert_eq!(read(&both), Some((token, Some(owner))));
        for len in (0..40).filter(|len| *len != ID && *len != 2 * ID) {
            assert_eq!(read(&Mark::new(vec![7; len], taken)), None);
        }
        assert_eq!(read(&Mark::none()), None);
    }
}
