//! A template that can't be used is found when the program starts, with its file and line.

use butler_tests::World;
use insta::assert_snapshot;

use crate::PROGRAM;

/// What `check` says about this configuration.
async fn refused_in(world: &World, text: &str) -> String {
    world.export_certificates();
    world.write("butler.toml", text);
    world.refused(&["check"]).await
}

/// A configuration with one sink.
fn with_sink(options: &str) -> String {
    format!(
        r#"
[sites.prod]
host = "127.0.0.1"
certificates = "certs"

[[routes]]
events = ["reload_task.*"]
sinks = ["ops"]

[sinks.ops]
{options}
"#
    )
}

fn mail(options: &str) -> String {
    let sink = r#"type = "email"
[sinks.ops.options]
host = "localhost"
from = "butler@example.com"
recipients = ["ops@example.com"]
"#;
    with_sink(&format!("{sink}{options}"))
}

#[tokio::test]
async fn templates_that_are_not_there_or_do_not_parse() {
    let world = World::new(PROGRAM).await;
    world.write("broken.handlebars", "<h1>{{taskName}}</h1>\n{{#if appName}}\n<p>{{appName}}</p>\n");
    let templates = r#"
template_file = "templates/task.handlebars"
template_files."reload_task.aborted" = "broken.handlebars"
template_files."butler.*" = "templates"
"#;
    std::fs::create_dir(world.path("templates")).expect("a folder");
    assert_snapshot!(refused_in(&world, &mail(templates)).await, @"
    exit code 78
    3 things are wrong with the configuration:
    butler.toml:17: sinks.ops.options.template_file: can't read the template `FOLDER/templates/task.handlebars`: there is no such file. Mend it, or leave it out for the built-in template
    butler.toml:18: sinks.ops.options.template_files: can't read the template `FOLDER/templates`: it is a folder. Mend it, or leave it out for the built-in template
    butler.toml:18: sinks.ops.options.template_files: the template `FOLDER/broken.handlebars`, line 4, column 1: a block such as `{{#if ...}}` is opened before this and not closed, or a tag is not well formed. Mend it, or leave it out for the built-in template
    ");
}

#[tokio::test]
async fn a_subject_that_does_not_parse() {
    assert_snapshot!(refused_in(&World::new(PROGRAM).await, &mail("subject = \"{{taskName} failed\"")).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:16: sinks.ops.options.subject: this template, line 1, column 11: this is no well formed tag; `{{` starts one, and `}}` ends it
    ");
}

#[tokio::test]
async fn a_slack_template_that_does_not_parse() {
    let world = World::new(PROGRAM).await;
    world.write("slack.handlebars", "{ \"text\": \"{{taskName}\" }");
    let sink = r#"type = "slack"
options.webhook_url = "http://127.0.0.1:1/hook"
options.template_file = "slack.handlebars""#;
    assert_snapshot!(refused_in(&world, &with_sink(sink)).await, @"
    exit code 78
    one thing is wrong with the configuration:
    butler.toml:13: sinks.ops.options.template_file: the template `FOLDER/slack.handlebars`, line 1, column 22: this is no well formed tag; `{{` starts one, and `}}` ends it. Mend it, or leave it out for the built-in template
    ");
}
