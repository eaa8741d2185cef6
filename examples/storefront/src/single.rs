//! How long one call of each cached function takes without the service around it: from the database, and from the cache.
//!
//! Over HTTP, most of the time goes into HTTP. This measures what remains of a call without it.

use std::time::{Duration, Instant};

use cacheado::bypass;

use crate::database::model::{Status, Visitor};
use crate::database::{Db, Result, queries};

/// The median times of one function.
pub(crate) struct Single {
    pub(crate) function: &'static str,
    pub(crate) from_database: Duration,
    pub(crate) from_cache: Duration,
}

/// Calls each function for one visitor, with the cache bypassed and with it.
pub(crate) async fn measure(db: &Db, visitor: &Visitor) -> Result<Vec<Single>> {
    let Visitor {
        org_id,
        user_id,
        session_id,
        ..
    } = visitor;
    let user_id = *user_id;
    // the call is written twice, because a bypassed call is another one to the compiler
    macro_rules! single {
        ($function:ident($($arg:expr),*) $($wait:tt)*) => {
            Single {
                function: stringify!($function),
                from_database: median(async || bypass!(queries::$function(db $(, $arg)*)) $($wait)*.map(drop)).await?,
                from_cache: median(async || queries::$function(db $(, $arg)*) $($wait)*.map(drop)).await?,
            }
        };
    }
    Ok(vec![
        single!(cart(org_id, user_id, session_id).await),
        single!(catalog(org_id, 0).await),
        single!(organizations().await),
        single!(permissions(org_id, user_id, session_id)),
        single!(profile(org_id, user_id)),
        single!(recent_orders(org_id, user_id, 0).await),
        single!(sales_report(org_id, Status::Shipped).await),
        single!(settings(org_id)),
    ])
}

/// The median time of a call. A sample has enough calls to take much longer than reading the clock.
async fn median(mut call: impl AsyncFnMut() -> Result<()>) -> Result<Duration> {
    const SAMPLES: usize = 101;
    const SAMPLE: Duration = Duration::from_micros(200);
    // the first call fills the cache, or the pages of the database
    call().await?;
    let begin = Instant::now();
    call().await?;
    let one = begin.elapsed().max(Duration::from_nanos(50));
    let calls = u32::try_from(SAMPLE.as_nanos() / one.as_nanos()).map_or(1, |calls| calls.max(1));

    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let begin = Instant::now();
        for _ in 0..calls {
            call().await?;
        }
        samples.push(begin.elapsed() / calls);
    }
    samples.sort_unstable();
    Ok(samples[SAMPLES / 2])
}
