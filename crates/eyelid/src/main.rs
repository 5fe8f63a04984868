//! `eyelid`; see the library.

use std::process::ExitCode;

use clap::Parser;
use eyelid::{Arguments, run};
use eyelid_config::{ConfigError, EXIT_CONFIG};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    eyelid_daemon::logging::start("eyelid");
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            if error.is::<ConfigError>() {
                ExitCode::from(EXIT_CONFIG)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
