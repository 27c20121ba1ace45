//! The program around [`butler_core`]: arguments, wiring, output. Nothing here that an embedder would miss.
//!
//! [`Program::run`] is the whole of `main`: it takes arguments, makes the runtime, prints, and gives the exit code. Tests run the same
//! function from a program of their own, with a store that breaks on command.

mod args;
mod client;
mod commands;
mod exit;
mod output;
mod signals;
mod story;
#[cfg(test)]
mod story_tests;
mod table;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use butler_core::store::Store;
use clap::Parser;

use args::{Arguments, Command};
pub use exit::Exit;

/// The program, with what a test may change about it.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The store to use in place of the configured one.
    pub store: Option<Arc<dyn Store>>,
}

impl Program {
    /// Runs the program with its arguments, the name of the program first.
    #[must_use]
    pub fn run(self, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
        let arguments = match Arguments::try_parse_from(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return output::usage(&error),
        };
        // What panicked has been printed; what is left to do is to give the code for it.
        let result = catch_unwind(AssertUnwindSafe(|| self.carry_out(arguments)))
            .unwrap_or_else(|_| Err(Exit::internal("this is a bug: please report it, with what is printed above")));
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(exit) => {
                output::fault(&exit);
                ExitCode::from(exit.code())
            }
        }
    }

    fn carry_out(self, arguments: Arguments) -> Result<(), Exit> {
        let Arguments { global, command } = arguments;
        match command {
            Command::Serve(serve) => on_runtime(commands::serve::run(&global, &serve, self.store)),
            Command::Demo(demo) => on_runtime(commands::demo::run(&demo)),
            Command::Simulate(simulate) => on_runtime(commands::simulate::run(&simulate)),
            Command::Check(check) => commands::check::run(&global, &check),
            Command::Init(init) => commands::init::run(&global, &init),
            Command::Send(send) => commands::send::run(&send),
            Command::Events(events) => on_runtime(commands::events::run(&global, &events)),
            Command::Deliveries(deliveries) => on_runtime(commands::deliveries::run(&global, &deliveries)),
            Command::Tasks(tasks) => on_runtime(commands::tasks::run(&global, &tasks)),
            Command::Schedules(schedules) => on_runtime(commands::schedules::run(&global, &schedules)),
            Command::Silences(silences) => on_runtime(commands::silences::run(&global, &silences)),
            Command::Kv(kv) => on_runtime(commands::kv::run(&global, &kv)),
            Command::Status(status) => on_runtime(commands::status::run(&global, &status)),
            Command::Healthcheck(health) => on_runtime(commands::healthcheck::run(&global, &health)),
            Command::Token(token) => on_runtime(commands::token::run(&global, &token)),
            Command::Render(render) => on_runtime(commands::render::run(&global, &render)),
            Command::TestSink(test) => on_runtime(commands::test_sink::run(&global, &test)),
            Command::Completions(completions) => commands::completions::run(&completions),
        }
    }
}

/// The program as it is installed.
#[must_use]
pub fn main_impl() -> ExitCode {
    Program::default().run(std::env::args_os())
}

fn on_runtime(work: impl Future<Output = Result<(), Exit>>) -> Result<(), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Exit::internal(format!("no runtime: {error}")))?;
    let result = runtime.block_on(work);
    // A look-up of a name may still hang in a thread of its own.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}
