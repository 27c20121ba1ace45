//! The corpus: named configurations, good and bad, with what is said about each.

#[cfg(feature = "simulator")]
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use proptest::prelude::*;
use serde::Deserialize;

use super::{Config, ConfigError, Issues, Secret};
use crate::event::Target;
use crate::sink::{
    BuildError, Delivery, DeliveryError, Message, Receipt, Registry, RenderError, Rendering, Sink, SinkConfig, SinkContext, TargetRequest,
};

/// Options such as those of a real sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatConfig {
    webhook_url: Secret,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    lines: Vec<u32>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Plain,
    Rich,
}

#[derive(Debug)]
struct Chat;

impl SinkConfig for ChatConfig {
    const TYPE: &'static str = "slack";

    fn validate(&self, issues: &mut Issues) {
        let _ = (&self.channel, &self.lines, &self.format, &self.headers);
        if self.webhook_url == Secret::literal("") {
            issues.at("webhook_url", "is empty");
        }
    }

    fn build(&self, context: &SinkContext) -> Result<Arc<dyn Sink>, BuildError> {
        match context.reveal(&self.webhook_url) {
            Ok(_) => Ok(Arc::new(Chat)),
            // Whether this variable is set is not up to the tests.
            Err(_) if self.webhook_url == Secret::env("SLACK_WEBHOOK") => Ok(Arc::new(Chat)),
            Err(source) => Err(BuildError::Secret { key: "webhook_url", source }),
        }
    }
}

#[async_trait]
impl Sink for Chat {
    fn targets(&self, _request: &TargetRequest<'_>) -> Vec<Target> {
        vec![Target::only()]
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(self.plain(rendering, ""))
    }

    fn plain(&self, _rendering: &Rendering<'_>, _fault: &str) -> Message {
        Message::default()
    }

    async fn deliver(&self, _delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        Ok(Receipt::default())
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        Ok(Receipt::default())
    }
}

fn registry() -> Registry {
    let mut registry = Registry::empty();
    registry.register::<ChatConfig>();
    registry
}

/// A folder with the certificates that the corpus names.
#[cfg(feature = "simulator")]
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, files) in [
        ("certs", &["client.pem", "client_key.pem", "root.pem"][..]),
        ("some", &["client.pem", "root.pem"]),
        ("other", &["client_key.pem"]),
    ] {
        let pair = rcgen::generate_simple_self_signed(vec!["sense.example.com".to_owned()]).unwrap();
        std::fs::create_dir(folder.path().join(name)).unwrap();
        for file in files {
            let text = if *file == "client_key.pem" { pair.signing_key.serialize_pem() } else { pair.cert.pem() };
            std::fs::write(folder.path().join(name).join(file), text).unwrap();
        }
    }
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(folder.path().join("other/locked.pem"), locked).unwrap();
    folder
}

#[cfg(feature = "simulator")]
fn corpus(name: &str, check: impl Fn(&str, &Path) -> String) {
    let folder = folder();
    let mut files: Vec<_> =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/corpus").join(name)).unwrap().collect();
    files.sort_by_key(|file| file.as_ref().unwrap().file_name());
    for file in files {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let said = check(&text, folder.path());
        assert!(!said.contains("hunter2") && !said.contains("12345"), "a secret is shown: {said}");
        let said = said.replace(&folder.path().display().to_string(), "FOLDER").replace('\\', "/");
        let suffix = path.file_stem().unwrap().to_str().unwrap();
        insta::with_settings!({ snapshot_suffix => suffix, omit_expression => true }, { insta::assert_snapshot!(name, said) });
    }
}

#[cfg(feature = "simulator")]
#[test]
fn bad_ones_are_refused_with_all_that_is_wrong() {
    corpus("bad", |text, folder| {
        let error = Config::parse("butler.toml", text, folder.to_owned()).and_then(|config| config.check(&registry())).unwrap_err();
        error.to_string()
    });
}

#[cfg(feature = "simulator")]
#[test]
fn good_ones_are_taken_and_written_out_the_same() {
    corpus("good", |text, folder| {
        let config = Config::parse("butler.toml", text, folder.to_owned()).unwrap();
        let warnings = config.check(&registry()).unwrap();
        let effective = config.effective();
        let again = Config::from_toml(&effective, folder).unwrap();
        assert_eq!(again.found.to_string(), "");
        assert_eq!(again.effective(), effective);
        warnings.iter().map(|issue| format!("# {}\n", issue.to_string().replace('\n', "\n#"))).collect::<String>() + &effective
    });
}

