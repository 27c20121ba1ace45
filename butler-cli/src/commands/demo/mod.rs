//! `demo`: all of it at work within one process, on a simulated site.
//!
//! A site lets reloads fail, a Butler as `serve` runs it hears of them, and receivers take what it sends. [`world`] is what stands around, [`scene`] what goes wrong,
//! [`outcome`] what came of it, [`telling`] how that looks in a terminal.

mod outcome;
mod scene;
mod telling;
mod world;

use std::time::Duration;

use crate::args::Demo;
use crate::{Exit, output};
use outcome::Outcome;
use world::World;

/// How long a failed reload may take to reach everybody before the demo gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(demo: &Demo) -> Result<(), Exit> {
    let world = World::start().await?;
    output::write(&telling::introduction(&world));
    let played = tokio::select! {
        played = play(&world, demo) => played,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    world.end().await;
    if played.is_ok() {
        output::line(telling::farewell(demo.once));
    }
    played
}

async fn play(world: &World, demo: &Demo) -> Result<(), Exit> {
    for (index, scene) in scene::endless().enumerate() {
        output::write(&telling::announcement(index + 1, &scene));
        let outcome = tokio::time::timeout(PATIENCE, Outcome::of(world, &scene)).await;
        let outcome = outcome.map_err(|_| Exit::internal(format!("not everybody was told within {} s", PATIENCE.as_secs())))??;
        output::write(&telling::outcome(&outcome));
        if demo.once {
            return Ok(());
        }
        tokio::time::sleep(demo.every).await;
    }
    Ok(())
}
