//! Servers that speak TLS.

use std::fs;

use cacheado_tests::servers;

use crate::coherence::Heard;
use crate::shared::{Asked, BOTH, key, patient, text};

#[test]
fn a_server_with_a_certificate_of_ones_own() {
    let server = servers::Redis::start_tls();
    let authority = fs::read(server.ca()).unwrap();
    for way in BOTH {
        let backend = patient(&server.url());
        let store = Asked::new(backend.root_certificate(&authority).unwrap(), way);
        Heard::by(&store.backend).hears("covered");
        store.set(&key("x"), &text("v")).unwrap();
        assert_eq!(store.found(&key("x")).as_deref(), Some("v"));
        // the system's certificates do not cover the server
        let stranger = Asked::new(patient(&server.url()), way);
        let error = stranger.get(&key("x")).unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}
