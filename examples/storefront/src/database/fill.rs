//! Creates and fills the database file, once.
//!
//! The rows depend on the seed alone. The file is filled under another name and renamed when it is complete, so that an interrupted
//! fill is never mistaken for a database.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use rusqlite::{Connection, params};

use super::model::Status;
use super::{Error, Result, schema};

/// The number of products that each organization sells. Their ids begin at 1.
pub(crate) const PRODUCTS_PER_ORGANIZATION: u32 = 60;

/// The settings of each organization, with their initial values.
pub const SETTINGS: [(&str, &str); 5] = [
    ("currency", "EUR"),
    ("footer", "Thank you for your order."),
    ("language", "en"),
    ("tax_percent", "19"),
    ("theme", "light"),
];

/// The size of a database. It displays as the stem of a file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Tenants.
    pub organizations: u32,
    /// Users of all tenants.
    pub users: u32,
    /// Orders of all users.
    pub orders: u32,
    /// What the rows are generated from.
    pub seed: u64,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            organizations,
            users,
            orders,
            seed,
        } = self;
        write!(
            f,
            "{organizations}-organizations-{users}-users-{orders}-orders-seed-{seed}"
        )
    }
}

/// Creates the database at `path` if there is none. Returns whether it did.
///
/// A file that exists is used as it is, whatever its size: its name was the caller's choice.
///
/// # Errors
/// If the file can't be written.
pub fn ensure(path: &Path, size: Size) -> Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
    }
    // If two programs start at once, the second one waits, and then finds the finished file.
    let lock = beside(path, ".lock");
    let lock = File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(at(&lock))?;
    if path.exists() {
        return Ok(false);
    }
    let unfinished = beside(path, ".unfinished");
    fill(&unfinished, size)?;
    // the rows were written without SQLite's own syncs: see below
    File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .map_err(at(&unfinished))?;
    std::fs::rename(&unfinished, path).map_err(at(path))?;
    drop(lock);
    Ok(true)
}

fn fill(path: &Path, size: Size) -> Result<()> {
    // left by an interrupted fill
    if path.exists() {
        std::fs::remove_file(path).map_err(at(path))?;
    }
    let mut connection = Connection::open(path)?;
    // No journal and no syncs: a file that a crash leaves behind here is discarded as a whole.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;",
    )?;
    let bar = progress(size);
    let transaction = connection.transaction()?;
    transaction.execute_batch(schema::TABLES)?;
    Filler {
        connection: &transaction,
        bar: &bar,
        random: ChaCha8Rng::seed_from_u64(size.seed),
        size,
    }
    .run()?;
    bar.set_message("making the indexes");
    transaction.execute_batch(schema::INDEXES)?;
    transaction.execute_batch("ANALYZE")?;
    transaction.commit()?;
    // Lets readers work beside a writer. The mode is kept in the file, so it is set once.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    schema::mark_complete(&connection)?;
    // Closing writes the log into the file, because the rename moves this one file only.
    connection.close().map_err(|(_, error)| error)?;
    bar.finish_and_clear();
    Ok(())
}

/// The parts of one fill.
struct Filler<'a> {
    connection: &'a Connection,
    bar: &'a ProgressBar,
    random: ChaCha8Rng,
    size: Size,
}

