//! Who gets a message.

use serde::Deserialize;

use super::address::is_address;
use crate::event::{Body, CustomProperty, Fact, Needs, Target};
use crate::sink::TargetRequest;

/// A custom property of a task, with the value that switches something on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PropertyValue {
    /// Its name.
    pub name: String,
    /// The value.
    #[serde(default = "yes")]
    pub value: String,
}

fn yes() -> String {
    "Yes".to_owned()
}

/// Whether the owner of the app gets a message too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppOwner {
    /// Whether at all.
    pub enable: bool,
    /// Every owner, but for those in `exclude`.
    pub include_all: bool,
    /// These owners.
    pub include: Vec<User>,
    /// Not these, whatever else says so.
    pub exclude: Vec<User>,
}

/// A user of Qlik Sense; case matters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User directory.
    pub directory: String,
    /// User id within it.
    #[serde(alias = "userId")]
    pub user_id: String,
}

/// Who gets messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Recipients {
    /// Whoever gets every message.
    pub(super) common: Vec<String>,
    /// The custom property of a task whose values get the messages about it.
    pub(super) property: Option<String>,
    /// What a task must have for the common ones to get messages about it.
    pub(super) enabled_by: Option<PropertyValue>,
    pub(super) app_owner: AppOwner,
}

impl Recipients {
    pub(super) fn deciding_needs(&self) -> Needs {
        Needs { task: self.property.is_some() || self.enabled_by.is_some(), owner: self.app_owner.enable, ..Needs::NONE }
    }

    /// The values of the task's own property.
    pub(super) fn of_task<'a>(&'a self, properties: &'a [CustomProperty]) -> impl Iterator<Item = &'a str> {
        properties.iter().filter(|property| Some(&property.name) == self.property.as_ref()).map(|property| property.value.as_str())
    }

    /// The recipients of a message: those of the task, the common ones, the owner; each once, in this order.
    pub(super) fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        let task = request.facts.task.known();
        let mut found: Vec<&str> = task.map(|task| self.of_task(&task.custom_properties).collect()).unwrap_or_default();
        if self.common_ones_are_told(request) {
            match request.recipients {
                Some(of_route) => found.extend(of_route.iter().map(String::as_str)),
                None => found.extend(self.common.iter().map(String::as_str)),
            }
        }
        found.extend(self.owner(request));
        let mut targets: Vec<Target> = Vec::new();
        for recipient in found.into_iter().map(str::trim) {
            if !is_address(recipient) {
                tracing::warn!(recipient, event = %request.event.id, "No mail is sent to this recipient, which is no address.");
                continue;
            }
            let target = Target::from(recipient);
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        targets
    }

    fn common_ones_are_told(&self, request: &TargetRequest<'_>) -> bool {
        let is_about_task = matches!(request.event.body, Body::Task(_));
        match (&self.enabled_by, &request.facts.task) {
            (Some(wanted), Fact::Known(task)) => {
                task.custom_properties.iter().any(|property| property.name == wanted.name && property.value == wanted.value)
            }
            // Rather too many than too few hear of what went wrong.
            (Some(_), Fact::Unasked | Fact::Missing { .. }) if is_about_task => request.event.kind.went_wrong(),
            _ => true,
        }
    }

