//! Presses Ctrl-C where another process runs: `ctrl-c PID`.
//!
//! It is a program because on Windows only a process on the same console can do so, and a process has but one console.

use std::io::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let id = std::env::args().nth(1).and_then(|text| text.parse().ok());
    match id.map(press) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(_)) => ExitCode::FAILURE,
        None => ExitCode::from(64),
    }
}

#[cfg(unix)]
fn press(id: i32) -> Result<(), Error> {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    Ok(kill(Pid::from_raw(id), Signal::SIGINT)?)
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "there are no safe functions for it")]
fn press(id: u32) -> Result<(), Error> {
    use windows_sys::Win32::System::Console::{AttachConsole, CTRL_C_EVENT, FreeConsole, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler};

    let done = |result: i32| if result == 0 { Err(Error::last_os_error()) } else { Ok(()) };
    // SAFETY: they take numbers, and no handler is set, but "none" is: this process is not to be ended by its own Ctrl-C.
    unsafe {
        // Without a console of our own this fails, which is as good.
        FreeConsole();
        done(AttachConsole(id))?;
        done(SetConsoleCtrlHandler(None, 1))?;
        done(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0))
    }
}