impl Filler<'_> {
    fn run(mut self) -> Result<()> {
        self.bar.set_message("organizations");
        let prices = (0..self.size.organizations)
            .map(|number| self.organization(number))
            .collect::<Result<Vec<_>>>()?;
        self.bar.set_message("users");
        self.users()?;
        self.bar.set_message("orders");
        self.orders(&prices)
    }

    /// One organization with its settings and products. Returns the products' prices, by product id minus one.
    fn organization(&mut self, number: u32) -> Result<Vec<i64>> {
        let org_id = org_id(number);
        let name = format!("{} {}", self.pick(&PLACES), self.pick(&TRADES));
        let plan = self.pick(&["free", "team", "enterprise"]);
        self.connection
            .prepare_cached("INSERT INTO organization VALUES (?1, ?2, ?3)")?
            .execute([org_id.as_str(), &name, plan])?;
        for (setting, value) in SETTINGS {
            self.connection
                .prepare_cached("INSERT INTO setting VALUES (?1, ?2, ?3)")?
                .execute([org_id.as_str(), setting, value])?;
        }
        let mut prices = Vec::new();
        for product_id in 1..=PRODUCTS_PER_ORGANIZATION {
            let name = format!("{} {}", self.pick(&QUALITIES), self.pick(&WARES));
            let price_cents = self.random.random_range(99..20_000);
            self.connection
                .prepare_cached("INSERT INTO product VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![org_id, product_id, name, price_cents])?;
            prices.push(price_cents);
        }
        Ok(prices)
    }

    /// The users, organization by organization, each with one session. The first user of an organization owns it.
    fn users(&mut self) -> Result<()> {
        for number in 0..self.size.organizations {
            let org_id = org_id(number);
            let first = self.first_user(number);
            for user_id in first..self.first_user(number + 1) {
                let (given, family) = (self.pick(&GIVEN), self.pick(&FAMILY));
                let email = format!(
                    "{}.{}.{user_id}@{org_id}.example",
                    given.to_lowercase(),
                    family.to_lowercase()
                );
                let role = match user_id - first {
                    0 => "owner",
                    place if place % 10 == 9 => "guest",
                    _ => "member",
                };
                self.connection
                    .prepare_cached("INSERT INTO user VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![
                        org_id,
                        user_id,
                        format!("{given} {family}"),
                        email,
                        role
                    ])?;
                let session_id = format!("{:032x}", self.random.random::<u128>());
                self.connection
                    .prepare_cached("INSERT INTO session VALUES (?1, ?2, ?3)")?
                    .execute(params![org_id, user_id, session_id])?;
                self.bar.inc(1);
            }
        }
        Ok(())
    }

    /// The orders, in chronological order. The first organizations have most of them, as in real life.
    fn orders(&mut self, prices: &[Vec<i64>]) -> Result<()> {
        const NEW_YEAR_2025: i64 = 1_735_689_600;
        const YEAR: i64 = 365 * 24 * 60 * 60;
        let shares =
            Zipf::new(f64::from(self.size.organizations), 0.6).expect("at least one organization");
        let mut insert = self
            .connection
            .prepare("INSERT INTO purchase VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        for order in 0..self.size.orders {
            let number = rank(&shares, &mut self.random);
            let user_id = self
                .random
                .random_range(self.first_user(number)..self.first_user(number + 1));
            let product_id = self.random.random_range(1..=PRODUCTS_PER_ORGANIZATION);
            let quantity = self.random.random_range(1..=5);
            let total_cents =
                prices[number as usize][product_id as usize - 1] * i64::from(quantity);
            let status = match self.random.random_range(0..20) {
                0 => Status::Returned,
                1 | 2 => Status::Open,
                _ => Status::Shipped,
            };
            let placed_at = NEW_YEAR_2025 + YEAR * i64::from(order) / i64::from(self.size.orders);
            insert.execute(params![
                order + 1,
                org_id(number),
                user_id,
                product_id,
                quantity,
                total_cents,
                status,
                placed_at
            ])?;
            self.bar.inc(1);
        }
        Ok(())
    }

    /// The id of an organization's first user. For the number after the last organization, this is the id after the last user's.
    fn first_user(&self, number: u32) -> u32 {
        let before =
            u64::from(self.size.users) * u64::from(number) / u64::from(self.size.organizations);
        u32::try_from(before).expect("no more than all users") + 1
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.random.random_range(0..words.len())]
    }
}

/// A place from 0 on. The first places are drawn most often.
pub(crate) fn rank(distribution: &Zipf<f64>, random: &mut ChaCha8Rng) -> u32 {
    // Zipf samples are whole numbers from 1 to n, given as floats
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "n came from a u32"
    )]
    let place = distribution.sample(random) as u32;
    place.saturating_sub(1)
}

fn org_id(number: u32) -> String {
    format!("org-{:02}", number + 1)
}

fn progress(size: Size) -> ProgressBar {
    let style = "filling the database {bar:40} {human_pos}/{human_len} rows, {elapsed}, {msg}";
    let style = ProgressStyle::with_template(style).expect("a correct template");
    ProgressBar::new(u64::from(size.users) + u64::from(size.orders)).with_style(style)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

const PLACES: [&str; 8] = [
    "Northern",
    "Harbour",
    "Old Town",
    "Lakeside",
    "Valley",
    "Hillside",
    "Riverbank",
    "Garden",
];
const TRADES: [&str; 8] = [
    "Bakery",
    "Books",
    "Bicycles",
    "Ceramics",
    "Coffee",
    "Instruments",
    "Textiles",
    "Tools",
];
const QUALITIES: [&str; 8] = [
    "Plain", "Fine", "Sturdy", "Light", "Large", "Small", "Bright", "Quiet",
];
const WARES: [&str; 8] = [
    "Basket", "Bowl", "Lamp", "Chair", "Kettle", "Blanket", "Shelf", "Clock",
];
const GIVEN: [&str; 10] = [
    "Ada", "Ben", "Chiara", "Dao", "Emeka", "Farida", "Goran", "Hana", "Ines", "Jun",
];
const FAMILY: [&str; 10] = [
    "Abara", "Berg", "Costa", "Duval", "Eriksen", "Fischer", "Gupta", "Haddad", "Ito", "Jansen",
];
