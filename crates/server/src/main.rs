//! `eyelid-server`; see the library.

use std::process::ExitCode;

use clap::Parser;
use eyelid_config::{ConfigError, EXIT_CONFIG};
use eyelid_server::{Arguments, run};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    eyelid_daemon::logging::start("eyelid-server");
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
