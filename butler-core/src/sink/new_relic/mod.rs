//! Sends to New Relic: to its event API, its log API and its metric API, or some of them, of one account or several.
//!
//! Each account and API is a target of its own (`Production/event`, `Production/log`), with its own attempts and its own verdict, so that one that fails stops no
//! other. Accounts get every event, or are named task by task by a custom property. An account that a property names and that is not configured is a target as
//! well: its delivery is dead at once and says so, and may be revived once the account is there.
//!
//! # Names
//!
//! The names of events and logs follow from the kind: `reload_task.failed` is `qs_reloadTaskFailedEvent` and `qs_reloadTaskFailedLog`, `task.late` is
//! `qs_taskLateEvent`, `butler.store_failing` is `qs_butlerStoreFailingEvent`. A task whose type could not be found out but that has an app goes by the names of reload
//! tasks. For failed and aborted reloads that is what the original sends, which sends nothing else; this sends whatever a route names it for.
//!
//! # Attributes
//!
//! | event | attributes |
//! | --- | --- |
//! | all | `attributes` of the options, then those of `event` or `log`; `version`; last `eventType` or `logtype`, and `timestamp` |
//! | a task ended | `qs_hostName`, `qs_user`, `qs_taskName`, `qs_taskId`, `qs_appName`, `qs_appId`, `qs_logTimeStamp`, `qs_logLevel`, `qs_executionId`, `qs_logMessage` |
//! | a reload in the engine | `qs_hostName`, `qs_user`, `qs_appName`, `qs_appId`, `qs_sessionId`, `qs_logTimeStamp`, `qs_logLevel`, `qs_logMessage` |
//! | anything else | `qs_title`, `qs_text`, `qs_NAME` for each of its fields; `qs_taskName`, `qs_taskId`, `qs_appName`, `qs_appId` if it is about a task |
//! | with `task_tags`, `app_tags` | `qs_taskTag_TAG`, `qs_appTag_TAG`, each `"true"` |
//! | with `custom_properties`, in events | `qs_taskCp_NAME`, `qs_appCp_NAME`: the values, with commas between |
//! | in logs | `qs_appCustomProperties`, `qs_taskCustomProperties`, `qs_appMetadata`, `qs_taskMetadata`: lists and objects, which events can't have |
//! | in logs, with a result | `qs_executingNodeName`, `qs_executionStartTime`, `qs_executionStopTime`, `qs_executionDuration`, `qs_executionStatusNum`, `qs_exeuctionStatusText` (so spelt since ever), `qs_scriptLogSize`, `qs_scriptLogTailCount` |
//! | all but failed and aborted reloads | `butler_kind`, `butler_site` |
//! | when there is something to say | `butler_missing` (what was looked for in vain), `butler_heldBack` (how many messages like this a rate limit held back), `butler_fault` (why this is a makeshift) |
//!
//! The message of a log is how the execution went, then the end of the script log. `timestamp` is when it happened; New Relic takes none that is more than a day
//! old, so what goes out later than that has none, and counts as of its arrival.
//!
//! `butler.uptime` goes to the metric API, if `metric` is there, and nowhere else then: `qs_butlerUptimeMillisec`, `qs_butlerProcessMem`, and, so that dashboards of the original go on
//! working, `qs_butlerHeapUsed` and `qs_butlerHeapTotal` (the same as the process's memory) and `qs_butlerExternalMem` (nothing). Nothing else is a metric.
//!
//! What is longer than New Relic takes (4096 characters in an attribute, 254 attributes, a megabyte in all) is shortened.

mod accounts;
mod attributes;
mod config;
mod metric;
mod payload;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::SignedDuration;
use reqwest::Method;

use super::http::{HttpRemote, Redirects, Request};
use super::{Delivery, DeliveryError, Message, Reason, Receipt, RenderError, Rendering, Sink, TargetRequest, words};
use crate::clock::Clock;
use crate::event::{LogLines, Needs, Target};

pub use config::{NewRelicAccount, NewRelicConfig, NewRelicEvents, NewRelicLogs, NewRelicMetrics, NewRelicRegion};

use accounts::Choice;
use payload::Shape;

/// One of the three APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Api {
    Event,
    Log,
    Metric,
}

impl Api {
    const ALL: [Self; 3] = [Self::Event, Self::Log, Self::Metric];

    fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Log => "log",
            Self::Metric => "metric",
        }
    }

    /// The API of an account, as a target.
    fn target(self, account: &str) -> Target {
        Target::from(format!("{account}/{}", self.as_str()).as_str())
    }

    fn of(target: &Target) -> Option<(&str, Self)> {
        let (account, api) = target.as_str().rsplit_once('/')?;
        Self::ALL.into_iter().find(|known| known.as_str() == api).map(|api| (account, api))
    }
}

