//! `eyelid-capture`: puts the frames of one camera into its slot while somebody looks.

use std::process::ExitCode;

use clap::Parser;
use eyelid_capture::{Arguments, SetupError, run};
use eyelid_config::EXIT_CONFIG;

fn main() -> ExitCode {
    let Err(error) = run(Arguments::parse()) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("eyelid-capture: error: {error:#}");
    if error.is::<SetupError>() {
        ExitCode::from(EXIT_CONFIG)
    } else {
        ExitCode::FAILURE
    }
}
