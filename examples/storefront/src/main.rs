//! The doorway: reads the command line, and turns a failed demonstration into exit code 1.

use clap::Parser;
use storefront::{args::Args, demo};

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // each of these threads may hold a connection to the database: more of them would only queue inside SQLite
        .max_blocking_threads(16)
        .build()?;
    runtime.block_on(demo::run(&args))
}
