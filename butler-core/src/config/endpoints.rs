//! `[api.endpoints]`: which endpoints of the `/v4` API there are, one by one.

use serde::{Deserialize, Serialize};

/// Makes the switches and the enumeration of them from one table: name in code, key, name that the API tells, default, and what it is.
macro_rules! endpoints {
    ($($variant:ident $key:ident $name:literal $default:literal $doc:literal,)+) => {
        /// `[api.endpoints]`: which endpoints of the `/v4` API there are. One that is switched off is answered as if it had never been.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct EndpointsConfig {
            $(#[doc = $doc] pub $key: bool,)+
        }

        impl Default for EndpointsConfig {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl EndpointsConfig {
            /// Whether there is this endpoint.
            #[must_use]
            pub fn has(&self, endpoint: Endpoint) -> bool {
                match endpoint {
                    $(Endpoint::$variant => self.$key,)+
                }
            }
        }

        /// An endpoint of the `/v4` API, or a group of them, that is switched on or off as one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Endpoint {
            $(#[doc = $doc] $variant,)+
        }

        impl Endpoint {
            /// All of them, in the order in which the API lists them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// What the API calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

endpoints! {
    ApiListEnabledEndpoints api_list_enabled_endpoints "apiListEnabledEndpoints" true "Which of these there are.",
    Base62ToBase16 base62_to_base16 "base62ToBase16" true "Numbers to base 16.",
    Base16ToBase62 base16_to_base62 "base16ToBase62" true "Numbers to base 62.",
    ButlerPing butlerping "butlerping" true "Whether Butler is there.",
    CreateDir create_dir "createDir" false "Directories, wherever `[files] create` allows it: anywhere, if it says nothing.",
    CreateDirQvd create_dir_qvd "createDirQVD" true "Directories in the QVD folder.",
    FileDelete file_delete "fileDelete" true "Deleting files.",
    FileMove file_move "fileMove" true "Moving files.",
    FileCopy file_copy "fileCopy" true "Copying files.",
    KeyValueStore key_value_store "keyValueStore" true "The key-value store.",
    MqttPublishMessage mqtt_publish_message "mqttPublishMessage" true "Publishing over MQTT.",
    PostNewRelicMetric post_new_relic_metric "postNewRelicMetric" true "Metrics for New Relic.",
    PostNewRelicEvent post_new_relic_event "postNewRelicEvent" true "Events for New Relic.",
    CreateNewSchedule create_new_schedule "createNewSchedule" true "Making schedules.",
    GetSchedule get_schedule "getSchedule" true "Schedules, all or one.",
    GetScheduleStatusAll get_schedule_status_all "getScheduleStatusAll" true "Which schedules run.",
    UpdateSchedule update_schedule "updateSchedule" true "Changing schedules.",
    DeleteSchedule delete_schedule "deleteSchedule" true "Deleting schedules.",
    StartSchedule start_schedule "startSchedule" true "Letting schedules run, one or all.",
    StopSchedule stop_schedule "stopSchedule" true "Stopping schedules, one or all.",
    SenseAppReload sense_app_reload "senseAppReload" true "Reloading apps.",
    SenseAppDump sense_app_dump "senseAppDump" true "Dumps of apps.",
    SenseListApps sense_list_apps "senseListApps" true "The list of apps.",
    SenseStartTask sense_start_task "senseStartTask" true "Starting tasks.",
    SlackPostMessage slack_post_message "slackPostMessage" true "Messages for Slack.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_switched_by_its_own_key() {
        let off: EndpointsConfig = toml::from_str("butlerping = false").unwrap();
        let missing: Vec<_> = Endpoint::ALL.iter().filter(|endpoint| !off.has(**endpoint)).map(|endpoint| endpoint.name()).collect();
        assert!(missing.contains(&"butlerping"));
        let all = EndpointsConfig::default();
        assert!(Endpoint::ALL.iter().all(|endpoint| *endpoint == Endpoint::ButlerPing || all.has(*endpoint) == off.has(*endpoint)));
        assert!(toml::from_str::<EndpointsConfig>("butlerPing = false").is_err());
    }
}
