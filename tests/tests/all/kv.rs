//! The key-value store of the whole program: what was answered for survives every kill, and many pairs cost little memory.

use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use butler_tests::{Proc, World, api, http, patience};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::PROGRAM;

/// How many clients change pairs at a time, each its own.
const CLIENTS: u64 = 8;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn start() -> World {
    let world = World::new(PROGRAM).await;
    // The first line is of `[api]`, which the tests' own addresses begin.
    world.configure_all("rate_limit = 0\n[sites.prod]\nhost = \"127.0.0.1\"\n[kv]\nmax_keys_per_namespace = 0\n");
    world
}

/// What a client knows of its pair: what it was told, and what it asked for last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    client: u64,
    told: Option<u64>,
    asked: Option<u64>,
    /// How often the counter of all was added to for sure, and at the most.
    counted: u64,
    may_be_counted: u64,
}

/// Sends one request; whether it was answered for.
async fn is_done(request: reqwest::RequestBuilder) -> bool {
    match request.timeout(Duration::from_secs(10)).send().await {
        Ok(response) => {
            let status = response.status();
            assert!(status.is_success(), "{status}");
            true
        }
        Err(_) => false,
    }
}

/// Puts numbers that go up, deletes now and then, and counts; until the program is gone.
async fn keep_changing(base: String, mut known: Known) -> Known {
    let http = http();
    let pair = format!("{base}/api/kv/pair?namespace=ns&key={}", known.client);
    let post = |url: String, body: Value| http.post(url).header("content-type", "application/json").body(body.to_string());
    let mut next = known.told.max(known.asked).unwrap_or(0);
    loop {
        next += 1;
        let (asked, request) = match next % 5 {
            0 => (None, http.delete(&pair)),
            // By either API.
            1 => {
                let body = json!({ "key": known.client.to_string(), "value": next.to_string() });
                (Some(next), post(format!("{base}/v4/keyvalues/ns"), body))
            }
            _ => {
                let body = json!({ "value": next.to_string() }).to_string();
                (Some(next), http.put(&pair).header("content-type", "application/json").body(body))
            }
        };
        known.asked = asked;
        if !is_done(request).await {
            return known;
        }
        known.told = asked;
        known.may_be_counted += 1;
        if !is_done(post(format!("{base}/api/kv/increment?namespace=all&key=count"), json!({}))).await {
            return known;
        }
        known.counted += 1;
    }
}

async fn value(butler: &Proc, namespace: &str, key: &str) -> Option<u64> {
    let answer = api(butler, &format!("/api/kv/pair?namespace={namespace}&key={key}")).await;
    answer["value"].as_str().map(|value| value.parse().expect("a number"))
}

#[tokio::test]
async fn what_was_answered_for_survives_every_kill() {
    let world = start().await;
    let fresh = |client| Known { client, told: None, asked: None, counted: 0, may_be_counted: 0 };
    let mut all: Vec<Known> = (0..CLIENTS).map(fresh).collect();
    let mut changes = 0;
    for _ in 0..number("KV_ROUNDS", 12) {
        let butler = world.run(&["serve"]).ready().await;
        let base = format!("http://{}", butler.address("api"));
        let mut clients = JoinSet::new();
        for known in all.drain(..) {
            clients.spawn(keep_changing(base.clone(), known));
        }
        // Some moment of its life, as good as any other.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..300))).await;
        butler.kill().await;
        all = clients.join_all().await;

        let butler = world.serve().await;
        for known in &mut all {
            let found = value(&butler, "ns", &known.client.to_string()).await;
            assert!(found == known.told || found == known.asked, "{known:?}, and found is {found:?}");
            (known.told, known.asked) = (found, found);
        }
        let count = value(&butler, "all", "count").await.unwrap_or(0);
        let (least, most) = all.iter().fold((0, 0), |(least, most), known| (least + known.counted, most + known.may_be_counted));
        assert!((least..=most).contains(&count), "{count} is not between {least} and {most}");
        changes = least;
        // The next one may have the store once this one is gone.
        butler.kill().await;
    }
    assert!(changes > 0, "nothing was changed at all");
}

