//! Who may use the API of a running Butler, and by which token.

use butler_tests::{Proc, World, eventually, http};
use serde_json::Value;

use crate::PROGRAM;

/// The token of the configuration, that may do everything.
const MASTER: &str = "pl4nted-master-token-of-a-test";

/// A Butler that lets nobody do anything without a token.
async fn closed() -> (World, Proc) {
    let world = World::new(PROGRAM).await;
    configure(&world);
    let butler = world.serve().await;
    (world, butler)
}

fn configure(world: &World) {
    let api = format!("allow_anonymous = false\ntokens.master = {{ token = '{MASTER}', scopes = ['admin'] }}\n");
    world.configure_all(&format!("{api}[log]\nlevel = 'trace'\n[sites.prod]\nhost = '127.0.0.1'\n"));
}

/// The token that a command prints.
async fn made(world: &World, butler: &Proc, args: &[&str]) -> String {
    let args = [&["token", "create"], args].concat();
    let output = world.run(&args).about(butler).env("BUTLER_TOKEN", MASTER).output().await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

async fn says(world: &World, butler: &Proc, token: &str, args: &[&str]) -> String {
    butler_tests::ending(world, &world.run(args).about(butler).env("BUTLER_TOKEN", token).output().await)
}

/// A command ended with this code and said this among the rest.
fn assert_says(said: &str, code: u8, words: &str) {
    assert!(said.starts_with(&format!("exit code {code}\n")) && said.contains(words), "{said}");
}

/// The status of an answer, and the answer.
async fn ask(butler: &Proc, token: Option<&str>, path: &str) -> (u16, Value) {
    let request = http().get(format!("http://{}{path}", butler.address("api")));
    let request = token.into_iter().fold(request, |request, token| request.header("authorization", format!("Bearer {token}")));
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("a body")).unwrap_or_default())
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked() {
    let (world, butler) = closed().await;
    let token = made(&world, &butler, &["reader", "--scope", "read", "--expires", "90d"]).await;
    assert_eq!(ask(&butler, None, "/api/status").await.0, 401);
    assert_eq!(ask(&butler, Some(&token), "/api/status").await.0, 200);
    assert_eq!(ask(&butler, Some(&token), "/api/tokens").await.0, 403);
    assert_eq!(ask(&butler, None, "/readyz").await.0, 200);

    world.write("token.txt", &format!("{token}\n"));
    let by_file = world.run(&["status", "--token-file", "token.txt"]).about(&butler).output().await;
    assert!(by_file.status.success(), "{}", String::from_utf8_lossy(&by_file.stderr));
    assert_says(&world.says(&butler, &["status"]).await, 69, "has to show a token. Name a file that holds a token with `--token-file`");
    for (token, args, code, words) in [
        (
            token.as_str(),
            &["token", "list"][..],
            69,
            "token reader may not do this: it takes the scope `admin`. `butler-cli token create` makes",
        ),
        (
            "butler_nonsense",
            &["status"],
            69,
            "the token is not one of this Butler's, or no longer. `--token-file` or BUTLER_TOKEN has to give",
        ),
        ("a b", &["status"], 64, "BUTLER_TOKEN holds no token: one line, without blanks"),
        (MASTER, &["token", "create", "reader", "--scope", "read"], 64, "there is a token `reader` already. Revoke it first"),
        (MASTER, &["token", "list"], 0, "configured"),
    ] {
        assert_says(&says(&world, &butler, token, args).await, code, words);
    }

    // It outlives the program, which forgets what it did not keep.
    butler.kill().await;
    let butler = world.serve().await;
    assert_eq!(ask(&butler, Some(&token), "/api/status").await.0, 200);
    assert_says(&says(&world, &butler, MASTER, &["token", "revoke", "reader"]).await, 0, "reader is revoked");
    assert_eq!(ask(&butler, Some(&token), "/api/status").await.0, 401);
    assert_says(&says(&world, &butler, MASTER, &["token", "revoke", "reader"]).await, 64, "there is no token `reader`");
    let left = ask(&butler, Some(MASTER), "/api/tokens").await.1;
    assert_eq!((left.as_array().map(Vec::len), &left[0]["name"]), (Some(1), &"master".into()));
}

