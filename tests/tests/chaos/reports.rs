//! Lost reports of changes, whether or not the loss is reported.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheado::backends::{Backend as _, Change, Changes};
use cacheado::testing::Chaos;
use cacheado::{Cache, evict, peek};
use cacheado_tests::store::Client;

use crate::{cache_with, tripled};

/// Two caches on one store. The second has a copy, and loses reports.
fn two(chaos: impl FnOnce(Chaos<Client>) -> Chaos<Client>) -> (Client, Cache, Cache) {
    let client = Client::new();
    let (first, _) = cache_with(&client, |it| it);
    let (second, _) = cache_with(&client, chaos);
    tripled(&first, 7);
    tripled(&second, 7);
    assert_eq!(second.stats().total_keys, 1);
    (client, first, second)
}

#[test]
fn a_report_that_is_lost_takes_all_copies_with_it_and_those_after_it_are_kept_for_a_while() {
    let (client, first, second) = two(|it| it.lose(1.0));
    assert!(evict!(tripled(&first, 8)).is_ok());
    assert_eq!(second.stats().total_keys, 0);
    tripled(&second, 7);
    assert_eq!(second.stats().total_keys, 1);
    client.store().clock.advance(Duration::from_secs(5));
    assert_eq!(second.stats().total_keys, 0, "nothing told it to keep it");
}

#[test]
fn a_report_that_is_lost_silently_leaves_an_old_copy_until_there_is_calm() {
    let client = Client::new();
    let (first, _) = cache_with(&client, |it| it);
    let (second, handle) = cache_with(&client, |it| it.lose_silently(1.0));
    tripled(&first, 7);
    tripled(&second, 7);
    assert!(evict!(tripled(&first, 7)).unwrap());
    assert_eq!(peek!(tripled(&second, 7)).unwrap(), Some(21));
    assert_eq!(handle.counts().lost, 1);
    handle.calm();
    assert_eq!(peek!(tripled(&second, 7)).unwrap(), None);
    tripled(&second, 7);
    handle.calm();
    assert_eq!(second.stats().total_keys, 1, "nothing was lost since");
}

#[test]
fn what_is_said_of_it_is_in_order() {
    let client = Client::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let chaos = Chaos::new(client.clone());
    let handle = chaos.handle();
    let hears = Arc::clone(&heard);
    assert!(chaos.watch(Changes::new(move |change| {
        hears.lock().unwrap().push(change)
    })));
    let heard = || std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!(heard(), [Change::Covered]);

    let clear = || client.report(&Change::All);
    clear();
    handle.lose(1.0);
    clear();
    clear();
    handle.lose(0.0);
    clear();
    assert_eq!(
        heard(),
        [Change::All, Change::Lost, Change::Covered, Change::All]
    );

    // `calm` reports the loss at once
    handle.lose(1.0);
    clear();
    handle.calm().calm();
    assert_eq!(heard(), [Change::Lost, Change::Covered]);

    // the wrapped backend itself reports a loss
    handle.lose(1.0);
    clear();
    client.report(&Change::Lost);
    handle.calm();
    assert_eq!(heard(), [Change::Lost, Change::Lost]);
    client.report(&Change::Covered);
    assert_eq!(heard(), [Change::Covered]);
    assert_eq!(handle.counts().lost, 4);
}
