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
            if check {
                println!("{error:#}");
            } else {
                log::error!("{error:#}");
            }
            ExitCode::from(exit_status(&error))
        }
    }
}