/// The most memory that the program has held, in MiB.
#[cfg(target_os = "linux")]
fn peak(butler: &Proc) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", butler.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

/// `KV_PAIRS=1000000` makes it a million; the memory may not be more for that.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_pairs_need_little_memory() {
    const MOST: u64 = 160;
    let pairs = number("KV_PAIRS", 30_000);
    let world = start().await;
    let mut file = BufWriter::new(std::fs::File::create(world.path("pairs.jsonl")).expect("a file"));
    for number in 0..pairs {
        let group = number % 100;
        let value = "x".repeat(40 + usize::try_from(number % 40).expect("small"));
        writeln!(file, "{{\"namespace\":\"many\",\"key\":\"group {group:02} key {number:07}\",\"value\":\"{value}\"}}").expect("room");
    }
    file.into_inner().expect("room").sync_all().expect("room");
    let butler = world.serve().await;
    let mut figures = format!("{pairs} pairs, {} MiB before\n", peak(&butler));
    let mut timed = |what: &str, since: Instant, butler: &Proc| {
        figures += &format!("{what}: {:.3} s, {} MiB at the most\n", since.elapsed().as_secs_f64(), peak(butler));
    };

    let since = Instant::now();
    let report = world.run(&["kv", "import", "pairs.jsonl", "--output", "json"]).about(&butler).patiently().await;
    let report: Value = serde_json::from_slice(&report.stdout).expect("JSON");
    assert_eq!((&report["stored"], &report["refused"]), (&json!(pairs), &json!(0)));
    timed("import", since, &butler);

    let since = Instant::now();
    let exported = world.run(&["kv", "export", "many"]).about(&butler).patiently().await;
    assert!(exported.stdout == std::fs::read(world.path("pairs.jsonl")).expect("the file"), "the export is not what was imported");
    timed("export", since, &butler);

    let since = Instant::now();
    let last = pairs - 1;
    let page = api(&butler, &format!("/api/kv/pairs?namespace=many&prefix=group%20{:02}&max=1000", last % 100)).await;
    assert_eq!(page["pairs"].as_array().map(Vec::len), Some(usize::try_from(pairs / 100).expect("small").min(1000)));
    timed("a page of 1,000 with a prefix that one in a hundred has", since, &butler);
    let since = Instant::now();
    let key = format!("group%20{:02}%20key%20{last:07}", last % 100);
    let page = api(&butler, &format!("/api/kv/pairs?namespace=many&prefix={key}")).await;
    assert_eq!(page["pairs"].as_array().map(Vec::len), Some(1));
    timed("a page with a prefix that one pair has", since, &butler);

    let since = Instant::now();
    let list = http().get(format!("http://{}/v4/keylist/many", butler.address("api"))).timeout(patience() * 10);
    let list = list.send().await.expect("an answer");
    let keys: Value = serde_json::from_slice(&list.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(keys["keys"].as_array().map(Vec::len), usize::try_from(pairs).ok());
    timed("the list of all keys", since, &butler);

    let since = Instant::now();
    for number in 0..500 {
        let number = number * (pairs / 500);
        let key = format!("group%20{:02}%20key%20{number:07}", number % 100);
        assert!(api(&butler, &format!("/api/kv/pair?namespace=many&key={key}")).await["value"].is_string());
    }
    timed("500 reads here and there, one after the other", since, &butler);

    butler.kill().await;
    let since = Instant::now();
    let butler = world.serve().await;
    timed("start after a kill", since, &butler);
    let since = Instant::now();
    world.run(&["kv", "drop", "many"]).about(&butler).patiently().await;
    assert_eq!(api(&butler, "/api/kv/namespaces").await, json!([]));
    timed("drop", since, &butler);
    assert!(figures.lines().count() == 9 && peak(&butler) < MOST, "{figures}");
    let most = figures.lines().filter_map(|line| line.rsplit(", ").next()?.split(' ').next()?.parse::<u64>().ok()).max();
    assert!(most.is_some_and(|most| most < MOST), "{figures}");
    if pairs >= 1_000_000 {
        tell(&figures);
    }
}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "whoever asked for a million wants to know")]
fn tell(figures: &str) {
    println!("{figures}");
}
