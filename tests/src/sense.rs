//! A simulated Qlik Sense site, a Butler that asks it, and receivers of all three kinds.

use std::net::SocketAddr;

use butler_core::simulator::inbox::{HttpInbox, ReceivedRequest, SmtpInbox, SmtpOptions};
use butler_core::simulator::site::{Outcome, Site, SiteOptions, SiteState, Task};
use serde_json::Value;
use uuid::Uuid;

use crate::{Proc, World, within};

/// A site, its Butler, and whom that tells.
#[derive(Debug)]
pub struct Sense {
    /// The site.
    pub site: Site,
    /// The folder, and the webhook `hook`.
    pub world: World,
    /// The Slack channel `slack`.
    pub slack: HttpInbox,
    /// The mail server of `mail`.
    pub mail: SmtpInbox,
    /// The program.
    pub butler: Proc,
}

/// What of the configuration a test sets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings<'a> {
    /// Further keys of the site.
    pub site: &'a str,
    /// Further keys of the one route.
    pub route: &'a str,
    /// Further options of `mail`.
    pub mail: &'a str,
    /// Further tables; `HOOK` and `SLACK` stand for where the webhook and the Slack channel listen.
    pub more: &'a str,
    /// Files in the folder, by their names.
    pub files: &'a [(&'a str, &'a str)],
}

impl Sense {
    /// Starts them all. The site is the example.
    ///
    /// # Panics
    /// If there is no room or no port.
    pub async fn start(program: &str, settings: Settings<'_>) -> Self {
        let site = Site::start(SiteState::example(), SiteOptions::default()).await.expect("a site");
        let world = World::new(program).await;
        let slack = HttpInbox::start().await.expect("a port");
        let mail = SmtpInbox::start(SmtpOptions::default()).await.expect("a port");
        site.write_certificates(world.path("certs")).expect("certificates");
        let Settings { site: more_of_site, route, mail: more_of_mail, more, files } = settings;
        files.iter().for_each(|(name, text)| world.write(name, text));
        let more = more.replace("HOOK", &world.hook.url("")).replace("SLACK", &slack.url("/services/T"));
        world.configure_all(&format!(
            r#"
            {site}
            {more_of_site}
            [[routes]]
            events = ["reload_task.*"]
            sinks = ["hook", "slack", "mail"]
            {route}
            [sinks.hook]
            type = "webhook"
            retry = {{ first = "50ms", longest = "1s" }}
            options.url = "{hook}"
            [sinks.slack]
            type = "slack"
            options.webhook_url = "{slack}"
            [sinks.mail]
            type = "email"
            [sinks.mail.options]
            host = "127.0.0.1"
            port = {smtp}
            tls = "none"
            from = "butler@example.com"
            recipients = ["ops@example.com"]
            {more_of_mail}
            {more}
            "#,
            site = site.configuration("prod", world.path("certs")),
            hook = world.hook.url("/hook"),
            slack = slack.url("/services/T"),
            smtp = mail.address().port(),
        ));
        let butler = world.serve().await;
        let udp: SocketAddr = butler.address("udp").parse().expect("an address");
        site.send_datagrams_to(Some(udp));
        Self { site, world, slack, mail, butler }
    }

    /// The same with another process: the first was killed, as a power loss would.
    ///
    /// # Panics
    /// If the next does not start.
    pub async fn restarted(self) -> Self {
        let Self { site, world, slack, mail, butler } = self;
        butler.kill().await;
        let butler = world.serve().await;
        Self { site, world, slack, mail, butler }
    }

    /// The task of this name.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn task(&self, name: &str) -> Task {
        let state = self.site.state();
        state.tasks.iter().find(|task| task.name.contains(name)).unwrap_or_else(|| panic!("no task {name}")).clone()
    }

    /// Runs a task, which fails; Butler hears of it.
    ///
    /// # Panics
    /// If the site can't.
    pub async fn fails(&self, task: Uuid) {
        self.site.run(task, Outcome::FAILED).await.expect("a run");
    }

    /// The body of the webhook's call, once there are so many.
    ///
    /// # Panics
    /// If it is no JSON.
    pub async fn hook_body(&self, count: usize) -> Value {
        let request: ReceivedRequest = self.world.received(count).await.remove(count - 1);
        serde_json::from_str(&request.body).expect("JSON")
    }

    /// Everything that the Slack message shows, and the HTML of the mail.
    ///
    /// # Panics
    /// If there is no HTML.
    pub async fn shown(&self) -> (String, String) {
        let slack = within("Slack", self.slack.wait_for(1)).await.remove(0);
        let mail = within("mail", self.mail.wait_for(1)).await.remove(0);
        (slack.body, mail.html().expect("an HTML part"))
    }
}