#[tokio::test]
async fn what_is_refused_and_what_changes_something_is_on_record_and_no_token_is() {
    let (world, butler) = closed().await;
    let token = made(&world, &butler, &["reader", "--scope", "read"]).await;
    let path = "/api/status?access_token=pl4nted-in-a-query";
    assert_eq!(ask(&butler, Some("pl4nted-by-a-guess"), path).await.0, 401);
    assert_eq!(ask(&butler, Some(&token), "/api/tokens").await.0, 403);
    assert_eq!(ask(&butler, Some(&token), path).await.0, 200);
    let lines = eventually("three lines on record", async || {
        let log = butler.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("butler::audit")).map(str::to_owned).collect();
        (lines.len() == 3).then_some(lines)
    })
    .await;
    for (line, parts) in lines.iter().zip([
        ["INFO", "done", "who=token master", "method=POST path=\"/api/tokens\" status=200"],
        ["WARN", "refused", "who=anonymous", "method=GET path=\"/api/status\" status=401"],
        ["WARN", "refused", "who=token reader", "method=GET path=\"/api/tokens\" status=403"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)) && line.contains("127.0.0.1") && line.contains("id="), "{line}");
    }
    assert_eq!(butler.log().matches("/api/status?access_token=*** called from 127.0.0.1").count(), 2);
    let log = butler.log();
    assert!(!log.contains("pl4nted") && !log.contains(&token), "{log}");
    let printed = world.says(&butler, &["check", "--print"]).await;
    assert!(printed.contains("[api.tokens.master]") && !printed.contains("pl4nted"), "{printed}");
}

/// With the filter that is documented for who wants to see these lines and else only what went wrong.
#[tokio::test]
async fn what_is_on_record_bears_the_id_of_its_request() {
    let world = World::new(PROGRAM).await;
    configure(&world);
    let butler = world.run(&["serve"]).env("BUTLER_LOG", "warn,butler::audit=info").ready().await;
    let url = format!("http://{}/api/silences", butler.address("api"));
    let request = http().post(url).header("authorization", format!("Bearer {MASTER}")).header("x-request-id", "load-script-7");
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 415);
    let line = eventually("a line on record", async || {
        let log = butler.log();
        log.lines().find(|line| line.contains("butler::audit")).map(str::to_owned)
    });
    let line = line.await;
    assert!(line.contains("load-script-7") && line.contains("who=token master") && line.contains("status=415"), "{line}");
}

#[tokio::test]
async fn the_commands_speak_tls_as_the_configuration_does() {
    let world = World::new(PROGRAM).await;
    world.export_certificates();
    let tls = "tls = { certificate = 'certs/client.pem', key = 'certs/client_key.pem' }\n";
    let rest = "[sites.prod]\nhost = '127.0.0.1'\n";
    world.configure_all(&format!("{tls}{rest}"));
    let butler = world.serve().await;
    let address = butler.address("api");
    let port = address.rsplit(':').next().expect("a port");
    let status = async |args: &[&str]| {
        let output = world.run(&[&["status"], args].concat()).output().await;
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let by_name = format!("https://localhost:{port}");
    assert_eq!(status(&["--server", &by_name, "--ca", "certs/root.pem"]).await, (Some(0), String::new()));
    // Who issued the certificate is known to nobody here.
    let (code, said) = status(&["--server", &by_name]).await;
    assert!(code == Some(69) && said.contains("no Butler answers at https://localhost"), "{said}");
    // By the configuration it is known which certificate the Butler shows, whatever the name in it.
    world.write("known.toml", &format!("[api]\nlisten = '{address}'\n{tls}{rest}"));
    assert_eq!(status(&["--config", "known.toml"]).await, (Some(0), String::new()));
    let plain = status(&["--server", &address]).await;
    assert_eq!(plain.0, Some(69), "it does not speak plain HTTP: {}", plain.1);
}