    fn owner<'a>(&self, request: &TargetRequest<'a>) -> Vec<&'a str> {
        let Some(owner) = request.facts.owner.known().filter(|_| self.app_owner.enable) else { return Vec::new() };
        let is_in = |users: &[User]| users.iter().any(|user| user.directory == owner.directory && user.user_id == owner.user_id);
        let is_told = (self.app_owner.include_all || is_in(&self.app_owner.include)) && !is_in(&self.app_owner.exclude);
        if !is_told {
            return Vec::new();
        }
        if owner.emails.is_empty() {
            tracing::warn!(owner = owner.user_id, event = %request.event.id, "The app's owner has no mail address and gets no message.");
        }
        owner.emails.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests {
    use super::*;
    use crate::event::TaskOutcome;
    use crate::testkit::sink_samples::Sample;

    fn all() -> Recipients {
        Recipients {
            common: vec!["b@x.se".into(), "a@x.se".into()],
            property: Some("SendTo".into()),
            enabled_by: None,
            app_owner: AppOwner { enable: true, include_all: true, ..AppOwner::default() },
        }
    }

    fn with_property(mut sample: Sample, name: &str, value: &str) -> Sample {
        if let Fact::Known(task) = &mut sample.facts.task {
            task.custom_properties = vec![CustomProperty { name: name.into(), value: value.into() }];
        }
        sample
    }

    fn failed() -> Sample {
        let mut sample = with_property(Sample::reload(TaskOutcome::Failed), "SendTo", "a@x.se");
        if let Fact::Known(owner) = &mut sample.facts.owner {
            owner.emails = vec!["c@x.se".into()];
        }
        sample
    }

    fn targets(recipients: &Recipients, sample: &Sample) -> Vec<String> {
        recipients.targets(&sample.request()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_gets_one_in_order() {
        assert_eq!(targets(&all(), &failed()), ["a@x.se", "b@x.se", "c@x.se"]);
    }

    #[test]
    fn the_route_replaces_the_common_ones() {
        let sample = failed();
        let of_route = ["r@x.se".to_owned(), "b@x.se".to_owned()];
        let request = TargetRequest { recipients: Some(&of_route), ..sample.request() };
        let found: Vec<_> = all().targets(&request).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a@x.se", "r@x.se", "b@x.se", "c@x.se"]);
    }

    #[test]
    fn what_is_no_address_is_left_out() {
        let mut recipients = all();
        recipients.common = vec!["Ops <o@x.se>".into(), " d@x.se ".into(), "a@x.se\nRCPT TO:<x@y.se>".into()];
        assert_eq!(targets(&recipients, &failed()), ["a@x.se", "d@x.se", "c@x.se"]);
    }

    #[test]
    fn a_property_switches_the_common_ones_on() {
        let mut recipients = all();
        recipients.enabled_by = Some(PropertyValue { name: "Enable".into(), value: "Yes".into() });
        recipients.app_owner.enable = false;
        let told = |name: &str, value: &str| targets(&recipients, &with_property(failed(), name, value)).len() == 2;
        assert!(told("Enable", "Yes"));
        for (name, value) in [("Enable", "yes"), ("Enable", "No"), ("enable", "Yes"), ("Other", "Yes")] {
            assert!(!told(name, value), "{name} {value}");
        }
        // Those of the task are told either way.
        assert_eq!(targets(&recipients, &failed()), ["a@x.se"]);
    }

    #[test]
    fn an_unknown_property_leans_towards_telling_what_went_wrong() {
        let mut recipients = all();
        recipients.enabled_by = Some(PropertyValue { name: "Enable".into(), value: "Yes".into() });
        assert_eq!(targets(&recipients, &Sample::reload(TaskOutcome::Failed).unknown()), ["b@x.se", "a@x.se"]);
        assert!(targets(&recipients, &Sample::reload(TaskOutcome::Success).unknown()).is_empty());
        // What is about no task has no property to ask for.
        assert_eq!(targets(&recipients, &Sample::notice()).len(), 2);
    }

    #[test]
    fn owners_are_included_and_excluded() {
        let user = |directory: &str, user_id: &str| User { directory: directory.into(), user_id: user_id.into() };
        let told = |include_all, include: Vec<User>, exclude: Vec<User>| {
            let mut recipients = all();
            recipients.app_owner = AppOwner { enable: true, include_all, include, exclude };
            targets(&recipients, &failed()).contains(&"c@x.se".to_owned())
        };
        assert!(told(true, vec![], vec![]) && told(false, vec![user("LAB", "goran")], vec![]));
        assert!(
            !told(false, vec![], vec![])
                && !told(false, vec![user("lab", "goran")], vec![])
                && !told(false, vec![user("X", "goran")], vec![])
        );
        assert!(!told(true, vec![], vec![user("LAB", "goran")]) && !told(false, vec![user("LAB", "goran")], vec![user("LAB", "goran")]));
    }

    #[test]
    fn an_unknown_owner_stops_nobody_else() {
        let mut sample = failed();
        sample.facts.owner = Fact::Missing { why: "down".into(), is_final: false };
        assert_eq!(targets(&all(), &sample), ["a@x.se", "b@x.se"]);
    }

    #[test]
    fn only_what_is_configured_has_to_be_known() {
        assert!(Recipients::default().deciding_needs().is_none());
        let needs = all().deciding_needs();
        assert!(needs.task && needs.owner && !needs.app);
    }
}
