//! The demonstration, as somebody sees it who has just met Butler.

use butler_tests::World;

use crate::PROGRAM;

#[tokio::test]
async fn it_tells_everybody_of_one_failed_reload_and_ends() {
    let world = World::new(PROGRAM).await;
    let output = world.run(&["demo", "--once"]).output().await;
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{log}");
    for part in [
        "1. A reload fails.",
        "the script log of",
        "* Slack after",
        "* mail to bi-team@example.com after",
        "* mail to goran@example.com after",
        "* webhook, POST /failed-reloads after",
        "the reason       Error: Cannot open file: 'lib://Data/Sales.qvd'",
        "in 0019 LOAD * FROM [lib://Data/Sales.qvd] (qvd)",
        "*Why it failed* Error: Cannot open file: 'lib://Data/Sales.qvd'",
        "Why it failed: Error: Cannot open file: 'lib://Data/Sales.qvd'",
        "Everybody was told.",
    ] {
        assert!(told.contains(part), "no {part:?} in:\n{told}");
    }
    // Piped, it is plain text; and it leaves nothing behind.
    assert!(!told.contains('\u{1b}'), "{told}");
    let folder = told.split("its store in ").nth(1).and_then(|rest| rest.lines().next()).expect("the folder is named");
    assert!(!std::path::Path::new(folder).exists(), "{folder} is still there");
}
