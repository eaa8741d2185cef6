//! Two processes share a Redis: once one of them evicts an entry, the other stops serving it from its own memory.
//!
//! `cargo run -p cacheado-examples --example two_processes -- redis://localhost` uses that server. Without a URL, the program starts a
//! `redis-server` of its own.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use cacheado::backends::Redis;
use cacheado::{Cache, cache, cache_evict, scopes};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

scopes! {
    organization(org_id)
}

/// How often a price was read from the database.
static READS: AtomicU32 = AtomicU32::new(0);

#[cache(ttl = "1h", scope = "organization")]
fn price(org_id: &str, product_id: u32) -> std::result::Result<u64, String> {
    READS.fetch_add(1, Ordering::Relaxed);
    let text =
        fs::read_to_string(database(org_id, product_id)).map_err(|error| error.to_string())?;
    text.parse().map_err(|_| format!("{text} is no price"))
}

#[cache_evict(price(org_id, product_id))]
fn set_price(org_id: &str, product_id: u32, price: u64) -> io::Result<()> {
    fs::write(database(org_id, product_id), price.to_string())
}

/// The folder of the database, which has a file for each price.
static DATABASE: OnceLock<PathBuf> = OnceLock::new();

fn database(org_id: &str, product_id: u32) -> PathBuf {
    let folder = DATABASE.get_or_init(env::temp_dir);
    folder.join(format!("{org_id}-{product_id}"))
}

fn begin(url: &str, folder: &Path) -> Result<()> {
    DATABASE.get_or_init(|| folder.to_owned());
    let cache = Cache::builder().backend(Redis::new(url)?);
    let cache = cache.name("two-processes").build()?;
    // if there were no server, a cached function would run its body; `set` reports the error
    cache.set("server", &true).run()?;
    Ok(cache.install()?)
}

/// The second process: answers each line of input with the price, and says where it came from.
fn reader(url: &str, folder: &str) -> Result<()> {
    begin(url, Path::new(folder))?;
    for _ in io::stdin().lines() {
        let before = READS.load(Ordering::Relaxed);
        let price = price("acme", 7)?;
        let read = READS.load(Ordering::Relaxed) > before;
        println!(
            "{price} {}",
            if read {
                "from the database"
            } else {
                "from the cache"
            }
        );
    }
    Ok(())
}

/// The first process.
fn writer(url: &str, folder: &Path) -> Result<()> {
    begin(url, folder)?;
    let mut reader = Reader::start(url, folder)?;
    set_price("acme", 7, 100)?;
    println!("the writer sets the price to 100");
    // the first questions may come before the reader is told of evictions; a value that it loads until then is not kept
    let ask = |reader: &mut Reader, wanted: &str| {
        let began = Instant::now();
        let mut last = String::new();
        while last != wanted {
            let answer = reader.ask()?;
            let after = began.elapsed();
            if answer != last {
                println!(
                    "{:>7.1} ms: the reader has {answer}",
                    after.as_secs_f64() * 1e3
                );
            }
            if after > Duration::from_secs(4) {
                return Err(Box::<dyn Error>::from("that took too long"));
            }
            last = answer;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    ask(&mut reader, "100 from the cache")?;
    set_price("acme", 7, 250)?;
    println!("the writer sets the price to 250, which evicts the old one everywhere");
    ask(&mut reader, "250 from the database")?;
    ask(&mut reader, "250 from the cache")
}

struct Reader {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Reader {
    fn start(url: &str, folder: &Path) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["--reader", url])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (questions, answers) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            process,
            questions: questions.ok_or("it has no input")?,
            answers: BufReader::new(answers.ok_or("it has no output")?),
        })
    }

    fn ask(&mut self) -> Result<String> {
        writeln!(self.questions)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A server for this run only. It saves nothing to disk.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--daemonize", "no"])
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("`redis-server` can't be run ({error}): install it (Debian: `apt-get install redis-server`), or give the URL of one")
            })?;
        let url = format!("redis://127.0.0.1:{port}");
        let server = Self { process, url };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err("`redis-server` does not answer".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self> {
        let folder = env::temp_dir().join(format!("two-processes-{}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["--reader", url, folder] = args[..] {
        return reader(url, folder);
    }
    let folder = Folder::create()?;
    match args[..] {
        [] => writer(&Server::start()?.url, &folder.0),
        [url] => writer(url, &folder.0),
        _ => Err("give the URL of a Redis server, or nothing".into()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
