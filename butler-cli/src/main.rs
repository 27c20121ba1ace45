//! Butler for Qlik Sense.

fn main() -> std::process::ExitCode {
    butler_cli::main_impl()
}
