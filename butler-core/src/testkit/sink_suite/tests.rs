//! The suite catches what it is for.

use super::*;
use crate::event::DeliveryId;
use crate::event::{Event, Needs, Target};
use crate::sink::{Delivery, DeliveryError, Message, Receipt, Retry};
use crate::sink::{RenderError, Rendering, TargetRequest};
use crate::testkit::{HttpRemote, closed_port, make_sink};

const SECRET: &str = "s3cr3t-path";
const LEAKS: u8 = 0;
const NEW_KEYS: u8 = 1;
const NEVER_RETRIES: u8 = 2;
const DROPS: u8 = 3;
const TWO_TARGETS: u8 = 4;
const HIDES_FAULTS: u8 = 5;
const LOGS: u8 = 6;

/// A webhook that breaks one promise.
#[derive(Debug)]
struct Broken<const FAULT: u8>(Arc<dyn Sink>);

#[async_trait]
impl<const FAULT: u8> Sink for Broken<FAULT> {
    fn targets(&self, request: &TargetRequest<'_>) -> Vec<Target> {
        let mut targets = self.0.targets(request);
        if FAULT == TWO_TARGETS {
            targets.push(targets[0].clone());
        }
        targets
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn render(&self, rendering: &Rendering<'_>) -> Result<Message, RenderError> {
        self.0.render(rendering)
    }

    fn plain(&self, rendering: &Rendering<'_>, fault: &str) -> Message {
        self.0.plain(rendering, if FAULT == HIDES_FAULTS { "" } else { fault })
    }

    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<Receipt, DeliveryError> {
        if FAULT == DROPS {
            return Ok(Receipt { detail: "sent, surely".into() });
        }
        let key = if FAULT == NEW_KEYS { DeliveryId(uuid::Uuid::new_v4()) } else { delivery.key };
        let event: &Event = delivery.event;
        let result = self.0.deliver(&Delivery { key, event, ..*delivery }).await;
        result.map_err(|mut error| {
            match FAULT {
                LEAKS => error.message.push_str(SECRET),
                LOGS => tracing::debug!(url = format!("http://h/{SECRET}"), "It failed."),
                NEVER_RETRIES => error.retry = Retry::Never,
                _ => {}
            }
            error
        })
    }

    async fn check(&self) -> Result<Receipt, DeliveryError> {
        self.0.check().await
    }
}

struct Harness<const FAULT: u8>(HttpRemote, Arc<dyn Sink>);

fn broken<const FAULT: u8>(url: &str) -> Arc<dyn Sink> {
    Arc::new(Broken::<FAULT>(make_sink("webhook", &format!("url = '{url}'"))))
}

#[async_trait]
impl<const FAULT: u8> SinkHarness for Harness<FAULT> {
    async fn start() -> Self {
        let remote = HttpRemote::start().await;
        let sink = broken::<FAULT>(&remote.inbox.url(&format!("/{SECRET}")));
        Self(remote, sink)
    }

    fn sink(&self) -> Arc<dyn Sink> {
        Arc::clone(&self.1)
    }

    fn remote(&self, remote: Remote) -> bool {
        self.0.behave(remote)
    }

    fn received(&self) -> Vec<Received> {
        self.0.received(|request| request.body.clone())
    }

    fn secrets(&self) -> Vec<String> {
        vec![SECRET.to_owned()]
    }

    async fn unreachable(&self) -> Arc<dyn Sink> {
        broken::<FAULT>(&format!("http://127.0.0.1:{}/{SECRET}", closed_port()))
    }

    async fn untrusted(&self) -> Option<Arc<dyn Sink>> {
        None
    }

    fn http(&self) -> Option<&HttpRemote> {
        Some(&self.0)
    }
}

#[tokio::test]
#[should_panic(expected = "the secret s3cr3t-path stands in")]
async fn a_leak_is_caught() {
    secrets_are_never_shown::<Harness<LEAKS>>().await;
}

#[tokio::test]
#[should_panic(expected = "the secret s3cr3t-path stands in")]
async fn a_leak_into_the_log_is_caught() {
    secrets_are_never_shown::<Harness<LOGS>>().await;
}

#[tokio::test]
#[should_panic(expected = "the secret s3cr3t-path stands in")]
async fn an_echo_that_is_shown_is_caught() {
    what_the_remote_echoes_is_cleaned::<Harness<LEAKS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn a_redirect_that_counts_as_a_success_is_caught() {
    a_redirect_takes_no_secret_along::<Harness<DROPS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn changing_keys_are_caught() {
    the_key_is_the_same_for_every_attempt::<Harness<NEW_KEYS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn giving_up_too_early_is_caught() {
    a_busy_remote_is_tried_again::<Harness<NEVER_RETRIES>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn an_ok_for_nothing_is_caught() {
    accepted_is_ok::<Harness<DROPS>>().await;
}

#[tokio::test]
#[should_panic(expected = "assertion `left == right` failed")]
async fn double_targets_are_caught() {
    what_went_wrong_has_a_target::<Harness<TWO_TARGETS>>().await;
}

#[tokio::test]
#[should_panic(expected = "failed: {")]
async fn hidden_faults_are_caught() {
    plain_messages_say_what_is_wrong::<Harness<HIDES_FAULTS>>().await;
}
