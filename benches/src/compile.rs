//! What the attribute costs at compile time: a library of 200 functions, annotated with cacheado, with `cached`, with cacheado and a
//! scope, and not at all.
//!
//! Each is a package of its own in a temporary folder, with its own build folder and the versions of this checkout's lock file. Its
//! dependencies are built first. Only the one crate is timed: its file is touched, and cargo checks or builds it. The build is not
//! incremental, since that would measure what the compiler remembers.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, SystemTime};

use crate::measure::{in_turns, middle, round_ratio};
use crate::options::Options;
use crate::report::{Report, Table};

const FUNCTIONS: usize = 200;

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What a package is generated from.
struct Variant {
    name: &'static str,
    /// The `[dependencies]`.
    dependencies: fn() -> String,
    /// The beginning of the file.
    imports: &'static str,
    /// The attribute of each function.
    attribute: &'static str,
    /// The arguments that precede each function's own.
    ids: &'static str,
}

const CACHEADO: fn() -> String = || format!("cacheado = {{ path = \"{CHECKOUT}/cacheado\" }}\n");

const VARIANTS: [Variant; 4] = [
    Variant {
        name: "cacheado",
        dependencies: CACHEADO,
        imports: "use cacheado::cache;\n",
        attribute: "#[cache(ttl = 60)]\n",
        ids: "",
    },
    Variant {
        name: "cached",
        dependencies: || "cached = \"4.1\"\n".to_owned(),
        imports: "use cached::macros::cached;\n",
        attribute: "#[cached(ttl_secs = 60)]\n",
        ids: "",
    },
    Variant {
        name: "cacheado, with a scope",
        dependencies: CACHEADO,
        imports: "use cacheado::cache;\ncacheado::scopes! { organization(org_id) }\n",
        attribute: "#[cache(ttl = 60, scope = \"organization\")]\n",
        ids: "org_id: u64, ",
    },
    Variant {
        name: "no attribute",
        dependencies: String::new,
        imports: "",
        attribute: "",
        ids: "",
    },
];

/// Typical functions: numbers, texts, a list, an option, a result, a shared value. `{n}` is the function's number.
const SIGNATURES: [&str; 8] = [
    "pub fn f{n}(key: u64) -> u64 { key + {n} }",
    "pub fn f{n}(name: &str, page: u32) -> String { format!(\"{name} {page} {n}\") }",
    "pub fn f{n}(org: &str, user: &str, item: u64) -> Arc<str> { format!(\"{org} {user} {item} {n}\").into() }",
    "pub fn f{n}(ids: Vec<u64>, from: i64) -> Vec<u64> { ids.into_iter().skip(from as usize + {n}).collect() }",
    "pub fn f{n}(text: String) -> Option<u64> { text.parse::<u64>().ok().map(|n| n + {n}) }",
    "pub fn f{n}(text: &str) -> Result<u64, String> { text.parse::<u64>().map(|n| n + {n}).map_err(|e| e.to_string()) }",
    "pub fn f{n}(wide: bool, pair: (u32, u32)) -> (u64, bool) { (u64::from(pair.0) * u64::from(pair.1) + {n}, wide) }",
    "pub fn f{n}(bytes: &[u8], salt: Option<u32>) -> Vec<u8> { bytes.iter().map(|b| b ^ salt.unwrap_or({n}) as u8).collect() }",
];

fn source(variant: &Variant) -> String {
    let mut source = format!("use std::sync::Arc;\n{}\n", variant.imports);
    for n in 0..FUNCTIONS {
        let function = SIGNATURES[n % SIGNATURES.len()]
            .replace("{n}", &n.to_string())
            .replacen('(', &format!("({}", variant.ids), 1);
        let _ = writeln!(source, "{}{function}\n", variant.attribute);
    }
    source
}

/// A package in a folder that is removed when this is dropped.
struct Package {
    folder: PathBuf,
}

