//! The command line. No option is required.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::database::fill::Size;
use crate::shared::SharedTier;

/// Serves a multi-tenant shop from a database file, and measures it with the cache off and on.
///
/// A run of a few seconds: --organizations 10 --users 1000 --orders 20000 --requests 2000
#[derive(Debug, Clone, Parser)]
#[command(version, about)]
pub struct Args {
    /// Database file; created and filled if it isn't there [default: one per size, beside the program]
    #[arg(long, value_name = "PATH")]
    pub database: Option<PathBuf>,

    /// Organizations (tenants) of a new database
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub organizations: u32,

    /// Users of a new database, shared out evenly among the organizations
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub users: u32,

    /// Orders of a new database; large organizations have more of them
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    pub orders: u32,

    /// Seed of the data and of the workload
    #[arg(long, default_value_t = 42)]
    pub seed: u64,

    /// Requests per phase, at most
    #[arg(long, default_value_t = 40_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub requests: u64,

    /// Seconds per phase, at most
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,

    /// Clients that ask at the same time, each over a connection of its own
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub clients: u32,

    /// Visitors whose cached answers are compared with the database afterwards
    #[arg(long, default_value_t = 500)]
    pub sample: u32,

    /// The server behind the cache, if any
    #[command(flatten)]
    pub shared: SharedTier,

    /// Keep serving, with the cache on, instead of measuring
    #[arg(long)]
    pub serve: bool,

    /// Key for hashing session ids before they leave the process: 64 hexadecimal digits, the same for all instances on one server
    /// [default: random, for an instance that has the server to itself]
    #[arg(long, value_name = "HEX", value_parser = secret_key, requires = "serve")]
    pub secret_key: Option<[u8; 32]>,

    /// Loopback port for --serve [default: a free one]
    #[arg(
        long,
        default_value_t = 0,
        hide_default_value = true,
        requires = "serve"
    )]
    pub port: u16,
}

/// Parses 32 bytes.
fn secret_key(digits: &str) -> Result<[u8; 32], &'static str> {
    let byte = |nth: usize| digits.get(2 * nth..2 * nth + 2);
    let mut key = [0; 32];
    for (nth, place) in key.iter_mut().enumerate() {
        let byte = byte(nth).and_then(|byte| u8::from_str_radix(byte, 16).ok());
        *place = byte.ok_or("64 hexadecimal digits are needed")?;
    }
    if digits.len() == 64 {
        Ok(key)
    } else {
        Err("64 hexadecimal digits are needed")
    }
}

impl Args {
    /// The size of a new database.
    #[must_use]
    pub fn size(&self) -> Size {
        Size {
            organizations: self.organizations,
            // an organization without users could not be visited
            users: self.users.max(self.organizations),
            orders: self.orders,
            seed: self.seed,
        }
    }

    /// The path of the database.
    ///
    /// # Errors
    /// If the program can't determine its own path.
    pub fn database_path(&self) -> std::io::Result<PathBuf> {
        if let Some(path) = &self.database {
            return Ok(path.clone());
        }
        // Beside the program means inside cargo's target folder, which is always writable, and which `cargo clean` removes.
        let program = std::env::current_exe()?;
        let folder = program.parent().unwrap_or(&program).join("storefront-data");
        Ok(folder.join(format!("{}.sqlite", self.size())))
    }

    /// The most time that a phase may take.
    #[must_use]
    pub fn phase_limit(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
