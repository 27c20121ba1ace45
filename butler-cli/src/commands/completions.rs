//! `completions`: what a shell needs to complete commands.

use clap::CommandFactory;

use crate::args::{Arguments, Completions};
use crate::{Exit, output};

pub(crate) fn run(completions: &Completions) -> Result<(), Exit> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Arguments::command(), "butler-cli", &mut script);
    output::write(&String::from_utf8_lossy(&script));
    Ok(())
}
