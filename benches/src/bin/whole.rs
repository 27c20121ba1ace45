//! The whole program under load: start to readiness, a burst, a steady stream, memory and processor time. Linux only, because it reads `/proc`.
//!
//! ```text
//! cargo run --release -p butler-benches --bin whole
//! cargo run --release -p butler-benches --bin whole -- PROGRAM     measures another program, such as an older one
//! ```
//!
//! What is measured is this very executable, run as the program, so that it is never an older one by mistake.
//!
//! Everything is on loopback and on the same machine: the sender and the webhook's receiver take their share of the processors too. Compare figures of one run with each other.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use butler_benches::{encoded, failed_task};
use butler_core::event::TaskEvent;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How many datagrams a burst has.
const BURST: u128 = 10_000;
/// How many datagrams a second the steady stream has, and for how long.
const STEADY: u128 = 1_000;
const SECONDS: u128 = 5;

/// Set for the child, which is the program then.
const AS_PROGRAM: &str = "BUTLER_BENCH_AS_PROGRAM";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    if std::env::var_os(AS_PROGRAM).is_some() {
        return butler_cli::main_impl();
    }
    let measured = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::from);
    match measured.and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn measure() -> Result<(), Failure> {
    let program = match std::env::args_os().nth(1) {
        Some(program) => PathBuf::from(program),
        None => std::env::current_exe()?,
    };
    let folder = tempfile::tempdir()?;
    let hook = Hook::start().await?;
    configure(folder.path(), hook.address)?;

    let mut starts: Vec<Duration> =
        (0..7).map(|_| Butler::start(&program, folder.path()).map(|b| b.ready_after)).collect::<Result<_, _>>()?;
    starts.sort();
    say("start to readiness", &format!("{:.0} ms (median of 7)", starts[3].as_secs_f64() * 1e3));

    let butler = Butler::start(&program, folder.path())?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    say("memory, idle", &format!("{:.1} MiB", butler.memory("VmRSS")?));

    let sender = UdpSocket::bind("127.0.0.1:0")?;
    sender.connect(butler.udp)?;
    let (before, started) = (butler.processor_time()?, Instant::now());
    let sending = std::thread::spawn({
        let sender = sender.try_clone()?;
        move || (0..BURST).try_for_each(|number| sender.send(&datagram(number)).map(drop))
    });
    hook.wait_for(BURST).await?;
    let took = started.elapsed().as_secs_f64();
    sending.join().map_err(|_| "the sender panicked")??;
    let cost = butler.processor_time()? - before;
    say("burst of 10,000 to the webhook", &format!("{took:.2} s, {:.0} a second, none lost", BURST as f64 / took));
    say("processor time each", &format!("{:.3} ms", cost.as_secs_f64() * 1e3 / BURST as f64));
    say("memory, most during the burst", &format!("{:.1} MiB", butler.memory("VmHWM")?));

    hook.forget();
    let stream = std::thread::spawn(move || {
        let begin = Instant::now();
        for number in 0..STEADY * SECONDS {
            let due = Duration::from_nanos(u64::try_from(number * 1_000_000_000 / STEADY).unwrap_or(0));
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            sender.send(&datagram(BURST + number))?;
        }
        io::Result::Ok(())
    });
    hook.wait_for(STEADY * SECONDS).await?;
    stream.join().map_err(|_| "the sender panicked")??;
    let mut latencies = hook.latencies();
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    say("datagram to webhook at 1,000 a second", &format!("p50 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.99)));
    say("memory, after it all", &format!("{:.1} MiB", butler.memory("VmRSS")?));
    Ok(())
}

#[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("whole: {error}");
}

#[expect(clippy::print_stdout, reason = "this is what it is for")]
fn say(what: &str, figure: &str) {
    println!("{what:<40} {figure}");
}

fn configure(folder: &Path, hook: SocketAddr) -> io::Result<()> {
    let text = format!(
        r#"
        [udp]
        listen = "127.0.0.1:0"
        [api]
        enabled = false
        [log]
        level = "error"
        [sites.bench]
        host = "127.0.0.1"
        [sinks.hook]
        type = "webhook"
        max_in_flight = 16
        options.url = "http://{hook}/"
        [[routes]]
        events = ["*"]
        sinks = ["hook"]
        "#
    );
    std::fs::write(folder.join("butler.toml"), text)
}

/// Carries the time at which it was made, for the latency.
fn datagram(number: u128) -> Vec<u8> {
    let sent = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    encoded(TaskEvent { message: format!("Max retries reached @{sent}@"), ..failed_task(number) })
}

/// The program, serving.
struct Butler {
    child: Child,
    udp: SocketAddr,
    ready_after: Duration,
}

impl Butler {
    fn start(program: &Path, folder: &Path) -> Result<Self, Failure> {
        use std::io::BufRead;
        let program = std::path::absolute(program)?;
        let started = Instant::now();
        let mut command = Command::new(program);
        let mut child =
            command.arg("serve").env(AS_PROGRAM, "1").current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let mut line = String::new();
        io::BufReader::new(child.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let ready_after = started.elapsed();
        let udp = line.split(['=', ' ', ',']).skip_while(|word| *word != "udp").nth(1).ok_or("not ready")?.parse()?;
        Ok(Self { child, udp, ready_after })
    }

    fn memory(&self, what: &str) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with(what)).ok_or("no such line")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
        Ok(kib / 1024.0)
    }

    fn processor_time(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit(')').next().ok_or("no fields")?;
        let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap_or(0)).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Butler {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A webhook that only counts, so that it costs little.
struct Hook {
    address: SocketAddr,
    received: watch::Receiver<u128>,
    count: Arc<watch::Sender<u128>>,
    latencies: Arc<Mutex<Vec<f64>>>,
}

impl Hook {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let count = Arc::new(watch::Sender::new(0));
        let latencies = Arc::new(Mutex::new(Vec::new()));
        let hook = Self { address, received: count.subscribe(), count: Arc::clone(&count), latencies: Arc::clone(&latencies) };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, Arc::clone(&count), Arc::clone(&latencies)));
            }
        });
        Ok(hook)
    }

    async fn wait_for(&self, count: u128) -> Result<(), Failure> {
        let mut received = self.received.clone();
        let all = received.wait_for(|received| *received >= count);
        match tokio::time::timeout(Duration::from_secs(120), all).await {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("only {} of {count} arrived", *self.received.borrow()).into()),
        }
    }

    fn forget(&self) {
        self.count.send_replace(0);
        self.latencies.lock().expect("no panics").clear();
    }

    fn latencies(&self) -> Vec<f64> {
        self.latencies.lock().expect("no panics").clone()
    }
}

async fn answer(connection: TcpStream, count: Arc<watch::Sender<u128>>, latencies: Arc<Mutex<Vec<f64>>>) -> io::Result<()> {
    let mut connection = BufReader::new(connection);
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.resize(length, 0);
        connection.read_exact(&mut body).await?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let sent = body.split(|byte| *byte == b'@').nth(1).and_then(|part| std::str::from_utf8(part).ok()?.parse::<u128>().ok());
        if let Some(sent) = sent {
            latencies.lock().expect("no panics").push(now.saturating_sub(sent) as f64 / 1e6);
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        count.send_modify(|count| *count += 1);
    }
}
