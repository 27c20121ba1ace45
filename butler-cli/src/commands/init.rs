//! `init`: a configuration to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use butler_core::config::example;

use crate::args::{Global, Init};
use crate::{Exit, output};

pub(crate) fn run(global: &Global, init: &Init) -> Result<(), Exit> {
    let path = &global.config;
    let mut options = OpenOptions::new();
    options.write(true);
    if init.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(example().as_bytes()));
    match written {
        Ok(()) => {
            let name = path.display();
            output::line(format!("{name} is written. Put in your site and sinks, then try `butler-cli check --config {name}`."));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Exit::unavailable(format!("{} is there already; `--force` overwrites it", path.display())))
        }
        Err(error) => {
            let remedy = if error.kind() == ErrorKind::NotFound { ". Its folder has to be there before" } else { "" };
            Err(Exit::unavailable(format!("can't write {}: {error}{remedy}", path.display())))
        }
    }
}
