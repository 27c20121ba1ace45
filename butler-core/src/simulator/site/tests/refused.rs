//! What a real repository refuses.

use super::*;
use crate::qlik::QlikError;
use crate::qlik::fake::HastyClock;

#[tokio::test]
async fn nobody_gets_in_without_a_client_certificate() {
    let world = World::new().await;
    let trust = Trust::Only(read_certificates(&world.folder.path().join("root.pem")).unwrap());
    let http = http_client::build(ClientOptions { trust, system_proxy: false, ..ClientOptions::default() }).unwrap();
    assert!(http.get(format!("https://{}/qrs/about", world.site.address())).send().await.is_err());
    assert_eq!(world.site.total(), 0);
}

#[tokio::test]
async fn nobody_gets_in_with_a_certificate_of_another_site() {
    let (world, other) = (World::new().await, World::new().await);
    let foreign = RepositorySettings { root_certificate: world.folder.path().join("root.pem"), ..other.settings() };
    let foreign = RepositorySettings { port: world.site.address().port(), ..foreign };
    let client = RepositoryClient::new(foreign, Arc::new(HastyClock::default())).unwrap();
    let error = client.about().await.unwrap_err();
    // The refusal comes after the client is done with the handshake, so the connection may break before it is read.
    assert!(matches!(error, QlikError::Certificate { .. } | QlikError::Unreachable { .. }), "{error}");
    assert_eq!(world.site.total(), 0);
}

#[tokio::test]
async fn the_key_against_forgery_has_to_be_there_twice() {
    let world = World::new().await;
    let about = format!("https://{}/qrs/about", world.site.address());
    for (header, query) in [
        (Some(KEY), ""),
        (None, "?xrfkey=0123456789abcdef"),
        (Some(KEY), "?xrfkey=0123456789abcdeX"),
        (Some("short"), "?xrfkey=short"),
        (Some("0123456789abcde!"), "?xrfkey=0123456789abcde!"),
        // Whoever does not encode a `#` cuts the address.
        (Some(KEY), "?filter=name%20eq%20'a#1'&xrfkey=0123456789abcdef"),
    ] {
        let request = world.http().get(format!("{about}{query}")).header("X-Qlik-User", USER);
        let request = header.into_iter().fold(request, |request, key| request.header("X-Qlik-Xrfkey", key));
        let answer = sent(request).await;
        assert_eq!(answer, (403, "XSRF prevention check failed. Possible XSRF discovered.".to_owned()), "{query}");
    }
    let request = world.http().get(format!("{about}?XrfKey={KEY}")).header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER);
    assert_eq!(sent(request).await.0, 200);
}

#[tokio::test]
async fn only_users_that_are_here_and_active_are_answered() {
    let world = World::new().await;
    world.site.change(|state| {
        state.users[2].inactive = true;
        state.users[3].blacklisted = true;
    });
    let ask = async |user: &str| {
        let request = world.http().get(format!("https://{}/qrs/about?xrfkey={KEY}", world.site.address()));
        sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", user)).await
    };
    for user in [USER, "userdirectory=internal;userid=SA_REPOSITORY", "UserDirectory=LAB; UserId=goran"] {
        assert_eq!(ask(user).await.0, 200, "{user}");
    }
    for user in ["", "goran", "UserDirectory=LAB; UserId=nobody", "UserDirectory=LAB; UserId=anna"] {
        assert_eq!(ask(user).await, (403, "Forbidden".to_owned()), "{user}");
    }
    let (status, text) = ask("UserDirectory=LAB; UserId=testuser2").await;
    assert_eq!((status, text.starts_with("Forbidden: Your account is inactive")), (403, true));
    let settings = RepositorySettings { user: "UserDirectory=LAB; UserId=nobody".into(), ..world.settings() };
    let client = RepositoryClient::new(settings, Arc::new(HastyClock::default())).unwrap();
    assert!(matches!(client.about().await, Err(QlikError::Forbidden { status: 403, .. })));
}

#[tokio::test]
async fn filters_that_make_no_sense_are_bad_requests() {
    let world = World::new().await;
    for (filter, text) in [
        ("id%20eq", "Cannot parse the expression: id eq"),
        ("id%20eq%20e959f40a", "Cannot parse the expression: id eq e959f40a"),
        ("taskType%20eq%20Nap", "Cannot parse the expression: taskType eq Nap"),
        ("colour%20eq%20'red'", "Cannot parse the expression: colour eq 'red'"),
        ("app.colour%20eq%20'red'", "Cannot parse the expression: app.colour eq 'red'"),
        ("tags.name%20eq%20'R&D'", "Missing parameter value(s)"),
        ("", "Missing parameter value(s)"),
    ] {
        assert_eq!(world.ask(&format!("task/full?filter={filter}")).await, (400, text.to_owned()), "{filter}");
    }
    // Members that only some types of task have are known wherever tasks of that type are.
    for filter in [
        "userDirectory.name%20eq%20'LAB'",
        "path%20sw%20'C:'",
        "operational.lastExecutionResult.status%20eq%20FinishedFail",
        "app.stream.name%20eq%20'Everyone'",
        "preloadNodes.name%20eq%20'x'",
    ] {
        assert_eq!(world.ask(&format!("task/full?filter={filter}")).await.0, 200, "{filter}");
    }
    assert_eq!(world.ask("usersynctask/full?filter=app.name%20eq%20'x'").await.0, 400);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    let unknown = Uuid::from_u128(7);
    for path in [
        format!("task/{SALES}"),
        format!("reloadtask/{unknown}"),
        format!("externalprogramtask/{SALES}"),
        format!("usersynctask/{SALES}"),
        format!("user/{unknown}"),
        format!("app/{unknown}"),
        format!("executionresult/{unknown}"),
        format!("download/reloadtask/{unknown}/scriptlog.txt"),
        "nonsense".to_owned(),
        "nonsense/full".to_owned(),
        "task/full/more".to_owned(),
    ] {
        assert_eq!(world.ask(&path).await, (404, "Not Found".to_owned()), "{path}");
    }
    assert_eq!(world.ask("app/no-id").await.0, 400);
    assert_eq!(world.ask(&format!("task/full?filter=id%20eq%20{unknown}")).await, (200, "[]".to_owned()));
    let request = world.http().get(format!("https://{}/elsewhere?xrfkey={KEY}", world.site.address()));
    assert_eq!(sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER)).await.0, 404);
    let request = world.http().delete(format!("https://{}/qrs/app/{unknown}?xrfkey={KEY}", world.site.address()));
    assert_eq!(sent(request.header("X-Qlik-Xrfkey", KEY).header("X-Qlik-User", USER)).await.0, 404);
}
