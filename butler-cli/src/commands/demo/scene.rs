//! What goes wrong, one after the other.

use butler_core::simulator::site::{Failure, Outcome};
use uuid::{Uuid, uuid};

/// An execution that does not go well, and what else goes wrong meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scene {
    /// The task.
    pub(super) task: Uuid,
    /// How its execution ends.
    pub(super) outcome: Outcome,
    /// What else goes wrong.
    pub(super) trouble: Trouble,
}

/// What else goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing.
    None,
    /// The webhook refuses the first attempts.
    WebhookBusy,
    /// The repository answers nothing.
    RepositoryDown,
}

const SALES: Uuid = uuid!("e959f40a-67be-4a5b-ae83-a292f96ba078");
const FAILING: Uuid = uuid!("dec2a02a-1680-44ef-8dc2-e2bfb180af87");
const HR: Uuid = uuid!("0d815a99-1ca3-4131-a398-6878bd735fd8");

/// The scenes, over and over.
pub(super) fn endless() -> impl Iterator<Item = Scene> {
    let scene = |task, outcome, trouble| Scene { task, outcome, trouble };
    let scenes = [
        scene(SALES, Outcome::FAILED, Trouble::None),
        scene(HR, Outcome::Failed(Failure::Connection), Trouble::WebhookBusy),
        scene(FAILING, Outcome::Aborted, Trouble::None),
        scene(SALES, Outcome::Failed(Failure::MissingField), Trouble::RepositoryDown),
    ];
    scenes.into_iter().cycle()
}
