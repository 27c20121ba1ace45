//! What came of a scene: what the journal says, and what the receivers got.

use std::time::Duration;

use butler_core::event::{Body, EventId};
use butler_core::simulator::inbox::Answer;
use butler_core::simulator::site::Execution;
use butler_core::store::{DeliveryRecord, DeliveryState, EventQuery, Story};

use super::scene::{Scene, Trouble};
use super::world::World;
use crate::Exit;

/// How often the journal is asked.
const PAUSE: Duration = Duration::from_millis(5);
/// How often the webhook refuses when it is busy.
const REFUSALS: usize = 2;

/// What came of a scene.
#[derive(Debug)]
pub(super) struct Outcome {
    /// What the site did.
    pub(super) execution: Execution,
    /// What the journal says.
    pub(super) story: Story,
    /// Who got what, in the order of the deliveries.
    pub(super) received: Vec<Received>,
}

/// Something that a receiver got.
#[derive(Debug)]
pub(super) enum Received {
    Slack {
        body: String,
    },
    Webhook {
        line: String,
        body: String,
    },
    Mail {
        to: String,
        subject: String,
        text: String,
    },
    /// Nothing: the delivery ended in another way.
    Nothing,
}

impl Outcome {
    /// Lets it happen, and waits until everybody was told.
    pub(super) async fn of(world: &World, scene: &Scene) -> Result<Self, Exit> {
        match scene.trouble {
            Trouble::None => {}
            Trouble::WebhookBusy => (0..REFUSALS).for_each(|_| world.webhook.answer(Answer::status(503))),
            Trouble::RepositoryDown => world.site.set_down(true),
        }
        let execution = world.site.run(scene.task, scene.outcome).await.map_err(|why| Exit::internal(why.to_string()))?;
        let story = settled(world, &execution).await?;
        world.site.set_down(false);
        let received = story.deliveries.iter().map(|record| received(world, record)).collect();
        Ok(Self { execution, story, received })
    }
}

/// The event of an execution, once all its deliveries are settled.
async fn settled(world: &World, execution: &Execution) -> Result<Story, Exit> {
    let store = world.butler.store();
    let fault = |why: butler_core::store::StoreError| Exit::internal(why.to_string());
    let event = loop {
        match find(&**store, execution).await.map_err(fault)? {
            Some(event) => break event,
            None => tokio::time::sleep(PAUSE).await,
        }
    };
    loop {
        let story = store.story(event).await.map_err(fault)?;
        match story {
            Some(story) if is_settled(&story) => return Ok(story),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn find(store: &dyn butler_core::store::Store, execution: &Execution) -> Result<Option<EventId>, butler_core::store::StoreError> {
    let latest = store.events(EventQuery { max: 10, ..EventQuery::default() }).await?;
    let is_ours = |body: &Body| matches!(body, Body::Task(task) if task.execution_id == Some(execution.execution_id));
    Ok(latest.into_iter().find(|record| is_ours(&record.event.body)).map(|record| record.event.id))
}

fn is_settled(story: &Story) -> bool {
    story.record.routed.is_some() && story.deliveries.iter().all(|record| record.state != DeliveryState::Pending)
}

/// What the receiver got that bears the delivery's key.
fn received(world: &World, record: &DeliveryRecord) -> Received {
    let key = record.id.to_string();
    let request = |inbox: &butler_core::simulator::inbox::HttpInbox| {
        let is_ours = |request: &butler_core::simulator::inbox::ReceivedRequest| {
            request.answered == Some(200) && request.header("idempotency-key") == Some(key.as_str())
        };
        inbox.requests().into_iter().rev().find(is_ours)
    };
    let mail = || world.mail.mails().into_iter().rev().find(|mail| mail.header("message-id").is_some_and(|id| id.contains(&key)));
    match record.sink.as_str() {
        "slack" => request(&world.slack).map(|request| Received::Slack { body: request.body }),
        "webhook" => request(&world.webhook)
            .map(|request| Received::Webhook { line: format!("{} {}", request.method, request.path), body: request.body }),
        _ => mail().map(|mail| Received::Mail {
            to: mail.to.join(", "),
            subject: mail.header("subject").unwrap_or_default(),
            text: mail.text().unwrap_or_default(),
        }),
    }
    .unwrap_or(Received::Nothing)
}
