//! What the repository knows, in messages and in decisions.

use butler_core::simulator::site::{Failure, Outcome};
use butler_tests::{Sense, Settings, api, eventually, within};

use crate::PROGRAM;

#[tokio::test]
async fn what_the_repository_knows_is_shown_everywhere() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    sense.fails(sense.task("Reload sales").id).await;
    let body = sense.hook_body(1).await;
    for (key, value) in [
        ("event", "Qlik Sense reload failed"),
        ("taskName", "Reload sales"),
        ("appName", "Sales"),
        ("appOwnerName", "Göran Sander"),
        ("appOwnerUserDirectory", "LAB"),
        ("appOwnerUserId", "goran"),
        ("appOwnerEmail", "goran@example.com"),
    ] {
        assert_eq!(body[key], value, "{key} in {body}");
    }
    assert!(body.get("missing").is_none(), "{body}");
    let (slack, html) = sense.shown().await;
    let log = "Error: Cannot open file";
    for part in ["Reload sales", "Everyone", "Göran Sander", "FinishedFail", log] {
        assert!(slack.contains(part), "no {part:?} in {slack}");
        assert!(html.contains(part), "no {part:?} in {html}");
    }
    for part in ["nightly", "finance", "goran@example.com", "Max retries reached"] {
        assert!(html.contains(part), "no {part:?} in {html}");
    }
    let explained = sense.world.says(&sense.butler, &["events", "explain", "latest"]).await;
    for part in
        ["reload_task.failed: task Reload sales", "app owner: Göran Sander (LAB\\goran)", "execution result: FinishedFail", "script log: "]
    {
        assert!(explained.contains(part), "no {part:?} in {explained}");
    }
    assert!(!explained.contains("MISSING"), "{explained}");
}

#[tokio::test]
async fn a_name_that_breaks_the_line_is_the_one_that_the_repository_knows() {
    let sense = Sense::start(PROGRAM, Settings::default()).await;
    let task = sense.task("Räkna om");
    sense.site.run(task.id, Outcome::Failed(Failure::MissingField)).await.expect("a run");
    let body = sense.hook_body(1).await;
    assert_eq!(body["taskName"], "Räkna om «Lager»; it's 100% R&D #1 + 🚀");
    assert_eq!(body["appName"], "It's 100% R&D; #1 + «Lager» 🚀");
    assert_eq!(body["appOwnerName"], "Anna O'Neill-Åkesson");
    let (slack, html) = sense.shown().await;
    assert!(slack.contains("R&amp;D #1 + 🚀") && html.contains("R&amp;D #1 + 🚀"), "{slack}\n{html}");
}

#[tokio::test]
async fn tags_and_properties_decide_where_it_goes() {
    let settings = Settings {
        route: r#"
            name = "hr"
            when.tag = "hr"
            [[routes]]
            name = "enabled"
            events = ["reload_task.*"]
            when.custom_property.Butler_FailedTask_EmailAlertEnabled = "Yes"
            sinks = ["mail"]
        "#,
        ..Settings::default()
    };
    let sense = Sense::start(PROGRAM, settings).await;
    sense.fails(sense.task("Reload HR").id).await;
    assert_eq!(sense.hook_body(1).await["taskName"], "Reload HR");
    within("the mail", sense.mail.wait_for(1)).await;
    sense.fails(sense.task("Reload sales").id).await;
    within("the second mail", sense.mail.wait_for(2)).await;
    let explained = sense.world.says(&sense.butler, &["events", "explain", "latest"]).await;
    assert!(explained.contains("no  hr: ") && explained.contains("yes enabled: "), "{explained}");
    assert_eq!(sense.world.hook.count(), 1);
}

#[tokio::test]
async fn the_owner_of_the_app_gets_a_mail_unless_left_out() {
    let settings = Settings {
        mail: r#"
            [sinks.mail.options.app_owner]
            enable = true
            include_all = true
            exclude = [{ directory = "LAB", user_id = "goran" }]
        "#,
        ..Settings::default()
    };
    let sense = Sense::start(PROGRAM, settings).await;
    sense.fails(sense.task("Reload HR").id).await;
    // Anna has two addresses, and reads both.
    assert_eq!(recipients(&sense, 3).await, ["anna.oneill@example.com", "anna@example.com", "ops@example.com"]);
    sense.fails(sense.task("Reload sales").id).await;
    assert_eq!(recipients(&sense, 4).await, ["anna.oneill@example.com", "anna@example.com", "ops@example.com", "ops@example.com"]);
}

#[tokio::test]
async fn a_property_of_the_task_names_recipients_and_switches_the_common_ones_off() {
    let settings = Settings {
        mail: r#"
            recipients_from_property = "Butler_FailedTask_EmailRecipients"
            enable_by_property = { name = "Butler_FailedTask_EmailAlertEnabled" }
        "#,
        ..Settings::default()
    };
    let sense = Sense::start(PROGRAM, settings).await;
    let task = sense.task("Reload HR").id;
    sense.site.change(|state| {
        let task = state.task_mut(task).expect("the task");
        let property = |value: &str| butler_core::simulator::site::Property {
            name: "Butler_FailedTask_EmailRecipients".to_owned(),
            value: value.to_owned(),
        };
        task.custom_properties.extend([property("hr@example.com"), property("boss@example.com")]);
    });
    sense.fails(task).await;
    assert_eq!(recipients(&sense, 2).await, ["boss@example.com", "hr@example.com"]);
    sense.fails(sense.task("Reload sales").id).await;
    assert_eq!(recipients(&sense, 3).await, ["boss@example.com", "hr@example.com", "ops@example.com"]);
}

/// Who has got mail, in order of the alphabet, once there are so many and nothing is open any more.
async fn recipients(sense: &Sense, mails: usize) -> Vec<String> {
    let mails = within("the mails", sense.mail.wait_for(mails)).await;
    eventually("nothing to be open", async || {
        let open = api(&sense.butler, "/api/deliveries?state=pending").await;
        open.as_array()?.is_empty().then_some(())
    })
    .await;
    assert_eq!(sense.mail.count(), mails.len());
    let mut all: Vec<_> = mails.into_iter().flat_map(|mail| mail.to).collect();
    all.sort();
    all
}
