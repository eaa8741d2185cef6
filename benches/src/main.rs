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

/// Counts for `memory`. Two more additions for each allocation, whatever is measured.
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

cacheado::scopes! { organization(org_id) { user(user_id) } }

/// Whether what was claimed holds.
type Outcome = Result<(), String>;

/// A subcommand.
struct Command {
    name: &'static str,
    /// What it measures.
    what: &'static str,
    run: fn() -> Outcome,
}

const COMMANDS: [Command; 2] = [
    Command {
        name: "memory",
        what: "bytes per entry beyond key and value, at 1,000,000 entries",
        run: memory::run,
    },
    Command {
        name: "evict",
        what: "evicting a scope of 1,000 entries among 10,000 and among 1,000,000",
        run: evict::run,
    },
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let chosen: Vec<_> = COMMANDS
        .iter()
        .filter(|command| wanted == "all" || wanted == command.name)
        .collect();
    if chosen.is_empty() {
        eprintln!("usage: cargo run --release -p cacheado-bench -- COMMAND\n");
        for Command { name, what, .. } in COMMANDS {
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
    for Command { name, what, run } in chosen {
        println!("{name}: {what}");
        if let Err(why) = run() {
            eprintln!("{name}: {why}");
            exit = ExitCode::FAILURE;
        }
        println!();
    }
    exit
}
