//! What the cache costs, measured beside its peers. Each subcommand has a file:
//!
//! ```console
//! cargo run --release -p cacheado-bench -- all
//! cargo run --release -p cacheado-bench -- hit --quick
//! cargo run --release -p cacheado-bench -- ratio DIR --only lirs/,OLTP
//! ```
//!
//! Each prints tables, and writes them to CSV files. A subcommand that checks a claim exits with code 1 if the claim does not hold.

mod aging;
mod compile;
mod contender;
mod counting;
mod evict;
mod histogram;
mod hit;
mod load;
mod measure;
mod memory;
mod miss;
mod options;
mod peers;
mod plot;
mod ratio;
mod report;
mod scale;
mod shapes;
mod shared;
mod stream;

use std::process::{self, ExitCode};

use crate::options::{Options, USAGE};
use crate::report::Report;

/// Counts while `memory` runs.
#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

cacheado::scopes! { organization(org_id) { user(user_id) } }

/// Whether the measurement succeeded, and whether the claims hold.
type Outcome = Result<(), String>;

/// A subcommand.
struct Command {
    name: &'static str,
    /// What it measures.
    what: &'static str,
    run: fn(&Options, &Report) -> Outcome,
}

const COMMANDS: [Command; 10] = [
    Command {
        name: "hit",
        what: "what a hit costs",
        run: hit::run,
    },
    Command {
        name: "miss",
        what: "what a full cache costs, and what evicting does to the hits of others",
        run: miss::run,
    },
    Command {
        name: "load",
        what: "loads of one key by several callers, and what a cold miss costs",
        run: load::run,
    },
    Command {
        name: "scale",
        what: "throughput of 1 to 8 threads",
        run: scale::run,
    },
    Command {
        name: "memory",
        what: "bytes per entry beyond key and value, at 1,000,000 entries",
        run: memory::run,
    },
    Command {
        name: "ratio",
        what: "hit ratios over the traces of a folder, or over made-up ones",
        run: ratio::run,
    },
    Command {
        name: "compile",
        what: "what 200 annotated functions cost to check and to build",
        run: compile::run,
    },
    Command {
        name: "evict",
        what: "evicting a scope of 1,000 entries among 10,000 and among 1,000,000",
        run: |_, _| evict::run(),
    },
    Command {
        name: "aging",
        what: "what a hit costs with stale, refresh_after, xfetch, timeout and jitter",
        run: aging::run,
    },
    Command {
        name: "shared",
        what: "the shared tier beside the bare drivers of Redis, MongoDB and Memcached",
        run: shared::run,
    },
];

fn usage() -> ExitCode {
    eprintln!("usage: cargo run --release -p cacheado-bench -- COMMAND [OPTIONS]\n");
    for Command { name, what, .. } in COMMANDS {
        eprintln!("  {name:<8} {what}");
    }
    eprintln!("  {:<8} each of them\n\n{USAGE}", "all");
    ExitCode::from(2)
}

/// Runs each command in a process of its own. What an attribute caches stays until the process ends, so the next command would find
/// it.
fn run_all(options: &Options) -> Outcome {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut failed = Vec::new();
    for Command { name, .. } in COMMANDS {
        let status = process::Command::new(&program)
            .args(options.arguments_of(name))
            .status()
            .map_err(|error| error.to_string())?;
        if !status.success() {
            failed.push(name);
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

fn run(options: &Options) -> Outcome {
    if options.command == "all" {
        return run_all(options);
    }
    let report = Report::new(options.out.clone())?;
    for Command { name, what, run } in COMMANDS {
        if name == options.command {
            println!("{name}: {what}");
            let outcome = run(options, &report);
            println!();
            return outcome;
        }
    }
    Err(format!("there is no command {:?}", options.command))
}

fn main() -> ExitCode {
    let options = match Options::parse(lexopt::Parser::from_env()) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return usage();
        }
    };
    let known = COMMANDS
        .iter()
        .any(|command| command.name == options.command);
    if !known && options.command != "all" {
        return usage();
    }
    if cfg!(debug_assertions) {
        eprintln!("built without optimization: add --release");
        return ExitCode::from(2);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}: {why}", options.command);
            ExitCode::FAILURE
        }
    }
}
