//! What the fuzz targets do, on a stable toolchain: over their seeds, over those with bytes changed, and over random bytes.
//!
//! `CACHEADO_FUZZ_ROUNDS` is how many inputs each target is given, 3000 if it is not set.

#![cfg(feature = "lz4")]

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[allow(
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "it is a crate of its own"
)]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn folder(target: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../fuzz/seeds").join(target)
}

/// Runs a target. Its seeds are what is in its folder.
fn run(target: &str, read: fn(&[u8])) {
    let files = std::fs::read_dir(folder(target)).unwrap();
    let seeds: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| read(seed));

    let rounds = std::env::var("CACHEADO_FUZZ_ROUNDS").map_or(3000, |text| {
        text.parse().expect("CACHEADO_FUZZ_ROUNDS is a number")
    });
    let config = Config {
        cases: rounds,
        failure_persistence: None,
        ..Config::default()
    };
    let patches = prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4);
    let patched = (
        prop::sample::select(seeds),
        patches,
        any::<prop::sample::Index>(),
    );
    let patched = patched.prop_map(|(mut seed, patches, cut)| {
        for (at, byte) in patches {
            if !seed.is_empty() {
                let at = at.index(seed.len());
                seed[at] = byte;
            }
        }
        // half of them whole
        let len = cut.index(2 * seed.len() + 1);
        seed.truncate(len);
        seed
    });
    let random = prop::collection::vec(any::<u8>(), 0..300);
    TestRunner::new(config)
        .run(&prop_oneof![3 => patched, 1 => random], |bytes| {
            read(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn envelope() {
    run("envelope", fuzz::envelope::read);
}

#[test]
fn change() {
    run("change", fuzz::change::read);
}

#[test]
fn key_replay() {
    run("key_replay", fuzz::key_replay::read);
}

/// Depth without end was once shown by recursion.
#[test]
fn a_key_of_a_million_parts_in_one_another() {
    fuzz::key_replay::read(&vec![2; 1_000_000]);
}

/// Each target's seeds, as today's code makes them, for `fuzz/seeds`: run it by name after adding one. Files that are there stay.
#[test]
#[ignore = "writes files"]
fn write_seeds() {
    let targets: [(&str, fn() -> Seeds); 3] = [
        ("envelope", fuzz::envelope::seeds),
        ("change", fuzz::change::seeds),
        ("key_replay", fuzz::key_replay::seeds),
    ];
    for (target, seeds) in targets {
        std::fs::create_dir_all(folder(target)).unwrap();
        for (name, bytes) in seeds() {
            let path = folder(target).join(name);
            if !path.exists() {
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
}
