//! `eyelid`; see the library.

use std::process::ExitCode;

use eyelid::{Arguments, exit_status, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse_or_exit();
    let check = arguments.is_check();
    eyelid_daemon::logging::start("eyelid", None);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eyelid_daemon::logging::say(&error, check);
            ExitCode::from(exit_status(&error))
        }
    }
}
