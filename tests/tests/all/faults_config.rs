//! What is wrong with the configuration is said with file, line, key and remedy, and ends the program with 78.

use butler_tests::World;
use insta::assert_snapshot;

use crate::PROGRAM;

/// What `serve` says about this configuration. `check` has to say the same.
async fn refused(text: &str) -> String {
    let world = World::new(PROGRAM).await;
    world.export_certificates();
    refused_in(&world, text).await
}

async fn refused_in(world: &World, text: &str) -> String {
    world.write("butler.toml", text);
    let said = world.refused(&["serve"]).await;
    assert_eq!(world.refused(&["check"]).await, said);
    said
}

const REST: &str = r#"
[sites.prod]
host = "127.0.0.1"
certificates = "certs"

[[routes]]
events = ["reload_task.*"]
sinks = ["ops"]

[sinks.ops]
type = "webhook"
options.url = "http://127.0.0.1:1/hook"
"#;

#[tokio::test]
async fn an_unknown_key() {
    let text = REST.replace("host =", "hots =");
    assert_snapshot!(refused(&text).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:3: sites.prod.hots: unknown key
      did you mean `host`?
    ");
}

#[tokio::test]
async fn a_wrong_type() {
    let text = REST.replace("host =", "port = \"4242\"\nhost =");
    assert_snapshot!(refused(&text).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:3: sites.prod.port: expected a whole number from 0 to 65535, found text
      write it without the quotes: 4242
    ");
}

#[tokio::test]
async fn several_faults_at_once() {
    let text = r#"
[sites.prod]
certificates = "certs"
host = "https://sense.example.com/"
verify = "no"

[udp]
listen = "9998"

[sinks.ops]
type = "webhook"
timeout = "30"
options.url = "hooks.example.com"
options.methd = "PUT"

[[routes]]
events = ["reload_task.fialed"]
sinks = ["opps"]
"#;
    assert_snapshot!(refused(text).await, @r#"
    exit code 78
    7 things are wrong with the configuration:
    butler.toml:4: sites.prod.host: `https://sense.example.com/` is a web address; only the host name is wanted
    butler.toml:5: sites.prod.verify: expected `true` or `false`, found text
    butler.toml:8: udp.listen: `9998` is no address to listen on
      write an address and a port, such as "127.0.0.1:8080", "0.0.0.0:9998" or "[::1]:8080"
    butler.toml:12: sinks.ops.timeout: `30` has no unit; write a duration as a number and its unit, such as "30s", "5m", "1h 30m" or "30d"
    butler.toml:14: sinks.ops.options.methd: unknown key
      did you mean `method`?
    butler.toml:17: routes[0].events[0]: there is no event kind `reload_task.fialed`
      did you mean `reload_task.failed`?
    butler.toml:18: routes[0].sinks[0]: there is no sink `opps`
      did you mean `ops`? Known: ops
    "#);
}

#[tokio::test]
async fn text_that_is_no_toml() {
    assert_snapshot!(refused("[sites.prod\nhost = sense.example.com\n").await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:1:12: unclosed table, expected `]`
      | [sites.prod
    ");
}

#[tokio::test]
async fn a_windows_path_in_double_quotes() {
    let text = REST.replace("\"certs\"", r#""C:\Users\butler\certs""#);
    assert_snapshot!(refused(&text).await, @r#"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:4:21: too few unicode value digits, expected unicode hexadecimal value
      | certificates = "C:\Users\butler\certs"
      in double quotes a backslash starts an escape: write a Windows path in single quotes, such as 'C:\butler\certs', or with slashes
    "#);
    assert_snapshot!(refused(&REST.replace("\"certs\"", r#""C:\temp\new""#)).await, @r"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:4: sites.prod.certificates: this path holds an escape, and so is another one than it seems
      in double quotes a backslash starts an escape: write a Windows path in single quotes, such as 'C:\butler\certs', or with slashes
    ");
}

#[tokio::test]
async fn a_missing_certificate_folder_and_a_missing_file() {
    let world = World::new(PROGRAM).await;
    assert_snapshot!(refused_in(&world, REST).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:4: sites.prod.certificates: there is no folder `FOLDER/certs`
      export them in the QMC (Certificates, with this machine's name, in platform independent PEM format, without a password) and put `client.pem`, `client_key.pem` and `root.pem` there
    ");
    std::fs::create_dir(world.path("certs")).expect("a folder");
    assert_snapshot!(refused_in(&world, REST).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:4: sites.prod.certificates: there is no file `FOLDER/certs/client.pem`, nor `FOLDER/certs/client_key.pem`, nor `FOLDER/certs/root.pem`
      export them in the QMC (Certificates, with this machine's name, in platform independent PEM format, without a password) and put `client.pem`, `client_key.pem` and `root.pem` there
    ");
}

#[tokio::test]
async fn an_unknown_sink_type_and_an_unknown_option() {
    let text = REST;
    assert_snapshot!(refused(&text.replace("\"webhook\"", "\"webhok\"")).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:11: sinks.ops.type: unknown sink type `webhok`
      did you mean `webhook`? Known: email, influxdb, mqtt, new_relic, script_log_archive, signl4, slack, teams, webhook
    ");
    assert_snapshot!(refused(&text.replace("options.url", "options.uri")).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:12: sinks.ops.options.uri: unknown key
      did you mean `url`?
    ");
}

#[tokio::test]
async fn a_secret_that_is_not_there() {
    let text = REST;
    let by_variable = text.replace("\"http://127.0.0.1:1/hook\"", "{ env = \"BUTLER_TESTS_SET_NO_SUCH\" }");
    assert_snapshot!(refused(&by_variable).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:12: sinks.ops.options.url: the environment variable `BUTLER_TESTS_SET_NO_SUCH` is not set; set it before the program starts
    ");
    let by_file = text.replace("\"http://127.0.0.1:1/hook\"", "{ file = \"secrets/hook.txt\" }");
    assert_snapshot!(refused(&by_file).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:12: sinks.ops.options.url: can't read the secret from `FOLDER/secrets/hook.txt`: there is no such file
    ");
}
