//! For tests of code that caches: a clock that advances only when told to, and a shared tier that fails when told to.
//!
//! ```
//! use std::time::Duration;
//! use cacheado::{Cache, testing::ManualClock};
//!
//! let clock = ManualClock::new();
//! let cache = Cache::builder().clock(clock.clone()).build()?;
//! cache.set("answer", &42_u32).ttl(Duration::from_secs(60)).run()?;
//!
//! clock.advance(Duration::from_secs(60) - Duration::from_nanos(1));
//! assert_eq!(cache.get("answer").run()?, Some(42_u32));
//! clock.advance(Duration::from_nanos(1));
//! assert_eq!(cache.get::<u32>("answer").run()?, None);
//! # Ok::<(), cacheado::Error>(())
//! ```

mod chaos;

pub use cacheado_backends::ManualClock;
pub use chaos::{Chaos, ChaosCounts, ChaosHandle};
