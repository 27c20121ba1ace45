//! `kv`: the pairs that load scripts keep, in a running Butler.

use std::io::IsTerminal;

use butler_core::api::kv::{Counted, PairPage, Stored};
use butler_core::kv::ImportReport;
use butler_core::store::KvEntry;
use jiff::tz::TimeZone;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::args::{Format, Global, Kv, KvWhat, Pair, Set};
use crate::client::Client;
use crate::table::table;
use crate::{Exit, output, story};

pub(crate) async fn run(global: &Global, kv: &Kv) -> Result<(), Exit> {
    let client = Client::new(global, &kv.server)?;
    match &kv.what {
        KvWhat::Namespaces => {
            let all: Vec<String> = client.get("/api/kv/namespaces", &[]).await?;
            say(global, &all, || {
                if all.is_empty() { "no namespaces\n".to_owned() } else { all.iter().map(|name| format!("{name}\n")).collect() }
            })
        }
        KvWhat::List { namespace, prefix, after, max } => {
            let query =
                [("namespace", namespace.clone()), ("prefix", prefix.clone()), ("after", after.to_string()), ("max", max.to_string())];
            let page: PairPage = client.get("/api/kv/pairs", &query).await?;
            say(global, &page, || list(&page, &TimeZone::system()))
        }
        KvWhat::Get(pair) => {
            let found: KvEntry = client.get("/api/kv/pair", &of(pair)).await?;
            match global.output {
                // For a script it is what was set, to the letter; a terminal would obey what is in it.
                Format::Text if !std::io::stdout().is_terminal() => output::line(&found.value),
                Format::Text => output::foreign(&format!("{}\n", found.value)),
                Format::Json => output::json(&found)?,
            }
            Ok(())
        }
        KvWhat::Set(set) => {
            let stored: Stored = client.answer(request(&client, set)?).await?;
            say(global, &stored, || format!("set, with version {}\n", stored.version))
        }
        KvWhat::Incr { pair, by } => {
            let url = client.request(Method::POST, "/api/kv/increment", &of(pair))?;
            let counted: Counted = client.answer(with_json(url, &json!({ "by": by }))).await?;
            say(global, &counted, || format!("{}\n", counted.value))
        }
        KvWhat::Delete { pair, if_version } => {
            let request = client.request(Method::DELETE, "/api/kv/pair", &of(pair))?;
            client.send(under(request, *if_version)).await?;
            say(global, &json!({ "deleted": true }), || "deleted\n".to_owned())
        }
        KvWhat::Drop { namespace } => {
            let query = [("namespace", namespace.clone())];
            client.send(client.request(Method::DELETE, "/api/kv/namespaces", &query)?).await?;
            say(global, &json!({ "dropped": true }), || "dropped\n".to_owned())
        }
        KvWhat::Export { namespace } => export(&client.unhurried(), namespace.as_deref()).await,
        KvWhat::Import { file, keep } => import(global, &client.unhurried(), file, *keep).await,
    }
}

fn say(global: &Global, value: &impl serde::Serialize, words: impl FnOnce() -> String) -> Result<(), Exit> {
    match global.output {
        Format::Json => output::json(value),
        Format::Text => {
            output::foreign(&words());
            Ok(())
        }
    }
}

fn of(pair: &Pair) -> [(&'static str, String); 2] {
    [("namespace", pair.namespace.clone()), ("key", pair.key.clone())]
}

fn request(client: &Client, set: &Set) -> Result<RequestBuilder, Exit> {
    let mut body = json!({ "value": set.value });
    if let Some(ttl) = set.ttl {
        body["ttl_ms"] = Value::from(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    }
    if let Some(value) = &set.if_value {
        body["if_value"] = Value::from(value.clone());
    }
    let request = with_json(client.request(Method::PUT, "/api/kv/pair", &of(&set.pair))?, &body);
    let request = under(request, set.if_version);
    Ok(if set.if_absent { request.header("if-none-match", "*") } else { request })
}

fn with_json(request: RequestBuilder, body: &Value) -> RequestBuilder {
    request.header("content-type", "application/json").body(body.to_string())
}

/// Only if the pair has this version.
fn under(request: RequestBuilder, version: Option<u64>) -> RequestBuilder {
    match version {
        Some(version) => request.header("if-match", format!("\"{version}\"")),
        None => request,
    }
}

fn list(page: &PairPage, zone: &TimeZone) -> String {
    if page.pairs.is_empty() {
        return "no pairs\n".to_owned();
    }
    let row = |pair: &KvEntry| {
        let until = pair.expires.map(|at| story::time(at, zone)).unwrap_or_default();
        vec![pair.key.clone(), pair.version.to_string(), until, pair.value.clone()]
    };
    let mut text = table(&["KEY", "VERSION", "UNTIL", "VALUE"], &page.pairs.iter().map(row).collect::<Vec<_>>(), 160);
    if let Some(next) = page.next {
        text += &format!("There are more: --after {next}\n");
    }
    text
}

async fn export(client: &Client, namespace: Option<&str>) -> Result<(), Exit> {
    let query: Vec<_> = namespace.iter().map(|namespace| ("namespace", (*namespace).to_owned())).collect();
    let mut response = client.send(client.request(Method::GET, "/api/kv/export", &query)?).await?;
    loop {
        match response.chunk().await {
            Ok(Some(lines)) => match output::bytes(&lines) {
                Ok(()) => {}
                // Whoever has seen enough closes the pipe.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(Exit::unavailable(format!("can't write the export: {error}"))),
            },
            Ok(None) => return Ok(()),
            Err(_) => return Err(Exit::unavailable("the export broke off, so it is not whole. Is `butler-cli serve` still running?")),
        }
    }
}

async fn import(global: &Global, client: &Client, file: &std::path::Path, keep: bool) -> Result<(), Exit> {
    let opened = tokio::fs::File::open(file).await;
    let opened = opened.map_err(|error| Exit::unavailable(format!("can't read `{}`: {error}", file.display())))?;
    let query = [("existing", if keep { "keep" } else { "overwrite" }.to_owned())];
    let request = client.request(Method::POST, "/api/kv/import", &query)?.header("content-type", "application/x-ndjson").body(opened);
    let report: ImportReport = client.answer(request).await?;
    say(global, &report, || told(&report))?;
    match report.refused {
        0 => Ok(()),
        refused => Err(Exit::usage(format!("{refused} of {} lines were not taken", report.lines))),
    }
}

fn told(report: &ImportReport) -> String {
    let ImportReport { lines, stored, kept, expired, refused, problems } = report;
    let mut text = format!("{lines} lines: {stored} stored, {kept} kept as they were, {expired} expired, {refused} refused\n");
    for problem in problems {
        text += &format!("line {}: {}\n", problem.line, problem.error);
    }
    if (problems.len() as u64) < *refused {
        text += "and so on\n";
    }
    text
}
