//! What stands around: a site, receivers, and the Butler between them.

use std::time::Duration;

use butler_core::Butler;
use butler_core::config::Config;
use butler_core::simulator::inbox::{HttpInbox, SmtpInbox, SmtpOptions};
use butler_core::simulator::site::{Site, SiteOptions, SiteState};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::{Exit, output};

/// How long the Butler has to end.
const GRACE: Duration = Duration::from_secs(2);

/// Everything that runs. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub(super) struct World {
    pub(super) butler: Butler,
    pub(super) site: Site,
    pub(super) slack: HttpInbox,
    pub(super) webhook: HttpInbox,
    pub(super) mail: SmtpInbox,
    pub(super) folder: TempDir,
}

impl World {
    pub(super) async fn start() -> Result<Self, Exit> {
        let fault = |what: &str, why: &dyn std::fmt::Display| Exit::unavailable(format!("the demo can't start {what}: {why}"));
        let folder = tempfile::Builder::new().prefix("butler-demo-").tempdir().map_err(|why| fault("in a folder of its own", &why))?;
        let site = Site::start(state_of_today(), SiteOptions::default()).await.map_err(|why| fault("a site", &why))?;
        site.write_certificates(folder.path().join("certs")).map_err(|why| fault("a site", &why))?;
        let slack = HttpInbox::start().await.map_err(|why| fault("a receiver for Slack", &why))?;
        let webhook = HttpInbox::start().await.map_err(|why| fault("a receiver for the webhook", &why))?;
        let mail = SmtpInbox::start(SmtpOptions::default()).await.map_err(|why| fault("a mail server", &why))?;
        let file = folder.path().join("butler.toml");
        let site_table = site.configuration("demo", folder.path().join("certs"));
        std::fs::write(&file, configuration(&site_table, &slack, &webhook, &mail)).map_err(|why| fault("in its folder", &why))?;
        let butler = Butler::builder(Config::from_file(&file)?).start().await?;
        let datagrams_to = butler.bound().iter().find(|(what, _)| what == "udp").and_then(|(_, address)| address.parse().ok());
        site.send_datagrams_to(datagrams_to);
        Ok(Self { butler, site, slack, webhook, mail, folder })
    }

    /// The address of something that listens: `udp`, `api`.
    pub(super) fn address(&self, what: &str) -> &str {
        self.butler.bound().iter().find(|(name, _)| name == what).map_or("", |(_, address)| address)
    }

    pub(super) async fn end(self) {
        let Self { butler, folder, .. } = self;
        if let Err(late) = butler.shutdown(GRACE).await {
            output::note(&late.to_string());
        }
        // The system clears its folder for such things one day; the demo has done its job all the same.
        let _ = folder.close();
    }
}

/// The example, in which those tasks that are scheduled run again tomorrow.
fn state_of_today() -> SiteState {
    let mut state = SiteState::example();
    let tomorrow = Timestamp::now().saturating_add(SignedDuration::from_hours(24)).ok();
    for task in state.tasks.iter_mut().filter(|task| task.next_execution.is_some()) {
        task.next_execution = tomorrow;
    }
    state
}

/// What a person would write into `butler.toml`, but for ports that are free and waits that are short.
fn configuration(site: &str, slack: &HttpInbox, webhook: &HttpInbox, mail: &SmtpInbox) -> String {
    let (slack, webhook, smtp) = (slack.url("/services/T000/B000/demo"), webhook.url("/failed-reloads"), mail.address().port());
    format!(
        r##"
[udp]
listen = "127.0.0.1:0"

[api]
listen = "127.0.0.1:0"

[routing]
deciding_budget = "2s"
showing_budget = "5s"

{site}
[links]
qmc = "https://sense.example.com/qmc"
hub = "https://sense.example.com/hub"
app_base_url = "https://sense.example.com/sense/app"

[sinks.slack]
type = "slack"
options.webhook_url = "{slack}"
options.channel = "#sense-alerts"
options.tail_script_log_lines = 4
options.head_script_log_lines = 0

[sinks.email]
type = "email"

[sinks.email.options]
host = "127.0.0.1"
port = {smtp}
tls = "none"
from = "Butler <butler@example.com>"
recipients = ["bi-team@example.com"]
app_owner = {{ enable = true, include_all = true }}
head_script_log_lines = 0
tail_script_log_lines = 4

[sinks.webhook]
type = "webhook"
retry = {{ first = "200ms", longest = "2s" }}
options.url = "{webhook}"

[[routes]]
name = "everything that went wrong"
events = ["reload_task.failed", "reload_task.aborted"]
sinks = ["slack", "email", "webhook"]
"##
    )
}
