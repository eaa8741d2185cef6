//! An eviction of one key at each point of a load that is claimed among processes. The loading process or another one evicts; in the
//! second case the loading process hears of it at once, or after its load. The old value is left nowhere.

mod passing;
mod source;

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use cacheado::Cache;
use cacheado::testing::ManualClock;
use cacheado_backends::Backend;
use cacheado_backends::redis::Redis;
use cacheado_tests::servers::{self, wait_until};
use cacheado_tests::store::Client;

use passing::{News, Passing};
use source::{Source, Way};

/// How many points to try in a load that waits for another process's claim: it keeps polling.
const WAITS: usize = 10;

/// What the load finds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Nothing,
    Value,
    /// A stale value.
    Old,
    /// A claim of another process whose load has read the old value. That load ends before or after the eviction.
    Claim {
        ends_first: bool,
    },
}

const STARTS: [Start; 5] = [
    Start::Nothing,
    Start::Value,
    Start::Old,
    Start::Claim { ends_first: true },
    Start::Claim { ends_first: false },
];

#[derive(Clone, Copy, Debug)]
struct Case {
    way: Way,
    start: Start,
    late: bool,
    by_other: bool,
    at: usize,
}

/// Runs one case. `Break`: the load has no such point.
fn one<B: Backend>(
    client: impl Fn() -> B,
    clock: &ManualClock,
    nth: usize,
    case: Case,
) -> ControlFlow<()> {
    let Case {
        way,
        start,
        late,
        by_other,
        at,
    } = case;
    let news = Arc::new(News::new(late));
    let source = Source::default();
    let builder = || Cache::builder().clock(clock.clone());
    let passing = Passing {
        inner: client(),
        points: Arc::clone(&source.points),
        news: Arc::clone(&news),
    };
    let here = builder().backend(passing).build().unwrap();
    let other = || builder().backend(client()).build().unwrap();
    let (there, third) = (other(), other());
    let store = builder()
        .backend(client())
        .in_process(false)
        .build()
        .unwrap();
    news.wait_for(1);
    source.truth.store(1, Ordering::SeqCst);
    if matches!(start, Start::Value | Start::Old) {
        way.put(&store, &source.aside(), nth);
        news.wait_for(2);
        news.let_through();
    }
    if start == Start::Old {
        clock.advance(Duration::from_secs(61));
    }
    let (go_on, goes_on) = mpsc::channel::<()>();
    let claimed = matches!(start, Start::Claim { .. }).then(|| {
        let (begun, is_begun) = mpsc::channel();
        let inside = source.aside();
        inside.points.set(1, move || {
            begun.send(()).unwrap();
            goes_on.recv().unwrap();
        });
        let third = third.clone();
        let load = thread::spawn(move || way.ask(&third, &inside, nth));
        is_begun.recv().unwrap();
        load
    });
    let (evictor, aside, of_news) = (
        if by_other { &there } else { &here }.clone(),
        source.aside(),
        Arc::clone(&news),
    );
    let evicted = Arc::new(OnceLock::new());
    let is_evicted = Arc::clone(&evicted);
    let change = move || {
        let before = of_news.heard.load(Ordering::SeqCst);
        let end = move || {
            if let Some(claimed) = claimed {
                go_on.send(()).unwrap();
                claimed.join().unwrap();
            }
        };
        let mut end = Some(end);
        if start == (Start::Claim { ends_first: true })
            && let Some(end) = end.take()
        {
            end();
        }
        aside.truth.store(2, Ordering::SeqCst);
        way.evict(&evictor, &aside, nth);
        if by_other {
            of_news.wait_for(before + 1);
        }
        if let Some(end) = end {
            end();
        }
        is_evicted.set(()).unwrap();
    };
    // on a thread of its own, so not from inside the load
    source
        .points
        .set(at, || thread::spawn(change).join().unwrap());
    way.ask(&here, &source, nth);
    if evicted.get().is_none() {
        return ControlFlow::Break(());
    }
    news.let_through();
    for cache in [&here, &there, &third, &store] {
        // the third cache hears of it asynchronously
        let is_gone = || way.peek(cache, &source.aside(), nth) != Some(1);
        assert!(wait_until(Duration::from_secs(20), is_gone), "{case:?}");
    }
    assert_eq!(way.ask(&here, &source.aside(), nth), 2, "{case:?}");
    ControlFlow::Continue(())
}

fn all<B: Backend>(client: impl Fn() -> B, clock: &ManualClock, starts: &[Start]) {
    let mut nth = 0;
    for (&start, way) in starts
        .iter()
        .flat_map(|it| [(it, Way::Blocking), (it, Way::Async)])
    {
        for (late, by_other) in [(false, false), (false, true), (true, true)] {
            let most = if matches!(start, Start::Claim { .. }) {
                WAITS
            } else {
                usize::MAX
            };
            for at in 0..most {
                nth += 1;
                let case = Case {
                    way,
                    start,
                    late,
                    by_other,
                    at,
                };
                if one(&client, clock, nth, case).is_break() {
                    assert!(at > 1, "{case:?}: nothing came between");
                    break;
                }
            }
        }
    }
}

#[test]
fn in_the_simplest_store_nothing_old_is_left() {
    let client = Client::new();
    let clock = client.store().clock.clone();
    all(|| client.clone(), &clock, &STARTS);
}

/// Redis ends values by its own clock, so a stale value can't be arranged.
#[test]
fn in_redis_nothing_old_is_left() {
    let server = servers::Redis::start();
    let starts: Vec<Start> = STARTS.into_iter().filter(|it| *it != Start::Old).collect();
    all(
        || Redis::new(&server.url()).unwrap(),
        &ManualClock::new(),
        &starts,
    );
}