impl Drop for Package {
    fn drop(&mut self) {
        // best effort: it is a temporary folder
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{}: {error}", path.display())
}

impl Package {
    fn write(variant: &Variant) -> Result<Self, String> {
        let name = format!(
            "cacheado-compile-{}-{}",
            std::process::id(),
            variant.name.replace(", ", "-").replace(' ', "-")
        );
        let folder = std::env::temp_dir().join(&name);
        let package = Self { folder };
        let folder = &package.folder;
        fs::create_dir_all(folder.join("src")).map_err(failed(folder))?;
        let manifest = format!(
            "[package]\nname = \"measured\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{}\n[workspace]\n",
            (variant.dependencies)()
        );
        let write = |file: &str, text: &str| {
            let path = folder.join(file);
            fs::write(&path, text).map_err(failed(&path))
        };
        write("Cargo.toml", &manifest)?;
        write("src/lib.rs", &source(variant))?;
        let lock = Path::new(CHECKOUT).join("Cargo.lock");
        fs::copy(&lock, folder.join("Cargo.lock")).map_err(failed(&lock))?;
        Ok(package)
    }

    /// Runs cargo, and returns its output.
    fn cargo(&self, arguments: &[&str]) -> Result<String, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            .output()
            .map_err(failed(&self.folder))?;
        if !output.status.success() {
            return Err(format!(
                "cargo {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The seconds that cargo takes after the file was touched.
    fn time(&self, arguments: &[&str]) -> Result<f64, String> {
        let path = self.folder.join("src/lib.rs");
        File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(failed(&path))?;
        let began = Instant::now();
        self.cargo(arguments)?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// The number of crates that it depends on, at run time and in its macros.
    fn crates(&self) -> Result<usize, String> {
        let tree = self.cargo(&["tree", "-e", "normal", "--prefix", "none"])?;
        Ok(count_crates(&tree))
    }
}

/// The number of crates in a printed tree, each counted once, without the root.
fn count_crates(tree: &str) -> usize {
    let crates: BTreeSet<String> = tree
        .lines()
        .map(|line| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .filter(|name| !name.is_empty())
        .collect();
    crates.len().saturating_sub(1)
}

const STEPS: [(&str, &[&str]); 2] = [
    ("check", &["check", "-q"]),
    ("build --release", &["build", "-q", "--release"]),
];

pub(crate) fn run(options: &Options, report: &Report) -> crate::Outcome {
    let rounds = if options.quick {
        2
    } else {
        options.rounds.min(5)
    };
    println!(
        "{FUNCTIONS} functions, {rounds} rounds, medians of seconds; ×: how many times cacheado's time goes into it"
    );
    let packages: Vec<Package> = VARIANTS
        .iter()
        .map(Package::write)
        .collect::<Result<_, _>>()?;
    let mut columns = Vec::new();
    for (_, arguments) in STEPS {
        for package in &packages {
            package.cargo(arguments)?;
        }
        let turns = in_turns(rounds, packages.len(), |nth| packages[nth].time(arguments));
        let times: Vec<Vec<f64>> = turns
            .into_iter()
            .map(|turns| turns.into_iter().collect())
            .collect::<Result<_, _>>()?;
        columns.push(times);
    }
    let mut headers = vec!["seconds".to_owned()];
    headers.extend(
        STEPS
            .iter()
            .flat_map(|(name, _)| [(*name).to_owned(), "×".to_owned()]),
    );
    headers.push("crates".into());
    let mut table = Table::new(headers);
    for (nth, (variant, package)) in VARIANTS.iter().zip(&packages).enumerate() {
        let mut row = vec![variant.name.to_owned()];
        for times in &columns {
            row.push(format!("{:.2}", middle(&times[nth])));
            row.push(format!("{:.2}", round_ratio(&times[nth], &times[0])));
        }
        row.push(package.crates()?.to_string());
        table.row(row);
    }
    table.print("one crate alone, its dependencies built before");
    report.csv("compile", &table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_counted_once() {
        let tree = "measured v0.0.0 (/tmp/x)\na v1.0.0\nb v2.0.0 (proc-macro)\nc v0.1.0\nb v2.0.0 (proc-macro) (*)\n\n";
        assert_eq!(count_crates(tree), 3);
    }

    #[test]
    fn each_function_is_annotated() {
        let source = source(&VARIANTS[0]);
        assert_eq!(source.matches("#[cache(ttl = 60)]").count(), FUNCTIONS);
        assert_eq!(source.matches("pub fn f").count(), FUNCTIONS);
        assert!(!source.contains("{n}"));
    }
}
