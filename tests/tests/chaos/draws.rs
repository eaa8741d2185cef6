//! Which operations fail depends on the seed alone.

use std::time::Duration;

use cacheado::backends::Backend as _;
use cacheado::testing::Chaos;
use cacheado_tests::store::Client;

/// Which of 200 operations fail.
fn failures(chaos: &Chaos<Client>) -> Vec<bool> {
    (0..200).map(|_| chaos.clear().is_err()).collect()
}

fn chaos(seed: u64) -> Chaos<Client> {
    Chaos::new(Client::new()).seed(seed).fail(0.5)
}

#[test]
fn the_same_seed_draws_the_same() {
    assert_eq!(failures(&chaos(7)), failures(&chaos(7)));
    assert_ne!(failures(&chaos(7)), failures(&chaos(8)));
}

/// So an outage can be told apart from the other faults that are injected with it.
#[test]
fn one_fault_does_not_change_when_another_comes() {
    let more = chaos(7).stall(0.5, Duration::ZERO).corrupt(0.5).lose(0.5);
    assert_eq!(failures(&chaos(7)), failures(&more));
    assert!(more.handle().counts().stalled > 0);
}

#[test]
fn calm_is_calm() {
    let chaos = chaos(7).refuse(0.5).stall(1.0, Duration::ZERO);
    failures(&chaos);
    let before = chaos.handle().counts();
    chaos.handle().calm();
    assert!(failures(&chaos).iter().all(|failed| !failed));
    let after = chaos.handle().counts();
    assert_eq!(after.operations, before.operations + 200);
    assert_eq!(after.failed, before.failed);
    assert_eq!(after.stalled, before.stalled);
}
