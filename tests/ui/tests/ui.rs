//! The compile errors of the macros: each mistake is one message, at the token that is wrong, and says
//! what would be right. And, beside them, what has to compile.
//!
//! `TRYBUILD=overwrite` writes the messages anew.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The messages are kept as the oldest supported compiler words and draws them, which another does otherwise here and there.
#[test]
fn compile_errors() -> Outcome {
    let cases = trybuild::TestCases::new();
    cases.pass("cases/pass/*.rs");
    let compiler = Command::new("rustc").arg("--version").output()?;
    let compiler = String::from_utf8(compiler.stdout)?;
    if compiler.starts_with(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".")) {
        cases.compile_fail("cases/*.rs");
    } else {
        println!("only where the errors are, and what the macros say, is compared with {compiler}");
    }
    Ok(())
}

/// By every compiler, on the same lines, and in the same words where they are the macros' own.
///
/// An incremental build, as `cargo check` is by default, checks bodies in another order than the one above, and shows two
/// messages where that shows the same one twice.
#[test]
fn an_incremental_build_has_the_same_errors() -> Outcome {
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
         async-trait = \"0.1\"\ncacheado = {{ path = {cacheado:?}, features = [\"tokio\"] }}\nserde = \"1\"\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt\", \"time\"] }}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest)?;
    fs::copy(tests.join("../../Cargo.lock"), package.join("Cargo.lock"))?;

    let mut expected = BTreeMap::new();
    for case in fs::read_dir(tests.join("cases"))? {
        let case = case?.path();
        if case.extension().is_some_and(|of| of == "rs") {
            let name = case.file_name().ok_or("a case is a file")?;
            fs::copy(&case, bins.join(name))?;
            let messages = fs::read_to_string(case.with_extension("stderr"))?;
            expected.extend(errors(&messages, "cases/"));
        }
    }
    assert!(expected.len() > 100, "{expected:?}");

    let check = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going"])
        .current_dir(&package)
        .env("CARGO_INCREMENTAL", "1")
        .env("CARGO_TARGET_DIR", package.with_extension("target"))
        .output()?;
    let shown = String::from_utf8(check.stderr)?;
    let found = errors(&shown, "src/bin/");
    for (case, errors) in &expected {
        assert_eq!(found.get(case), Some(errors), "{case}: {shown}");
    }
    assert_eq!(found.len(), expected.len(), "{shown}");
    Ok(())
}

/// What was found wrong with each of the cases in `folder`: on which line, and, if the compiler has no number for it, in which words.
fn errors(shown: &str, folder: &str) -> BTreeMap<String, Vec<(u32, String)>> {
    let mut errors: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut message = None;
    for line in shown.lines() {
        if line.starts_with("error") {
            message = Some(line.strip_prefix("error: ").unwrap_or_default());
        } else if line.starts_with("warning") {
            // the last error may have had no place, as Cargo's own have none
            message = None;
        } else if let Some(place) = line.trim_start().strip_prefix("--> ")
            && let Some(message) = message.take()
            && let Some((case, place)) =
                place.strip_prefix(folder).and_then(|it| it.split_once(':'))
        {
            let line = place.split(':').next().and_then(|it| it.parse().ok());
            let error = (line.unwrap_or_default(), message.to_owned());
            errors.entry(case.to_owned()).or_default().push(error);
        }
    }
    for of_case in errors.values_mut() {
        of_case.sort();
    }
    errors
}
