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

struct Target {
    name: &'static str,
    read: fn(&[u8]),
    /// What to begin with, as today's code makes it.
    seeds: fn() -> Vec<(&'static str, Vec<u8>)>,
}

const ENVELOPE: Target = Target {
    name: "envelope",
    read: fuzz::envelope::read,
    seeds: fuzz::envelope::seeds,
};

const CHANGE: Target = Target {
    name: "change",
    read: fuzz::change::read,
    seeds: fuzz::change::seeds,
};

const KEY_REPLAY: Target = Target {
    name: "key_replay",
    read: fuzz::key_replay::read,
    seeds: fuzz::key_replay::seeds,
};

const TARGETS: [Target; 3] = [CHANGE, ENVELOPE, KEY_REPLAY];

/// What is in the fuzz targets' own crate at `path`.
fn there(path: &str) -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../fuzz").join(path)
}

fn folder(target: &Target) -> PathBuf {
    there("seeds").join(target.name)
}

/// Runs a target. Its seeds are what is in its folder.
fn run(target: &Target) {
    let read = target.read;
    let files = std::fs::read_dir(folder(target)).unwrap();
    let seeds: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert_ne!(seeds.len(), 0);
    for seed in &seeds {
        read(seed);
    }

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
    run(&ENVELOPE);
}

#[test]
fn change() {
    run(&CHANGE);
}

#[test]
fn key_replay() {
    run(&KEY_REPLAY);
}

/// Depth without end was once shown by recursion.
#[test]
fn a_key_of_a_million_parts_in_one_another() {
    fuzz::key_replay::read(&vec![2; 1_000_000]);
}

#[test]
fn every_target_is_run_here() {
    let files = std::fs::read_dir(there("fuzz_targets")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_stem().unwrap()).collect();
    assert_eq!(names, TARGETS.map(|target| target.name));
}

/// The seeds of each target that are not there yet.
#[test]
#[ignore = "writes files"]
fn write_seeds() {
    for target in TARGETS {
        std::fs::create_dir_all(folder(&target)).unwrap();
        for (name, bytes) in (target.seeds)() {
            let path = folder(&target).join(name);
            if !path.exists() {
                std::fs::write(path, bytes).unwrap();
            }
        }
    }
}
