//! The compile errors of the macros: each mistake is one message, at the token that is wrong, and says
//! what would be right. And, beside them, what has to compile.
//!
//! `TRYBUILD=overwrite` writes the messages anew.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn compile_errors() {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/pass/*.rs");
    cases.compile_fail("cases/*.rs");
}

/// An incremental build, as `cargo check` is by default, checks bodies in another order than the one above, and shows two
/// messages where that shows the same one twice. So the cases whose mistake the compiler finds are counted there as well.
#[test]
fn an_incremental_build_has_no_more_errors() -> Result<(), Box<dyn Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("incremental");
    let bins = package.join("src/bin");
    if package.exists() {
        fs::remove_dir_all(&package)?;
    }
    fs::create_dir_all(&bins)?;
    let cacheado = tests.join("../../cacheado");
    let manifest = format!(
        "[package]\nname = \"incremental\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
         cacheado = {{ path = {cacheado:?}, features = [\"tokio\"] }}\nserde = \"1\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::copy(tests.join("../../Cargo.lock"), package.join("Cargo.lock"))?;

    let mut expected = BTreeMap::new();
    for case in fs::read_dir(tests.join("cases"))? {
        let case = case?.path();
        let Ok(messages) = fs::read_to_string(case.with_extension("stderr")) else {
            continue;
        };
        // the others are the macro's own messages, and shown before anything is checked
        if case.extension().is_some_and(|of| of == "rs") && messages.contains("error[E0277]") {
            let name = case.file_name().ok_or("a case is a file")?;
            fs::copy(&case, bins.join(name))?;
            let count = messages.lines().filter(|line| line.starts_with("error"));
            expected.insert(name.to_string_lossy().into_owned(), count.count());
        }
    }
    assert!(expected.len() > 3, "{expected:?}");

    let check = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going"])
        .current_dir(&package)
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_TARGET_DIR", package.with_extension("target"))
        .output()?;
    let shown = String::from_utf8(check.stderr)?;
    let mut found: BTreeMap<String, usize> =
        expected.keys().map(|case| (case.clone(), 0)).collect();
    let lines = shown.lines().zip(shown.lines().skip(1));
    for (_, place) in lines.filter(|(message, _)| message.starts_with("error")) {
        let case = place.trim_start().strip_prefix("--> src/bin/");
        let case = case.and_then(|place| place.split(':').next());
        if let Some(count) = case.and_then(|case| found.get_mut(case)) {
            *count += 1;
        }
    }
    assert_eq!(found, expected, "{shown}");
    Ok(())
}
