//! Certificates for servers with TLS. They are made anew for each server, so none expires.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::programs::program;

/// The files in the server's directory.
pub(crate) const CA: &str = "ca.crt";
pub(crate) const CERTIFICATE: &str = "server.crt";
pub(crate) const KEY: &str = "server.key";

/// Writes an authority, and a key and certificate for `localhost` and `127.0.0.1` signed by it, to `directory`, unless they exist.
///
/// # Panics
///
/// If openssl fails.
pub(crate) fn certify(directory: &Path) {
    if directory.join(CERTIFICATE).exists() {
        return;
    }
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(directory.join("names"), names).expect("the directory can be written to");
    for line in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=cacheado-tests -keyout ca.key -out ca.crt",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    ] {
        let output = Command::new(program("redis", "openssl"))
            .args(line.split(' '))
            .current_dir(directory)
            .output()
            .expect("openssl starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line}: {errors}");
    }
}
