//! Commands that need no running Butler: `init`, `check`, `completions`.

use butler_tests::{World, ending};
use insta::assert_snapshot;
use serde_json::Value;

use crate::PROGRAM;

#[tokio::test]
async fn what_init_writes_needs_certificates_and_secrets_and_nothing_else() {
    let world = World::new(PROGRAM).await;
    assert_snapshot!(ending(&world, &world.run(&["init"]).output().await), @"
    exit code 0
    stdout:
    butler.toml is written. Put in your site and sinks, then try `butler-cli check --config butler.toml`.
    ");
    let written = std::fs::read_to_string(world.path("butler.toml")).expect("the file");
    let line = written.lines().position(|line| line.contains("SLACK_WEBHOOK")).expect("the secret") + 1;
    let refused = world.refused(&["check"]).await.replace(&format!("butler.toml:{line}:"), "butler.toml:SECRET:");
    assert_snapshot!(refused, @"
    exit code 78
    2 things are wrong with the configuration:
    butler.toml:15: sites.prod.certificates: there is no folder `FOLDER/certs`
      export them in the QMC (Certificates, with this machine's name, in platform independent PEM format, without a password) and put `client.pem`, `client_key.pem` and `root.pem` there
    butler.toml:SECRET: sinks.ops.options.webhook_url: the environment variable `SLACK_WEBHOOK` is not set; set it before the program starts
    ");
    world.export_certificates();
    let checked = world.run(&["check"]).env("SLACK_WEBHOOK", "https://hooks.example.com/services/1").output().await;
    assert_snapshot!(ending(&world, &checked), @"
    exit code 0
    stdout:
    butler.toml: valid (1 site, 1 sink, 1 route)
    ");
    let printed = world.run(&["check", "--print"]).env("SLACK_WEBHOOK", "https://hooks.example.com/services/1").output().await;
    assert!(printed.status.success());
    // What is printed is a configuration again, secrets apart.
    let printed = String::from_utf8(printed.stdout).expect("text");
    assert!(!printed.contains("services/1"), "{printed}");
    assert!(printed.contains("[store]\ntype = \"sqlite\"\n") && printed.contains("receive_buffer = \"16 MiB\""), "{printed}");
}

#[tokio::test]
async fn check_prints_everything_but_secrets() {
    let world = World::new(PROGRAM).await;
    world.export_certificates();
    world.write("password.txt", "pass-in-file\n");
    world.write(
        "butler.toml",
        r#"
[sites.prod]
host = "127.0.0.1"
certificates = "certs"
[[routes]]
events = ["*"]
sinks = ["mail", "hook"]
[sinks.mail]
type = "email"
[sinks.mail.options]
host = "localhost"
from = "butler@example.com"
recipients = ["ops@example.com"]
auth = { user = "butler", password = { file = "password.txt" } }
[sinks.hook]
type = "webhook"
options.url = "https://hooks.example.com/secret-path"
options.headers = { Authorization = "Bearer secret-token", X-Team = { env = "HOOK_TEAM" } }
"#,
    );
    let printed = world.run(&["check", "--print"]).env("HOOK_TEAM", "secret-team").output().await;
    let text = ending(&world, &printed);
    for secret in ["pass-in-file", "secret-path", "secret-token", "secret-team"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let sinks = &text[text.find("[sinks").expect("sinks")..];
    assert_snapshot!(sinks, @r#"
    [sinks.hook]
    type = "webhook"
    max_in_flight = 8
    was = []

    [sinks.hook.retry]
    first = "1s"
    longest = "5m"
    alert_age = "1d"
    metric_age = "1h"

    [sinks.hook.options]
    url = "***"

    [sinks.hook.options.headers]
    Authorization = "***"

    [sinks.hook.options.headers.X-Team]
    env = "HOOK_TEAM"

    [sinks.mail]
    type = "email"
    max_in_flight = 8
    was = []

    [sinks.mail.retry]
    first = "1s"
    longest = "5m"
    alert_age = "1d"
    metric_age = "1h"

    [sinks.mail.options]
    from = "butler@example.com"
    host = "localhost"
    recipients = ["ops@example.com"]

    [sinks.mail.options.auth]
    user = "***"

    [sinks.mail.options.auth.password]
    file = "password.txt"

    [[routes]]
    events = ["*"]
    sinks = ["mail", "hook"]
    continue = false

    [routes.when]
    "#);
}

#[tokio::test]
async fn check_for_programs() {
    let world = World::new(PROGRAM).await;
    world.write("butler.toml", "[sites.prod]\nhots = \"127.0.0.1\"\n");
    let output = world.run(&["check", "--output", "json"]).output().await;
    assert_eq!(output.status.code(), Some(78));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["valid"], false);
    let errors: Vec<_> = report["issues"].as_array().expect("a list").iter().filter(|issue| issue["severity"] == "error").collect();
    assert_eq!(errors.len(), 1, "{report}");
    assert_eq!((&errors[0]["key"], &errors[0]["line"]), (&"sites.prod.hots".into(), &2.into()));
    assert_eq!(errors[0]["help"], "did you mean `host`?");
}

#[tokio::test]
async fn files_of_windows_editors_are_read() {
    let world = World::new(PROGRAM).await;
    world.export_certificates();
    let url = world.hook.url("/");
    let text = format!(
        "\u{feff}[sites.prod]\nhost = '127.0.0.1'\ncertificates = 'certs'\n[sinks.hook]\ntype = 'webhook'\noptions.url = '{url}'\n[[routes]]\nevents = ['*']\nsinks = ['hook']\n"
    );
    world.write("butler.toml", &text.replace('\n', "\r\n"));
    assert_snapshot!(ending(&world, &world.run(&["check"]).output().await), @"
    exit code 0
    stdout:
    butler.toml: valid (1 site, 1 sink, 1 route)
    ");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(world.path("butler.toml"), utf16).expect("a file");
    assert_snapshot!(world.refused(&["check"]).await, @"
    exit code 78
    butler-cli: can't read the configuration `butler.toml`: it is not UTF-8 text. Save it as UTF-8 in your editor
    ");
}

#[tokio::test]
async fn completions_know_every_command() {
    let world = World::new(PROGRAM).await;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = world.run(&["completions", shell]).output().await;
        let script = String::from_utf8(output.stdout).expect("text");
        for word in ["butler-cli", "serve", "failed-reload", "explain", "discard"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}
