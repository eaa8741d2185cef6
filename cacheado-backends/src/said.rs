//! What was said lately of something that is tried again and again: each reason why it fails is said once.

use std::fmt::Display;

/// So many reasons are said: one may have a number in it that is another each time.
const MOST: usize = 4;

/// The reasons that were said since it worked last.
#[derive(Default)]
pub(crate) struct Said(Vec<String>);

impl Said {
    /// Whether `why` is to be said.
    pub(crate) fn is_new(&mut self, why: &dyn Display) -> bool {
        let why = why.to_string();
        let is_new = self.0.len() < MOST && !self.0.contains(&why);
        if is_new {
            self.0.push(why);
        }
        is_new
    }

    /// It has worked.
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
