//! Reads the command line, runs the demonstration, and exits with code 1 if it fails.

use clap::Parser;
use storefront::{args::Args, demo};

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // each of these threads may have a connection to the database, and more of them would only queue inside SQLite
        .max_blocking_threads(16)
        .build()?;
    runtime.block_on(demo::run(&args))
}
