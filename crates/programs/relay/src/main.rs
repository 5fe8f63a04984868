//! `eyelid-relay`; see the library.

use std::process::ExitCode;

use clap::Parser;
use eyelid_relay::{Arguments, exit_status, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let check = arguments.is_check();
    eyelid_daemon::logging::start("eyelid-relay", None);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eyelid_daemon::logging::say(&error, check);
            ExitCode::from(exit_status(&error))
        }
    }
}
