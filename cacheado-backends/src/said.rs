//! Rate limit for the traces of an operation that is retried repeatedly: each reason for failure is traced once until a retry
//! succeeds.

use std::fmt::Display;

/// The most reasons that are traced, because a reason may contain a number that changes each time.
const MOST: usize = 4;

/// The reasons that were traced since the last success.
#[derive(Default)]
pub(crate) struct Said(Vec<String>);

impl Said {
    /// Whether `why` must be traced, in which case it is recorded as traced.
    pub(crate) fn is_new(&mut self, why: &dyn Display) -> bool {
        let why = why.to_string();
        let is_new = self.0.len() < MOST && !self.0.contains(&why);
        if is_new {
            self.0.push(why);
        }
        is_new
    }

    /// Records a success.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_once_until_it_has_worked() {
        let mut said = Said::default();
        let news = |said: &mut Said| ["a", "b", "a", "b"].map(|why| said.is_new(&why));
        assert_eq!(news(&mut said), [true, true, false, false]);
        said.forget();
        assert_eq!(news(&mut said), [true, true, false, false]);
        assert_eq!((0..100).filter(|n| said.is_new(n)).count(), MOST - 2);
    }
}
