//! `[tasks]`.

use std::time::Duration;

use crate::config::issues::{Issues, segment};
use crate::config::load::Config;
use crate::config::model::StartFilterConfig;
use crate::qlik::RepositorySettings;
use crate::qlik::start::{PropertyValue, StartFilter, StartSettings, task_id};

/// Whoever has a task started waits for the answer; nobody waits longer.
const LONGEST: Duration = Duration::from_mins(1);

/// How tasks are started; `repositories` are those that can be asked.
pub(super) fn starts(config: &Config, repositories: &[RepositorySettings], issues: &mut Issues) -> StartSettings {
    let tasks = &config.tasks;
    issues.within("tasks", |issues| {
        if let Some(site) = &tasks.site {
            let names: Vec<&str> = config.sites.keys().map(String::as_str).collect();
            if !config.sites.contains_key(site) {
                issues.at_with_choices("site", format!("there is no site `{site}`"), site, &names);
            } else if !repositories.iter().any(|repository| repository.site.as_str() == site) {
                issues.warn_with_help(
                    "site",
                    format!("the site `{site}` has no certificates to ask its repository with, so no task can be started there"),
                    format!("add `certificates` to `[sites.{}]`", segment(site)),
                );
            }
        }
        if tasks.retry_for.0 > LONGEST {
            issues
                .at("retry_for", format!("has to be {} at most: whoever starts a task waits so long", humantime::format_duration(LONGEST)));
        }
        let filter = issues.within("start_filter", |issues| filter(&tasks.start_filter, issues));
        let key_limit = super::kv::key_limit(config);
        StartSettings { site: tasks.site.as_deref().map(Into::into), filter, retry_for: tasks.retry_for.0, key_limit }
    })
}

/// Which tasks may be started; `None` for all.
fn filter(filter: &StartFilterConfig, issues: &mut Issues) -> Option<StartFilter> {
    let StartFilterConfig { enabled, task, tag, custom_property } = filter;
    let mut ids = Vec::new();
    for (index, text) in task.0.iter().enumerate() {
        match task_id(text) {
            Some(id) => ids.push(id),
            None => issues.at_with_help(
                &format!("task[{index}]"),
                format!("`{text}` is no id of a task"),
                "write a whole id such as \"e959f40a-67be-4a5b-ae83-a292f96ba078\"; names are not taken, for anybody may rename a task",
            ),
        }
    }
    for (index, _) in tag.0.iter().enumerate().filter(|(_, tag)| tag.is_empty()) {
        issues.at(&format!("tag[{index}]"), "the name of the tag is empty");
    }
    let mut properties = Vec::new();
    for (name, values) in custom_property {
        let key = format!("custom_property.{}", segment(name));
        if name.is_empty() || values.is_empty() || values.0.iter().any(String::is_empty) {
            issues.at(&key, "a custom property has to have a name, and at least one value that is not empty");
        }
        properties.extend(values.0.iter().map(|value| PropertyValue { name: name.clone(), value: value.clone() }));
    }
    let nothing = task.is_empty() && tag.is_empty() && custom_property.is_empty();
    match enabled {
        Some(false) if !nothing => {
            issues.warn_with_help("enabled", "there are lists, but every task may be started", "leave the key out, or the lists");
        }
        Some(true) if nothing => {
            issues.warn_with_help("enabled", "nothing is listed, so no task may be started", "add `task`, `tag` or `custom_property`")
        }
        _ => {}
    }
    enabled.unwrap_or(!nothing).then(|| StartFilter::new(ids, tag.0.iter().cloned(), properties))
}

#[cfg(test)]
mod tests {
    use uuid::uuid;

    use super::*;
    use crate::event::TaskFacts;

    fn resolved(table: &str) -> (StartSettings, String) {
        let config = Config::from_toml(&format!("[sites.prod]\nhost = \"a\"\n[sites.test]\nhost = \"b\"\n[tasks]\n{table}"), "").unwrap();
        let mut issues = config.found.clone();
        let settings = starts(&config, &[], &mut issues);
        (settings, issues.to_string())
    }