#[cfg(all(feature = "simulator", feature = "qlik", feature = "sqlite"))]
#[test]
fn a_configuration_comes_to_settings() {
    use std::time::Duration;

    use super::StorePlace;
    use crate::event::CustomProperty;

    let folder = folder();
    let text = include_str!("corpus/good/everything.toml");
    let config = Config::from_toml(text, folder.path()).unwrap();
    let settings = config.resolve(&registry(), Arc::new(crate::clock::SystemClock::default())).unwrap();

    let [prod, test] = &settings.repositories[..] else { panic!("{:?}", settings.repositories) };
    assert_eq!((prod.host.as_str(), prod.port, prod.verify, prod.timeout), ("sense.example.com", 14242, false, Duration::from_secs(3)));
    assert_eq!(prod.client_key, folder.path().join("certs").join("client_key.pem"));
    assert_eq!((test.port, test.verify), (4242, true));
    assert_eq!(settings.plan.sites["prod"].info.links.qmc, "https://sense.example.com/qmc");
    assert_eq!(settings.plan.sites["test"].info.links.qmc, "https://test.example.com/qmc");
    assert_eq!(settings.plan.sites["prod"].info.time_zone.iana_name(), Some("Europe/Stockholm"));

    let [own, shared] = &settings.udp[..] else { panic!("{:?}", settings.udp) };
    assert_eq!((own.site.as_str(), own.listen.as_str(), &own.allow), ("test", "0.0.0.0:9997", &None));
    let allow = ["sense.example.com", "node2.example.com", "10.0.0.2"].map(str::to_owned).to_vec();
    assert_eq!((shared.site.as_str(), shared.listen.as_str(), &shared.allow), ("prod", "[::]:9998", &Some(allow)));
    assert_eq!((shared.max_message, shared.max_per_minute, shared.receive_buffer), (8192, Some(100_000), 32 << 20));

    assert_eq!(settings.store.place, StorePlace::Sqlite { path: folder.path().join("data/butler.db") });
    assert_eq!(settings.store.max_bytes, Some(500_000_000));
    assert_eq!(settings.api.unwrap().listen, "localhost:0");

    let mail = &settings.plan.sinks["mail"];
    assert_eq!((mail.max_in_flight, mail.retry.longest, mail.was.len()), (1, Duration::from_secs(10), 1));
    let [nights, rest] = &settings.plan.routes[..] else { panic!("{:?}", settings.plan.routes) };
    assert_eq!((nights.name.as_str(), nights.proceed, nights.rate_limit), ("nights", true, Some(Duration::from_mins(90))));
    assert_eq!((rest.name.as_str(), rest.proceed), ("routes[1]", false));
    assert!(nights.when.custom_property.contains(&CustomProperty { name: "Level".into(), value: "2".into() }));
    assert_eq!(settings.plan.fallback.len(), 1);
    assert_eq!(settings.plan.budgets.deciding, Duration::from_secs(5));
    assert_eq!(settings.warnings, []);
}

#[cfg(feature = "simulator")]
#[test]
fn the_example_is_fine_as_it_stands() {
    let folder = folder();
    let warnings = Config::from_toml(super::example(), folder.path()).unwrap().check(&registry()).unwrap();
    assert_eq!(warnings, []);
}

#[test]
fn a_file_starts_its_own_paths() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("butler.toml");
    std::fs::write(&file, "\u{feff}[store]\r\npath = 'x.db'\r\n[api]\r\nport = 1\r\n").unwrap();
    let config = Config::from_file(&file).unwrap();
    assert_eq!(config.base_dir, folder.path());
    let fault = config.check(&registry()).unwrap_err().to_string();
    assert!(fault.contains(&format!("{}:4: api.port: unknown key", file.display())), "{fault}");
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str| {
        let error = Config::from_file(folder.path().join(name)).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }));
        error.to_string().replace(&folder.path().display().to_string(), "FOLDER").replace('\\', "/")
    };
    insta::assert_snapshot!(said("butler.toml"), @"can't read the configuration `FOLDER/butler.toml`: there is no such file. Write a first one with `butler-cli init`, or name the one that you have");
    std::fs::write(folder.path().join("utf16.toml"), [0xff, 0xfe, b'a', 0]).unwrap();
    insta::assert_snapshot!(said("utf16.toml"), @"can't read the configuration `FOLDER/utf16.toml`: it is not UTF-8 text. Save it as UTF-8 in your editor");
}

fn no_panic(text: &str) {
    let config = match Config::from_toml(text, "") {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    if let Err(error) = config.check(&registry()) {
        assert!(!error.to_string().is_empty());
    }
    let _ = config.effective();
}

#[test]
fn no_text_is_too_deep() {
    for text in
        [format!("a = {}", "[".repeat(100_000)), format!("{}b = 1", "a.".repeat(100_000)), format!("a = {}", "{ a = ".repeat(100_000))]
    {
        no_panic(&text);
    }
    no_panic(&(0..2_000).map(|number| format!("key_{number} = 1\n")).collect::<String>());
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in "\\PC*") {
        no_panic(&text);
    }

    #[test]
    fn no_mixture_of_lines_is_too_odd(lines in proptest::collection::vec(line(), 0..30)) {
        no_panic(&lines.join("\n"));
    }
}

/// A line of the corpus, whole or cut, or with another value.
fn line() -> impl Strategy<Value = String> {
    const TEXT: &str = concat!(
        include_str!("corpus/good/everything.toml"),
        include_str!("corpus/bad/values.toml"),
        include_str!("corpus/bad/unknown_keys.toml"),
        include_str!("corpus/bad/wrong_types.toml")
    );
    let lines: Vec<&'static str> = TEXT.lines().collect();
    let values =
        ["1", "-1", "''", "[]", "{}", "[[], [{}]]", "true", "1.5", "2020-01-01", "'é'", "{ a.b = [1, 'x'] }", "99999999999999999999"];
    let line = proptest::sample::select(lines);
    let value = proptest::sample::select(values.to_vec());
    (line, value, 0..4u8, any::<proptest::sample::Index>()).prop_map(|(line, value, how, cut)| match (how, line.split_once('=')) {
        (0, Some((key, _))) => format!("{key}= {value}"),
        (1, _) => line.chars().take(cut.index(line.len() + 1)).collect(),
        _ => line.to_owned(),
    })
}
