//! The cost of the shared tier, beside the bare driver of the same server: Redis, MongoDB and Memcached, each started for this.
//!
//! | file | responsible for |
//! |---|---|
//! | `servers.rs` | the servers, and the bytes that they count |
//! | `bare/` | the contenders that are a driver alone |
//! | `cached.rs` | the contenders that are a cache in front of it |
//! | `contender.rs` | what a contender does |
//! | `callers.rs` | several concurrent callers, blocking or not |
//! | `operations.rs` | what is measured, and its tables |
//! | `wire.rs` | bytes per operation |
//!
//! The caches have no in-process tier, so each lookup goes to the server. A round trip over the loopback is short, so what a cache
//! adds has more weight here than over a network.

mod bare;
mod cached;
mod callers;
mod contender;
mod operations;
mod servers;
mod wire;

use std::sync::Arc;

use crate::Outcome;
use crate::options::Options;
use crate::report::Report;

use self::callers::Callers;
use self::contender::Contender;
use self::servers::Running;

pub(crate) use self::servers::Kind;

/// The contenders over one server. The bare driver is the first.
type Contenders = Vec<Arc<dyn Contender>>;

/// Starts the servers one after the other, so that none uses the machine while another is measured.
pub(crate) fn run(options: &Options, report: &Report) -> Outcome {
    let chosen = match &options.stores[..] {
        [] => &Kind::ALL,
        chosen => chosen,
    };
    let callers = Callers::new()?;
    for kind in chosen {
        let running = kind.start();
        let (contenders, caches) = contenders(&running, &callers)?;
        operations::run(kind.name(), &contenders, &callers, options, report)?;
        wire::run(&running, &contenders, options, report)?;
        let failed: u64 = caches
            .iter()
            .map(|cache| cache.stats().backend_errors)
            .sum();
        if failed > 0 {
            return Err(format!(
                "{}: {failed} operations failed; what was measured is not what is claimed",
                kind.name()
            ));
        }
    }
    Ok(())
}

fn contenders(
    running: &Running,
    callers: &Callers,
) -> Result<(Contenders, Vec<cacheado::Cache>), String> {
    let cache = running.cache()?;
    let mut contenders: Contenders = vec![
        Arc::new(bare::Bare::new(running, callers)?),
        Arc::new(cached::Functions::new(cache.clone(), "#[cache]")),
    ];
    let mut caches = vec![cache.clone()];
    if let Some(there) = running.cache_on(callers.runtime()) {
        let there = there?;
        caches.push(there.clone());
        contenders.push(Arc::new(cached::Functions::new(
            there,
            "#[cache], the callers' runtime",
        )));
    }
    contenders.push(Arc::new(cached::Calls(cache)));
    Ok((contenders, caches))
}

#[cfg(test)]
mod tests {
    use super::contender::{Item, SIZES};
    use super::*;

    #[test]
    fn all_contenders_find_what_they_stored_and_load_what_there_is_not() {
        for kind in Kind::ALL {
            let running = kind.start();
            let callers = Callers::new().unwrap();
            let (contenders, caches) = contenders(&running, &callers).unwrap();
            for contender in contenders {
                let name = contender.name();
                for size in SIZES {
                    let item = Item::new(0, size);
                    // the entry under the key differs from what a load would find
                    let other = Item::new(9, size);
                    assert_eq!(contender.load(0, 0, size), item, "{name}");
                    contender.set(0, &other, 0, size);
                    assert_eq!(contender.get(0, 0, size), Some(other.clone()), "{name}");
                    assert_eq!(contender.load(0, 0, size), other, "{name}");
                    callers.wait(async {
                        contender.set_async(&item, 0, size).await;
                        assert_eq!(contender.get_async(0, size).await, Some(item.clone()));
                        assert_eq!(contender.load_async(0, size).await, item, "{name}");
                    });
                }
                let [size, _] = SIZES;
                contender.load(0, 100, size);
                let keys = [0, 700, 100];
                let items = [Some(Item::new(0, size)), None, Some(Item::new(100, size))];
                if let Some(found) = contender.get_many(&keys, size) {
                    assert_eq!(found, items, "{name}");
                    let found = callers.wait(contender.get_many_async(&keys, size));
                    assert_eq!(found.unwrap(), items, "{name}");
                }
            }
            for cache in caches {
                assert_eq!(cache.stats().backend_errors, 0);
            }
        }
    }
}