    #[test]
    fn what_is_written_nowhere_is_not_filtered() {
        let settings = StartSettings { retry_for: Duration::from_secs(10), key_limit: Some(1000), ..StartSettings::default() };
        assert_eq!(resolved(""), (settings, String::new()));
    }

    #[test]
    fn a_list_is_a_filter_by_itself_unless_it_is_turned_off() {
        const ID: uuid::Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
        let (settings, issues) = resolved("start_filter.task = \"E959F40A-67BE-4A5B-AE83-A292F96BA078\"");
        assert_eq!(issues, "");
        let filter = settings.filter.unwrap();
        assert!(filter.allows(ID, &TaskFacts::default()) && !filter.allows(uuid::Uuid::nil(), &TaskFacts::default()));
        let (settings, issues) =
            resolved("[tasks.start_filter]\ntag = [\"a\", \"b\"]\ncustom_property = { group = [\"1\", \"2\"], kind = \"x\" }");
        assert_eq!(issues, "");
        let pair = |name: &str, value: &str| PropertyValue { name: name.into(), value: value.into() };
        let properties = [pair("group", "1"), pair("group", "2"), pair("kind", "x")];
        assert_eq!(settings.filter, Some(StartFilter::new([], ["a".to_owned(), "b".to_owned()], properties)));
        assert_eq!(resolved("start_filter.enabled = false\nstart_filter.tag = \"a\"").0.filter, None);
        assert_eq!(resolved("start_filter.enabled = true").0.filter, Some(StartFilter::default()));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let (_, issues) = resolved(
            r#"
            site = "prdo"
            retry_for = "2m"
            [tasks.start_filter]
            task = ["e959f40a-67be-4a5b-ae83-a292f96ba078", "Reload sales", "{e959f40a-67be-4a5b-ae83-a292f96ba078}"]
            tag = ["nightly", ""]
            custom_property = { group = [], kind = "" }
            alowed = []
            "#,
        );
        insta::assert_snapshot!(issues, @r#"
        configuration:7: tasks.site: there is no site `prdo`
          did you mean `prod`? Known: prod, test
        configuration:8: tasks.retry_for: has to be 1m at most: whoever starts a task waits so long
        configuration:10: tasks.start_filter.task[1]: `Reload sales` is no id of a task
          write a whole id such as "e959f40a-67be-4a5b-ae83-a292f96ba078"; names are not taken, for anybody may rename a task
        configuration:10: tasks.start_filter.task[2]: `{e959f40a-67be-4a5b-ae83-a292f96ba078}` is no id of a task
          write a whole id such as "e959f40a-67be-4a5b-ae83-a292f96ba078"; names are not taken, for anybody may rename a task
        configuration:11: tasks.start_filter.tag[1]: the name of the tag is empty
        configuration:12: tasks.start_filter.custom_property.group: a custom property has to have a name, and at least one value that is not empty
        configuration:12: tasks.start_filter.custom_property.kind: a custom property has to have a name, and at least one value that is not empty
        configuration:13: tasks.start_filter.alowed: unknown key
          known: enabled, task, tag, custom_property
        "#);
    }

    #[test]
    fn what_will_not_work_is_said() {
        insta::assert_snapshot!(resolved("site = \"prod\"\nstart_filter.enabled = true").1, @r"
        configuration:6: warning: tasks.site: the site `prod` has no certificates to ask its repository with, so no task can be started there
          add `certificates` to `[sites.prod]`
        configuration:7: warning: tasks.start_filter.enabled: nothing is listed, so no task may be started
          add `task`, `tag` or `custom_property`
        ");
        insta::assert_snapshot!(resolved("start_filter.enabled = false\nstart_filter.tag = \"a\"").1, @r"
        configuration:6: warning: tasks.start_filter.enabled: there are lists, but every task may be started
          leave the key out, or the lists
        ");
    }
}
