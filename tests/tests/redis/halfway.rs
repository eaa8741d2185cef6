//! A scope too large to evict in one step. A load that begins in between reads an entry about to be evicted; the value it derives is
//! evicted as well.

use std::sync::mpsc::channel;

use cacheado_backends::redis::Redis;
use cacheado_tests::servers;

use crate::shared::{Asked, BOTH, SECOND, key, key_in, patient, scope, text};

#[test]
fn what_a_load_makes_of_what_is_about_to_go_goes_as_well() {
    let server = servers::Redis::start();
    let network = servers::Proxy::start(server.addr());
    let evictions: [fn(&Asked); 2] = [
        |store| {
            store.evict_by_scope(&scope(&["acme"])).unwrap();
        },
        |store| store.clear().unwrap(),
    ];
    for (way, evict) in BOTH.into_iter().zip(evictions) {
        let through = Redis::new(&network.url("redis"))
            .unwrap()
            .timeout(10 * SECOND);
        let store = Asked::new(through, way);
        // the server knows the script from here on
        evict(&store);
        let parts: Vec<_> = (0..2500)
            .map(|nth| (key(&format!("{nth}")), text("old")))
            .collect();
        store.set_many(&parts).unwrap();
        let whole = |nth: &str| key_in(&["acme"], nth);
        let (told, marks) = channel();
        let other = Asked::new(patient(&server.url()), way);
        network.meanwhile(move || {
            let mark = other.missed(&whole("early"));
            let late = other.missed(&whole("late"));
            let (part, _) = parts.last().unwrap();
            assert_eq!(
                other.found(part).as_deref(),
                Some("old"),
                "it is no more than begun"
            );
            assert!(other.fill(&whole("early"), &text("old"), &mark).unwrap());
            told.send(late).unwrap();
        });
        evict(&store);
        assert_eq!(store.found(&whole("early")), None, "{way:?}");
        let late = marks.recv().unwrap();
        assert!(!store.fill(&whole("late"), &text("old"), &late).unwrap());
        // and a later load's value stays
        let mark = store.missed(&whole("late"));
        assert!(store.fill(&whole("late"), &text("new"), &mark).unwrap());
    }
}
