//! The file to begin with.

/// A small configuration that works, with every further key and its default in comments.
#[must_use]
pub fn example() -> &'static str {
    include_str!("butler.example.toml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::{
        ApiConfig, MonitorConfig, ReconcileConfig, RouteConfig, SinkEntry, SiteConfig, StartFilterConfig, TaskWatchConfig, TasksConfig,
        UdpConfig, UptimeConfig,
    };

    use crate::config::{ApiTlsConfig, Config, NewRelicPostConfig, NewRelicPosts, Secret, SlackPostConfig, TokenConfig};

    fn parse(text: &str) -> Config {
        let config = Config::from_toml(text, "").unwrap();
        assert_eq!(config.found.to_string(), "");
        config
    }

    /// The file with all its defaults written out.
    fn with_defaults() -> String {
        let line = |line: &'static str| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
            _ => line,
        };
        example().lines().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The file with everything that it shows.
    fn with_everything() -> String {
        with_defaults().lines().map(|line| line.strip_prefix("#   ").unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_it_shows_as_defaults_are_the_defaults() {
        assert!(example().lines().filter(|line| line.starts_with('#') && line.contains(" = ")).count() > 30);
        assert_eq!(parse(&with_defaults()).effective(), parse(example()).effective());
    }

    #[test]
    fn it_shows_every_key() {
        let everything = parse(&with_everything());
        let text = with_everything();
        let one = || crate::config::Texts(vec![String::new()]);
        let posts = || NewRelicPosts { url: Some(String::new()), accounts: Some(Vec::new()), ..NewRelicPosts::default() };
        let all = Config {
            api: ApiConfig {
                allow_anonymous: Some(false),
                allow: Some(vec![]),
                tls: Some(ApiTlsConfig {
                    certificate: "x".into(),
                    key: "x".into(),
                    client_ca: Some("x".into()),
                    require_client_certificate: false,
                    client_scopes: Vec::new(),
                }),
                tokens: [("scripts".to_owned(), TokenConfig { token: Secret::literal(""), scopes: Vec::new() })].into(),
                slack: Some(SlackPostConfig { webhook_url: Secret::literal("") }),
                new_relic: Some(NewRelicPostConfig { accounts: Default::default(), event: posts(), metric: posts() }),
                ..ApiConfig::default()
            },
            sites: [(
                "prod".to_owned(),
                SiteConfig {
                    time_zone: Some(String::new()),
                    links: Some(Default::default()),
                    reconcile: ReconcileConfig {
                        notify_url: Some(String::new()),
                        notify_listen: Some(String::new()),
                        ..ReconcileConfig::default()
                    },
                    engine: crate::config::EngineConfig { host: Some(String::new()), ..Default::default() },
                    ..SiteConfig::default()
                },
            )]
            .into(),
            sinks: [("ops".to_owned(), SinkEntry::default())].into(),
            routes: vec![RouteConfig {
                name: Some(String::new()),
                rate_limit: Some(Default::default()),
                recipients: Some(vec![]),
                ..RouteConfig::default()
            }],
            udp: Some(UdpConfig::default()),
            monitor: MonitorConfig {
                tasks: TaskWatchConfig {
                    enabled: Some(true),
                    longest: Some(Default::default()),
                    remind: Some(Default::default()),
                    ..TaskWatchConfig::default()
                },
                uptime: UptimeConfig { enabled: Some(true), ..UptimeConfig::default() },
            },
            #[cfg(feature = "mqtt")]
            mqtt: Some(Default::default()),
            tasks: TasksConfig {
                site: Some(String::new()),
                start_filter: StartFilterConfig { enabled: Some(true), task: one(), tag: one(), ..StartFilterConfig::default() },
                ..TasksConfig::default()
            },
            #[cfg(feature = "files")]
            files: crate::config::model::FilesConfig { create: Some(one()), qvd_folder: Some("qvd".into()), ..Default::default() },
            ..Config::default()
        };
        for line in all.effective().lines() {
            if let Some((key, _)) = line.split_once(" = ") {
                // `generic` links are for templates of one's own, the links of all sites are written as those of one.
                assert!(key == "generic" || text.contains(&format!("{key} =")), "{key} is not shown");
            }
        }
        assert_eq!(everything.routes[0].when.custom_property["Department"].0, ["Sales", "Finance"]);
        assert_eq!(everything.tasks.start_filter.custom_property["Group"].0, ["Sales", "Finance"]);
        assert_eq!(everything.routes[1].when.custom_property["Butler_SuccessAlert"].0, ["Yes"]);
    }

    /// Every type of sink is shown, each as it can be written.
    #[test]
    fn its_sinks_are_fine() {
        use crate::sink::Registry;
        // Secrets are elsewhere, but for this.
        let mut text = with_everything();
        while let Some(start) = text.find("{ env = ") {
            let end = start + text[start..].find('}').unwrap();
            text.replace_range(start..=end, "\"https://example.com/secret\"");
        }
        let config = parse(&text);
        let registry = Registry::with_compiled_in();
        let shown: std::collections::BTreeSet<_> = config.sinks.values().map(|sink| sink.r#type.as_str()).collect();
        assert_eq!(shown.into_iter().collect::<Vec<_>>(), registry.types().collect::<Vec<_>>());
        let Err(crate::config::ConfigError::Invalid(issues)) = config.check(&registry) else { panic!("there are no certificates") };
        let of_sinks: Vec<_> =
            issues.iter().filter(|issue| issue.severity == crate::config::Severity::Error && issue.key.starts_with("sinks")).collect();
        assert!(of_sinks.is_empty(), "{of_sinks:?}");
    }
}
