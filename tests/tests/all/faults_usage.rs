//! What is wrong with the command line ends the program with 64; what is not there to talk to, with 69.

use butler_tests::World;
use insta::assert_snapshot;

use crate::PROGRAM;

async fn refused(args: &[&str]) -> String {
    World::new(PROGRAM).await.refused(args).await
}

#[tokio::test]
async fn no_command_an_unknown_one_and_an_unknown_option() {
    assert_snapshot!(refused(&["srve"]).await, @"
    exit code 64
    error: unrecognized subcommand 'srve'

      tip: a similar subcommand exists: 'serve'

    Usage: butler-cli [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(refused(&["serve", "--conifg", "butler.toml"]).await, @"
    exit code 64
    error: unexpected argument '--conifg' found

      tip: a similar argument exists: '--config'

    Usage: butler-cli serve --config <FILE>

    For more information, try '--help'.
    ");
    let none = refused(&[]).await;
    assert!(none.starts_with("exit code 64\n") && none.contains("Usage: butler-cli [OPTIONS] <COMMAND>"), "{none}");
}

#[tokio::test]
async fn values_that_make_no_sense() {
    assert_snapshot!(refused(&["serve", "--grace", "soon"]).await, @"
    exit code 64
    error: invalid value 'soon' for '--grace <SECONDS>': expected a number of seconds

    For more information, try '--help'.
    ");
    assert_snapshot!(refused(&["send", "failed-reload", "--task-id", "12"]).await, @"
    exit code 64
    error: invalid value '12' for '--task-id <GUID>': expected a whole id such as ID

    For more information, try '--help'.
    ");
    assert_snapshot!(refused(&["deliveries", "list", "--state", "daed"]).await, @"
    exit code 64
    error: invalid value 'daed' for '--state <STATE>'
      [possible values: pending, delivered, dead, suppressed, discarded, orphaned]

      tip: a similar value exists: 'dead'

    For more information, try '--help'.
    ");
}

#[tokio::test]
async fn a_configuration_that_is_not_there() {
    assert_snapshot!(refused(&["serve"]).await, @"
    exit code 78
    butler-cli: can't read the configuration `butler.toml`: there is no such file. Write a first one with `butler-cli init`, or name the one that you have
    ");
    assert_snapshot!(refused(&["check", "--config", "other/butler.toml"]).await, @"
    exit code 78
    butler-cli: can't read the configuration `other/butler.toml`: there is no such file. Write a first one with `butler-cli init`, or name the one that you have
    ");
}

#[tokio::test]
async fn a_configuration_that_is_there_already() {
    let world = World::new(PROGRAM).await;
    world.write("butler.toml", "# mine");
    assert_snapshot!(world.refused(&["init"]).await, @"
    exit code 69
    butler-cli: butler.toml is there already; `--force` overwrites it
    ");
    assert_eq!(std::fs::read_to_string(world.path("butler.toml")).expect("a file"), "# mine");
    assert_snapshot!(world.refused(&["init", "--config", "no/such/folder/butler.toml"]).await, @"
    exit code 69
    butler-cli: can't write no/such/folder/butler.toml: SYSTEM ERROR. Its folder has to be there before
    ");
}

#[tokio::test]
async fn a_butler_that_is_not_running() {
    // A port that nobody listens on: it was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    assert_snapshot!(refused(&["status", "--server", &address]).await, @"
    exit code 69
    butler-cli: no Butler answers at http://127.0.0.1:PORT (SYSTEM ERROR). Is `butler-cli serve` running? `--server` names another address.
    ");
    assert_snapshot!(refused(&["events", "list", "--server", "http://"]).await, @"
    exit code 64
    butler-cli: `http:` is no address of a Butler: expected one such as http://127.0.0.1:8080
    ");
}

#[tokio::test]
async fn a_host_that_nobody_knows() {
    assert_snapshot!(refused(&["send", "failed-reload", "--to", "127.0.0.1"]).await, @"
    exit code 64
    butler-cli: can't send to `127.0.0.1`: expected host and port, such as 127.0.0.1:9998
    ");
    assert_snapshot!(refused(&["send", "raw", "--to", "127.0.0.1:99999", "hello"]).await, @"
    exit code 64
    butler-cli: can't send to `127.0.0.1:PORT`: expected host and port, such as 127.0.0.1:9998
    ");
}
