//! `[mqtt]`.

use std::sync::Arc;

use crate::config::issues::Issues;
use crate::config::load::Config;
use crate::config::model::MqttInConfig;
use crate::mqtt::{Broker, filter_fault, topic_fault};
use crate::source::mqtt_in::MqttInSettings;

/// How Butler is at a broker, if it is to be.
pub(super) fn resolve(config: &Config, issues: &mut Issues) -> Option<MqttInSettings> {
    let mqtt = config.mqtt.as_ref()?;
    let MqttInConfig { broker, status_topic, server_status_topic, subscribe, start_task_topic, start_task_answer_topic } = mqtt;
    let starts = [("start_task_topic", start_task_topic), ("start_task_answer_topic", start_task_answer_topic)];
    let before = issues.len();
    issues.within("mqtt", |issues| {
        issues.within("broker", |issues| broker.validate(issues));
        for (key, topic) in [("status_topic", status_topic), ("server_status_topic", server_status_topic)].into_iter().chain(starts) {
            if let Some(fault) = topic_fault(topic).filter(|_| !topic.is_empty()) {
                issues.at(key, fault);
            }
        }
        if let Some(fault) = filter_fault(subscribe) {
            issues.at("subscribe", fault);
        }
        if start_task_topic.is_empty() && !start_task_answer_topic.is_empty() {
            issues.at("start_task_answer_topic", "no task is started by messages as long as `start_task_topic` is not set");
        }
        if issues.len() > before {
            return None;
        }
        match Broker::new(broker, &config.base_dir) {
            Ok(broker) => Some(MqttInSettings {
                broker: Arc::new(broker),
                status_topic: Some(status_topic.clone()).filter(|topic| !topic.is_empty()),
                server_status_topic: Some(server_status_topic.clone()).filter(|topic| !topic.is_empty()),
                subscribe: subscribe.clone(),
                start_task_topic: Some(start_task_topic.clone()).filter(|topic| !topic.is_empty()),
                start_task_answer_topic: Some(start_task_answer_topic.clone()).filter(|topic| !topic.is_empty()),
            }),
            Err(fault) => {
                issues.at(fault.key, fault.why);
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> (Option<MqttInSettings>, String) {
        let config = Config::from_toml(text, "").unwrap();
        let mut issues = Issues::default();
        (resolve(&config, &mut issues), issues.to_string())
    }

    #[test]
    fn it_is_off_until_it_is_written() {
        assert!(matches!(resolved(""), (None, issues) if issues.is_empty()));
        let (settings, issues) = resolved("[mqtt]\nbroker.host = 'broker'\nstatus_topic = ''");
        let settings = settings.unwrap_or_else(|| panic!("{issues}"));
        assert_eq!((settings.status_topic, settings.subscribe.as_str()), (None, "qliksense/#"));
        assert_eq!(settings.server_status_topic.as_deref(), Some("qliksense/butler/task_failure_server"));
    }

    #[test]
    fn every_fault_is_reported_at_its_key() {
        let all = [
            "[mqtt]\nstatus_topic = 'a/#'\nserver_status_topic = '+'\nsubscribe = ''",
            "[mqtt]\nbroker = { host = 'b', auth = { user = 'u', password = { env = 'NO_SUCH_VARIABLE_OF_BUTLER' } } }",
        ];
        insta::assert_snapshot!(all.map(|text| resolved(text).1).join("\n"));
    }
}
