//! `kv`, against a running Butler.

use butler_tests::{Proc, World};
use insta::assert_snapshot;
use serde_json::json;

use crate::PROGRAM;

async fn start() -> (World, Proc) {
    let world = World::new(PROGRAM).await;
    world.configure("[kv]\nmax_keys_per_namespace = 4\nmax_value = \"100 B\"\n");
    let butler = world.serve().await;
    (world, butler)
}

async fn says(world: &World, butler: &Proc, args: &[&str]) -> String {
    world.says(butler, &[&["kv"], args].concat()).await
}

/// What is on stdout, as a script reads it.
async fn prints(world: &World, butler: &Proc, args: &[&str]) -> String {
    let output = world.run(&[&["kv"], args].concat()).about(butler).output().await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn pairs_are_set_read_counted_and_deleted() {
    let (world, butler) = start().await;
    let says = async |args: &[&str]| says(&world, &butler, args).await;
    let mut said = String::new();
    for args in [
        &["namespaces"][..],
        &["set", "ns", "a", "1"],
        &["set", "ns", "a", "2", "--if-absent"],
        &["set", "ns", "a", "2", "--if-version", "1"],
        &["set", "ns", "a", "3", "--if-version", "1"],
        &["set", "ns", "a", "3", "--if-value", "2"],
        &["set", "ns", "b", "-5", "--ttl", "10m"],
        &["set", "..", "", "of any characters"],
        &["get", "..", ""],
        &["incr", "ns", "a"],
        &["incr", "ns", "b", "-7"],
        &["incr", "..", ""],
        &["list", "ns"],
        &["list", "ns", "--max", "1"],
        &["list", "ns", "--prefix", "b"],
        &["list", "ns", "--prefix", "c"],
        &["delete", "ns", "a", "--if-version", "1"],
        &["delete", "ns", "a"],
        &["delete", "ns", "a"],
        &["get", "ns", "a"],
        &["get", "none", "a"],
        &["list", "none"],
        &["set", "ns", "long", "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1"],
        &["namespaces"],
        &["drop", ".."],
        &["drop", ".."],
    ] {
        said += &format!("$ kv {}\n{}\n", args.join(" "), says(args).await);
    }
    assert_snapshot!(said);
    // To the letter, also what a terminal would obey.
    prints(&world, &butler, &["set", "ns", "odd", "a\u{1b}[2J\r\nb\tc "]).await;
    assert_eq!(prints(&world, &butler, &["get", "ns", "odd"]).await, "a\u{1b}[2J\r\nb\tc \n");
    let pair = world.json(&butler, &["kv", "get", "ns", "odd"]).await;
    assert_eq!((&pair["key"], &pair["value"], &pair["expires"]), (&json!("odd"), &json!("a\u{1b}[2J\r\nb\tc "), &json!(null)));
    assert_eq!(world.json(&butler, &["kv", "incr", "ns", "n", "5"]).await["value"], 5);
}

#[tokio::test]
async fn what_is_exported_is_imported_by_another() {
    let (world, butler) = start().await;
    for (namespace, key) in [("b", "1"), ("a", "1"), ("b", "2")] {
        prints(&world, &butler, &["set", namespace, key, "Räkna \"1\""]).await;
    }
    let exported = prints(&world, &butler, &["export"]).await;
    assert_snapshot!(exported, @r#"
    {"namespace":"b","key":"1","value":"Räkna \"1\""}
    {"namespace":"b","key":"2","value":"Räkna \"1\""}
    {"namespace":"a","key":"1","value":"Räkna \"1\""}
    "#);
    assert_eq!(prints(&world, &butler, &["export", "a"]).await.lines().count(), 1);
    drop(butler);

    let (other, butler) = start().await;
    prints(&other, &butler, &["set", "b", "1", "here"]).await;
    let full: String = (0..4).map(|number| format!("{{\"namespace\":\"b\",\"key\":\"more {number}\",\"value\":\"\"}}\n")).collect();
    other.write("whole.jsonl", &exported);
    other.write("faulty.jsonl", &format!("{exported}no pair\n\n{full}"));
    assert_snapshot!(says(&other, &butler, &["import", "whole.jsonl", "--keep"]).await, @"
    exit code 0
    stdout:
    3 lines: 2 stored, 1 kept as they were, 0 expired, 0 refused
    ");
    assert_eq!(prints(&other, &butler, &["get", "b", "1"]).await, "here\n");
    assert_snapshot!(says(&other, &butler, &["import", "faulty.jsonl"]).await, @"
    exit code 64
    butler-cli: 3 of 8 lines were not taken
    stdout:
    8 lines: 5 stored, 0 kept as they were, 0 expired, 3 refused
    line 4: it is no pair: expected ident at line 1 column 2
    line 8: the namespace `b` holds as many keys as it may: 4 (`[kv] max_keys_per_namespace`)
    line 9: the namespace `b` holds as many keys as it may: 4 (`[kv] max_keys_per_namespace`)
    ");
    assert_eq!(prints(&other, &butler, &["get", "b", "1"]).await, "Räkna \"1\"\n");
    assert_snapshot!(says(&other, &butler, &["import", "none.jsonl"]).await, @"
    exit code 69
    butler-cli: can't read `none.jsonl`: SYSTEM ERROR
    ");
    assert_snapshot!(says(&other, &butler, &["export", "none"]).await, @"
    exit code 64
    butler-cli: there is no namespace `none`
    ");
}
