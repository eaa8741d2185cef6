//! The servers that other tests rely on: they start, go down and come back on request, and leave nothing behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cacheado_tests::servers::{
    Memcached, Mongo, Proxy, Redis, RedisCluster, Sentinel, Server, Silent, wait_until,
};

const LONG: Duration = Duration::from_secs(30);

/// The response of the server at `addr` to a line, if it comes soon.
fn ask(addr: SocketAddr, line: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer)
}

/// Takes `server` through each kind of outage.
fn rehearse(server: &Server, alive: impl Fn() -> bool) {
    assert!(alive());
    server.pause();
    assert!(!alive());
    server.resume();
    assert!(alive());
    let first = server.id();
    server.kill();
    assert_eq!(server.id(), None);
    assert!(TcpStream::connect(server.addr()).is_err());
    server.restart();
    assert_ne!(server.id(), first);
    assert!(alive());
}

#[test]
fn redis_goes_down_and_comes_back() {
    let redis = Redis::start();
    assert_eq!(redis.cli(&["set", "k", "1"]), "OK");
    rehearse(&redis, || {
        ask(redis.addr(), "PING\r\n").is_ok_and(|answer| answer == "+PONG\r\n")
    });
    assert_eq!(redis.cli(&["get", "k"]), "", "it holds nothing after that");
    let directory = redis.directory().to_owned();
    let addr = redis.addr();
    drop(redis);
    assert!(!directory.exists());
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn redis_takes_arguments_and_speaks_tls() {
    let redis = Redis::start_with(&["--requirepass", "secret"]);
    assert!(redis.cli(&["get", "k"]).contains("NOAUTH"));
    let redis = Redis::start_tls();
    assert_eq!(redis.cli(&["set", "k", "1"]), "OK");
    assert!(redis.ca().exists());
    assert!(redis.url().starts_with("rediss://127.0.0.1:"));
    redis.restart();
    assert_eq!(redis.cli(&["ping"]), "PONG");
}

#[test]
fn memcached_goes_down_and_comes_back() {
    let memcached = Memcached::start();
    rehearse(&memcached, || {
        ask(memcached.addr(), "version\r\n").is_ok_and(|answer| answer.starts_with("VERSION 1."))
    });
}

#[test]
fn mongod_goes_down_and_comes_back() {
    let mongo = Mongo::start();
    // it accepts writes once it is ready, which starting waits for
    let answers = || {
        // no request: the server closes the connection
        ask(mongo.addr(), &"x".repeat(64)).is_ok()
    };
    rehearse(&mongo, answers);
    Mongo::standalone();
}

#[test]
fn a_cluster_is_whole_and_heals() {
    let cluster = RedisCluster::start();
    assert!(cluster.is_whole());
    cluster.nodes()[0].kill();
    assert!(!cluster.is_whole());
    let others = &cluster.nodes()[1..];
    assert!(wait_until(LONG, || others.iter().all(|node| {
        node.cli(&["cluster", "info"]).contains("cluster_state:ok")
            && node.cli(&["cluster", "nodes"]).contains("fail")
    })));
    cluster.nodes()[0].restart();
    assert!(wait_until(LONG, || cluster.is_whole()));
}

#[test]
fn sentinels_put_the_replica_in_the_masters_place() {
    let sentinel = Sentinel::start();
    let [first, second] = sentinel.redis();
    let is_master = |redis: &Redis| {
        let master = sentinel.master();
        master.is_some_and(|master| master.port() == redis.port())
    };
    assert!(is_master(first));
    first.kill();
    assert!(wait_until(LONG, || is_master(second)
        && second.cli(&["set", "k", "1"]) == "OK"));
}

#[test]
fn a_silent_server_accepts_and_says_nothing() {
    let silent = Silent::start();
    assert!(ask(silent.addr(), "PING\r\n").is_err());
    let addr = silent.addr();
    drop(silent);
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn a_proxy_stalls_cuts_and_restores() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.addr());
    let pong = || ask(proxy.addr(), "PING\r\n").is_ok_and(|answer| answer == "+PONG\r\n");
    assert!(pong());
    let mut open = TcpStream::connect(proxy.addr()).unwrap();
    proxy.stall();
    assert!(!pong());
    open.write_all(b"PING\r\n").unwrap();
    proxy.restore();
    assert!(pong());
    let mut late = [0; 7];
    open.read_exact(&mut late).unwrap();
    assert_eq!(&late, b"+PONG\r\n");

    proxy.cut();
    assert!(!pong());
    assert!(open.read(&mut late).is_ok_and(|count| count == 0));
    proxy.restore();
    assert!(pong());
}

/// The next test runs this in a process of its own, and kills it.
#[test]
#[ignore = "waits to be killed"]
fn waits_to_be_killed() {
    let redis = Redis::start();
    println!("\nserver {} {}", redis.addr(), redis.directory().display());
    std::thread::sleep(LONG);
}

#[test]
fn no_server_outlives_a_test_that_is_killed() {
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "waits_to_be_killed"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| line.unwrap().strip_prefix("server ").map(str::to_owned));
    let line = line.unwrap();
    let (addr, directory) = line.split_once(' ').unwrap();
    assert!(TcpStream::connect(addr).is_ok());
    test.kill().unwrap();
    test.wait().unwrap();
    assert!(wait_until(LONG, || TcpStream::connect(addr).is_err()
        && !Path::new(directory).exists()));
}

#[test]
fn no_server_outlives_a_test_that_panics() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let redis = Redis::start();
        sender.send(redis.addr()).unwrap();
        panic!("as asked");
    });
    let addr = receiver.recv().unwrap();
    assert!(test.join().is_err());
    assert!(TcpStream::connect(addr).is_err());
}
