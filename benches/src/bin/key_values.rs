//! The key-value store over HTTP, against a server that says hello and nothing else: rates, ratios, and how long a request takes. Linux only, because it reads `/proc`.
//!
//! ```text
//! cargo run --release -p butler-benches --bin key_values
//! cargo run --release -p butler-benches --bin key_values -- 5     measures each for five seconds a round, in place of two
//! ```
//!
//! Both servers are this very executable, each a process of its own with as many threads. Everything is on loopback and on the same machine, so the clients take their share of the processors:
//! what a request costs its server is said too. Compare figures of one run with each other.

use std::convert::Infallible;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How many clients ask at a time.
const CLIENTS: usize = 64;
/// How often each is measured; the median counts.
const ROUNDS: usize = 5;
/// How many pairs there are.
const PAIRS: usize = 10_000;

/// What the child is.
const ROLE: &str = "BUTLER_BENCH_ROLE";

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = match std::env::var(ROLE).as_deref() {
        Ok("program") => return butler_cli::main_impl(),
        Ok(_) => runtime(2).and_then(|runtime| runtime.block_on(say_hello())),
        Err(_) => runtime(1).and_then(|runtime| runtime.block_on(measure())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?)
}

#[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("key_values: {error}");
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn say(line: &str) {
    println!("{line}");
}

/// The bare server.
async fn say_hello() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(&format!("api {}", listener.local_addr()?));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let hello =
                async |_: Request<hyper::body::Incoming>| Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))));
            // A client that goes away is none of its business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello)).await;
        });
    }
}

/// A server, as a process of its own.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(role: &str, folder: &std::path::Path) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg("serve").env(ROLE, role).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let mut line = String::new();
        io::BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line.split([' ', ',', '\n']).skip_while(|word| *word != "api").nth(1).ok_or("not ready")?.parse()?;
        Ok(Self { child, address })
    }

    fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(')').next().ok_or("no fields")?;
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was measured in one round.
#[derive(Clone, Copy)]
struct Figures {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Processor time of the server for each request, in microseconds.
    cost: f64,
}

/// What is asked of whom.
struct Case<'a> {
    name: &'a str,
    server: &'a Server,
    request: fn(usize) -> String,
    status: &'a str,
    rounds: Vec<Figures>,
}

impl Case<'_> {
    /// Asks for a while, over as many connections as there are clients.
    async fn round(&mut self, time: Duration) -> Result<(), Failure> {
        let mut clients = JoinSet::new();
        let (cost, began) = (self.server.processor_time()?, Instant::now());
        for client in 0..CLIENTS {
            clients.spawn(ask(self.server.address, client, self.request, self.status.to_owned(), began + time));
        }
        let mut latencies: Vec<f64> = Vec::new();
        while let Some(asked) = clients.join_next().await {
            latencies.extend(asked??);
        }
        let took = began.elapsed().as_secs_f64();
        let cost = (self.server.processor_time()? - cost).as_secs_f64();
        latencies.sort_by(f64::total_cmp);
        let at = |share: f64| latencies.get((latencies.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or_default();
        let count = latencies.len() as f64;
        self.rounds.push(Figures { rate: count / took, p50: at(0.5), p99: at(0.99), cost: cost * 1e6 / count });
        Ok(())
    }

    fn median(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        let mut all: Vec<f64> = self.rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }
}

/// One client: asks again as soon as it is answered. How long each answer took, in milliseconds.
async fn ask(
    address: SocketAddr,
    client: usize,
    request: fn(usize) -> String,
    status: String,
    until: Instant,
) -> Result<Vec<f64>, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::new();
    let mut number = client;
    while Instant::now() < until {
        number += CLIENTS;
        let sent = Instant::now();
        stream.write_all(request(number).as_bytes()).await?;
        buffer.clear();
        let (head, length) = loop {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                break (end + 4, length.map_or(Ok(0), str::parse::<usize>)?);
            }
        };
        while buffer.len() < head + length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        if !buffer.starts_with(format!("HTTP/1.1 {status} ").as_bytes()) {
            return Err(String::from_utf8_lossy(&buffer).into_owned().into());
        }
        latencies.push(sent.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

fn hello(_number: usize) -> String {
    "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned()
}

fn get(number: usize) -> String {
    format!("GET /v4/keyvalues/bench?key=key%20{} HTTP/1.1\r\nhost: localhost\r\n\r\n", number % PAIRS)
}

fn get_ours(number: usize) -> String {
    format!("GET /api/kv/pair?namespace=bench&key=key%20{} HTTP/1.1\r\nhost: localhost\r\n\r\n", number % PAIRS)
}

fn post(number: usize) -> String {
    let body = format!("{{\"key\":\"key {}\",\"value\":\"2026-01-02 03:04:05 number {number}\",\"ttl\":0}}", number % PAIRS);
    let length = body.len();
    format!(
        "POST /v4/keyvalues/bench HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

async fn measure() -> Result<(), Failure> {
    let seconds = std::env::args().nth(1).map_or(Ok(2.0), |text| text.parse::<f64>())?;
    let folder = tempfile::tempdir()?;
    let config = "[udp]\nenabled = false\n[api]\nlisten = \"127.0.0.1:0\"\nrate_limit = 0\n[kv]\nmax_keys_per_namespace = 0\n[log]\nlevel = \"error\"\n";
    std::fs::write(folder.path().join("butler.toml"), config)?;
    let (bare, butler) = (Server::start("hello", folder.path())?, Server::start("program", folder.path())?);
    fill(butler.address).await?;
    let case = |name, server, request, status| Case { name, server, request, status, rounds: Vec::new() };
    let mut cases = [
        case("bare server: hello", &bare, hello as fn(usize) -> String, "200"),
        case("GET /v4/keyvalues", &butler, get, "200"),
        case("GET /api/kv/pair", &butler, get_ours, "200"),
        case("POST /v4/keyvalues, durable", &butler, post, "201"),
    ];
    // In turns, so that whatever else the machine does meets all alike.
    for round in 0..=ROUNDS {
        for case in &mut cases {
            case.round(Duration::from_secs_f64(seconds)).await?;
            if round == 0 {
                // To warm up.
                case.rounds.clear();
            }
        }
    }
    let bare_rate = cases[0].median(|figures| figures.rate);
    say(&format!("{CLIENTS} clients, {PAIRS} pairs, median of {ROUNDS} rounds"));
    for case in &cases {
        let rate = case.median(|figures| figures.rate);
        say(&format!(
            "{:<30} {rate:>8.0} a second, {:>5.1} % of bare; p50 {:.2} ms, p99 {:.2} ms; {:.1} us of its server",
            case.name,
            rate * 100.0 / bare_rate,
            case.median(|figures| figures.p50),
            case.median(|figures| figures.p99),
            case.median(|figures| figures.cost),
        ));
    }
    Ok(())
}

/// Stores every pair once.
async fn fill(address: SocketAddr) -> Result<(), Failure> {
    let mut lines = String::new();
    for number in 0..PAIRS {
        lines += &format!("{{\"namespace\":\"bench\",\"key\":\"key {number}\",\"value\":\"2026-01-02 03:04:05 number {number}\"}}\n");
    }
    let head = "POST /api/kv/import HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/x-ndjson";
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{lines}", lines.len()).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if answer.contains(&format!("\"stored\":{PAIRS}")) { Ok(()) } else { Err(answer.into()) }
}
