//! States and certificates as files.

use super::*;

#[test]
fn the_example_is_a_state_of_every_sort() {
    let state = SiteState::example();
    for task_type in crate::event::TaskType::ALL {
        assert!(state.tasks.iter().any(|task| task.task_type == task_type), "{task_type:?}");
    }
    for odd in ["'", "&", "#", ";", "+", "%", "ä", "🚀"] {
        let names = || state.tasks.iter().map(|task| &task.name).chain(state.apps.iter().map(|app| &app.name));
        assert!(names().any(|name| name.contains(odd)), "{odd}");
    }
}

#[test]
fn a_state_survives_both_kinds_of_file() {
    let mut state = SiteState::example();
    state.time_zone = Some("Europe/Stockholm".into());
    state.script_log_api = ScriptLogApi::New;
    state.never_ran = NeverRan::Null;
    let folder = TempDir::new().unwrap();
    for (name, text) in [
        ("state.toml", toml::to_string(&state).unwrap()),
        ("state.JSON", serde_json::to_string_pretty(&state).unwrap()),
        ("state", toml::to_string_pretty(&state).unwrap()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(SiteState::from_file(&path).unwrap(), state, "{text}");
    }
}

#[test]
fn a_fault_in_a_file_names_the_line_the_key_and_the_remedy() {
    let app = "[[users]]\nid = \"00000000-0000-0000-0000-000000000001\"\n[[apps]]\nid = \"00000000-0000-0000-0000-000000000002\"\n";
    let good = format!("{app}owner = \"00000000-0000-0000-0000-000000000001\"\n");
    let faults = [
        "noed = 'x'".to_owned(),
        format!("{good}coulor = 'red'"),
        "[[tasks]]\ntype = 'relaod'".to_owned(),
        "[[tasks]]\nid = 'x'".to_owned(),
        "[[tasks]]\nwhen_started = { failed = 'bad luck' }".to_owned(),
        "node = ".to_owned(),
        "time_zone = 'Europe/Stokholm'".to_owned(),
        "[[tasks]]\nname = 'x'".to_owned(),
        app.to_owned(),
        format!("{good}{}", &good[good.find("[[apps]]").unwrap()..]),
    ];
    let mut texts: Vec<_> = faults.iter().map(|text| SiteState::from_toml("state.toml", text).unwrap_err().to_string()).collect();
    texts.push(SiteState::from_json("state.json", "{\n  \"tasks\": [{\"nmae\": \"x\"}]\n}").unwrap_err().to_string());
    insta::assert_snapshot!(texts.join("\n"));
    assert!(matches!(SiteState::from_file("no/such/file"), Err(StateError::Unreadable { .. })));
}

#[tokio::test]
async fn certificates_are_used_again() {
    let folder = TempDir::new().unwrap();
    let certs = folder.path().join("made/anew");
    let options = || SiteOptions { certificates: Some(certs.clone()), ..SiteOptions::default() };
    let first = Site::start(SiteState::example(), options()).await.unwrap();
    let client = std::fs::read(certs.join("client.pem")).unwrap();
    drop(first);
    let second = Site::start(SiteState::example(), options()).await.unwrap();
    assert_eq!(std::fs::read(certs.join("client.pem")).unwrap(), client);
    let settings = second.repository_settings("prod", &certs);
    let repository = RepositoryClient::new(settings, Arc::new(TestClock::default())).unwrap();
    assert_eq!(repository.about().await.unwrap().build_version, "14.173.4");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let key = std::fs::metadata(certs.join("client_key.pem")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_folder_that_can_not_be_used_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let start = async |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let options = SiteOptions { certificates: Some(folder.path().to_owned()), names, ..SiteOptions::default() };
        Site::start(SiteState::example(), options)
            .await
            .map(drop)
            .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "certs"))
    };
    std::fs::write(folder.path().join("root.pem"), "of a real site").unwrap();
    let mut texts = vec![start(&[]).await.unwrap_err()];
    assert_eq!(std::fs::read_to_string(folder.path().join("root.pem")).unwrap(), "of a real site");
    std::fs::remove_file(folder.path().join("root.pem")).unwrap();
    start(&[]).await.unwrap();
    texts.push(start(&["sense.example.com"]).await.unwrap_err());
    std::fs::write(folder.path().join("server.pem"), "nonsense").unwrap();
    texts.push(start(&[]).await.unwrap_err());
    insta::assert_snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let world = World::new().await;
    let options = SiteOptions { listen: world.site.address(), ..SiteOptions::default() };
    let text = Site::start(SiteState::example(), options).await.unwrap_err().to_string();
    assert!(text.starts_with(&format!("can't listen on {}: ", world.site.address())), "{text}");
    #[cfg(unix)]
    assert!(text.ends_with("port 0 takes a free one."), "{text}");
}

#[tokio::test]
async fn its_lines_of_configuration_are_understood() {
    let world = World::new().await;
    let config = crate::config::Config::from_toml(&world.site.configuration("my site", world.folder.path()), "/").unwrap();
    let site = &config.sites["my site"];
    assert_eq!((site.host.as_str(), site.port), ("127.0.0.1", world.site.address().port()));
    assert_eq!((site.engine.host.as_deref(), site.engine.port), (None, world.site.engine_address().port()));
    assert_eq!(site.certificates.as_deref(), Some(world.folder.path()));
}

#[tokio::test]
async fn an_engine_that_listens_at_another_address_is_named_in_its_lines_of_configuration() {
    let world = World::with(SiteOptions { engine: "127.0.0.2:0".parse().unwrap(), ..SiteOptions::default() }).await;
    let config = crate::config::Config::from_toml(&world.site.configuration("prod", world.folder.path()), "/").unwrap();
    let site = &config.sites["prod"];
    assert_eq!((site.host.as_str(), site.engine.host.as_deref()), ("127.0.0.1", Some("127.0.0.2")));
    assert_eq!(site.engine.port, world.site.engine_address().port());
    #[cfg(feature = "qlik")]
    assert_eq!(world.site.engine_settings("prod", world.folder.path()).host, "127.0.0.2");
}
