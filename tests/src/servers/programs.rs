//! Where the servers' programs are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The programs that each run of the script has reported: name to path.
type Found = HashMap<String, PathBuf>;

static FOUND: LazyLock<Mutex<HashMap<&'static str, Found>>> = LazyLock::new(Mutex::default);

/// The path of `program`, which the script finds, or installs with everything else of `server` (`redis`, `memcached` or `mongod`). The
/// script runs once per process and server, and waits for other installations.
///
/// # Panics
///
/// With the script's message if the server can't be had.
pub(crate) fn program(server: &'static str, program: &str) -> PathBuf {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let programs = found.entry(server).or_insert_with(|| find(server));
    match programs.get(program) {
        Some(path) => path.clone(),
        None => panic!("tests/servers.sh named no {program}"),
    }
}

fn find(server: &str) -> Found {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers.sh");
    let output = Command::new(&script)
        .arg(folder())
        .arg(server)
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    let programs = lines.lines().filter_map(|line| line.split_once('='));
    programs
        .map(|(name, path)| (name.to_owned(), path.into()))
        .collect()
}

/// Where the script installs what Debian lacks: beside cargo's build output.
fn folder() -> PathBuf {
    let exe = std::env::current_exe().unwrap_or_default();
    let mut folders = exe.ancestors();
    let target = folders.find(|folder| folder.join("CACHEDIR.TAG").exists());
    let target = target.map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        Path::to_path_buf,
    );
    target.join("servers")
}