/// What goes to one of the APIs, and to whom.
#[derive(Debug)]
struct Channel {
    choice: Choice,
    shape: Shape,
}

#[derive(Debug)]
struct NewRelic {
    remotes: BTreeMap<Target, HttpRemote>,
    accounts: Vec<String>,
    event: Option<Channel>,
    log: Option<Channel>,
    metric: Option<Channel>,
    clock: Arc<dyn Clock>,
}

impl NewRelic {
    fn channel(&self, api: Api) -> Option<&Channel> {
        match api {
            Api::Event => self.event.as_ref(),
            Api::Log => self.log.as_ref(),
            Api::Metric => self.metric.as_ref(),
        }
    }

    fn channels(&self) -> impl Iterator<Item = (Api, &Channel)> {
        Api::ALL.into_iter().filter_map(|api| self.channel(api).map(|channel| (api, channel)))
    }

    fn message(&self, rendering: &Rendering<'_>, fault: Option<&str>) -> Message {
        let api = Api::of(rendering.target).map_or(Api::Event, |(_, api)| api);
        // A target of an API that is no longer configured still has to have a message, to say so.
        let bare = Shape::default();
        let shape = self.channel(api).map_or(&bare, |channel| &channel.shape);
        let body = match api {
            Api::Event => payload::event(shape, rendering, fault),
            Api::Log => payload::log(shape, rendering, fault),
            Api::Metric => metric::body(shape, rendering, fault),
        };
        Message {
            subject: None,
            content_type: "application/json; charset=utf-8".into(),
            body,
            text: Some(words::plain_text(rendering, fault)),
        }
    }

    /// Why there is nobody at a target.
    fn nobody(&self, target: &Target) -> DeliveryError {
        let known = self.accounts.join("`, `");
        let message = match Api::of(target) {
            Some((account, api)) if self.accounts.iter().any(|known| known == account) => {
                format!(
                    "nothing is sent to the {} API of `{account}` any more; set `{}` in the options to have it sent",
                    api.as_str(),
                    api.as_str()
                )
            }
            Some((account, _)) => format!(
                "the account `{account}` is not configured; correct the custom property that names it, or add it to `accounts` (which knows `{known}`) and revive this delivery"
            ),
            None => format!("`{target}` names no account and API"),
        };
        DeliveryError::permanent(Reason::Rejected, message)
    }
}

#[async_trait]
impl Sink for NewRelic {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        let of = |(api, channel): (Api, &Channel)| {
            channel.choice.of(request, &self.accounts).into_iter().map(move |account| api.target(&account))
        };
        let is_metric = self.metric.is_some() && metric::is_one(request.event);
        self.channels().filter(|(api, _)| (*api == Api::Metric) == is_metric).flat_map(of).collect()
    }

    fn deciding_needs(&self) -> Needs {
        Needs { task: self.channels().any(|(_, channel)| channel.choice.property.is_some()), ..Needs::NONE }
    }

    fn needs(&self) -> Needs {
        self.channels().filter(|(api, _)| *api != Api::Metric).fold(Needs::NONE, |needs, (api, Channel { shape, .. })| {
            let is_log = api == Api::Log;
            needs.union(Needs {
                task: is_log || shape.task_tags || shape.custom_properties,
                app: is_log || shape.app_tags || shape.custom_properties,
                owner: false,
                result: is_log,
                script_log: is_log.then_some(LogLines { head: 0, tail: shape.tail }),
            })
        })
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        Ok(self.message(rendering, None))
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.message(rendering, Some(fault))
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        let remote = self.remotes.get(delivery.target).ok_or_else(|| self.nobody(delivery.target))?;
        let message = delivery.message;
        let age = self.clock.now().duration_since(delivery.event.at);
        let body = if age < OLDEST { Cow::Borrowed(message.body.as_str()) } else { Cow::Owned(payload::without_time(&message.body)) };
        let request = Request {
            method: Method::POST,
            query: None,
            body: Some((&*message.content_type, &body)),
            key: Some(delivery.key.to_string()),
            redirects: Redirects::WithMessage,
        };
        remote.send(request).await
    }

    fn takes_down(&self, reason: Reason) -> bool {
        // Keys and quotas are an account's own.
        reason.concerns_sink() && !matches!(reason, Reason::Refused | Reason::Throttled)
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        let receipts = try_join_all(self.remotes.values().map(HttpRemote::reach)).await?;
        let mut details: Vec<_> = receipts.into_iter().map(|receipt| receipt.detail).collect();
        details.dedup();
        Ok(Receipt { detail: details.join(", ") })
    }
}

/// New Relic takes no time that is a day old. An hour is left for clocks that differ, and for the way.
const OLDEST: SignedDuration = SignedDuration::from_hours(23);

#[cfg(test)]
#[cfg(feature = "testkit")]
mod tests;
