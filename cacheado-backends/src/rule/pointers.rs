//! Rules behind pointers: a `Box` of one that is chosen at run time, an `Arc` of one that its user keeps a handle to.

use std::sync::Arc;
use std::time::Duration;

use super::{Admission, Candidate, Cause, Departed, Newcomer, Reads, Rule, Seats, Verdict};
use crate::error::Result;
use crate::key::Key;

macro_rules! forwarded {
    ($($pointer:ident),*) => {
        $(
            // a default method would be called instead of the rule's own
            #[deny(clippy::missing_trait_methods)]
            impl<R: Rule + ?Sized> Rule for $pointer<R> {
                fn name(&self) -> &'static str {
                    (**self).name()
                }

                fn check(&self) -> Result<()> {
                    (**self).check()
                }

                fn reads(&self) -> Reads {
                    (**self).reads()
                }

                fn on_get(&self, key: &Key) -> Verdict {
                    (**self).on_get(key)
                }

                fn on_set(&self, candidate: &mut Candidate<'_>) -> Admission {
                    (**self).on_set(candidate)
                }

                fn on_insert(
                    &self,
                    newcomer: &mut Newcomer<'_>,
                    seats: &mut Seats<'_>,
                ) -> Admission {
                    (**self).on_insert(newcomer, seats)
                }

                fn on_replace(
                    &self,
                    old: Option<u32>,
                    newcomer: &mut Newcomer<'_>,
                    seats: &mut Seats<'_>,
                ) -> Admission {
                    (**self).on_replace(old, newcomer, seats)
                }

                fn on_remove(&self, departed: &Departed<'_>, cause: Cause) {
                    (**self).on_remove(departed, cause);
                }

                fn on_evict(&self, key: &Key, cause: Cause) {
                    (**self).on_evict(key, cause);
                }

                fn on_clear(&self) {
                    (**self).on_clear();
                }

                fn on_keys(&self, keys: &mut Vec<Key>) {
                    (**self).on_keys(keys);
                }

                fn gives_seats(&self) -> bool {
                    (**self).gives_seats()
                }

                fn asks_last_use(&self) -> bool {
                    (**self).asks_last_use()
                }

                fn sweep_interval(&self) -> Option<Duration> {
                    (**self).sweep_interval()
                }
            }
        )*
    };
}
forwarded!(Arc, Box);
