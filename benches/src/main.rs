//! What the cache costs, measured. A file for each subcommand:
//!
//! ```console
//! cargo run --release -p cacheado-bench -- all
//! cargo run --release -p cacheado-bench -- memory
//! cargo run --release -p cacheado-bench -- evict
//! ```
//!
//! Each prints a table and what it measured. One that checks a claim ends with exit code 1 if the claim does not hold.

mod counting;
mod evict;
mod measure;
mod memory;

use std::process::ExitCode;

/// Counts for `memory`. Two more additions per allocation, which the timed parts of the others avoid.
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

cacheado::scopes! { organization(org_id) { user(user_id) } }

/// Whether what was claimed holds.
type Outcome = Result<(), String>;

/// Each subcommand, what it measures, and how it is run.
const COMMANDS: [(&str, &str, fn() -> Outcome); 2] = [
    (
        "memory",
        "bytes per entry beyond key and value, at 1,000,000 entries",
        memory::run,
    ),
    (
        "evict",
        "evicting a scope of 1,000 entries among 10,000 and among 1,000,000",
        evict::run,
    ),
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let chosen: Vec<_> = COMMANDS
        .iter()
        .filter(|(name, ..)| wanted == "all" || wanted == *name)
        .collect();
    if chosen.is_empty() {
        eprintln!("usage: cargo run --release -p cacheado-bench -- COMMAND\n");
        for (name, what, _) in COMMANDS {
            eprintln!("  {name:<8} {what}");
        }
        eprintln!("  {:<8} each of them", "all");
        return ExitCode::from(2);
    }
    if cfg!(debug_assertions) {
        eprintln!("built without optimization: add --release");
        return ExitCode::from(2);
    }
    let mut exit = ExitCode::SUCCESS;
    for (name, what, run) in chosen {
        println!("{name}: {what}");
        if let Err(why) = run() {
            eprintln!("{name}: {why}");
            exit = ExitCode::FAILURE;
        }
        println!();
    }
    exit
}
