//! `eyelid-capture`: puts the frames of one camera into its slot while somebody looks.

use std::process::ExitCode;

use clap::Parser;
use eyelid_capture::source::SourceError;
use eyelid_capture::{Arguments, SetupError, run};
use eyelid_config::EXIT_CONFIG;

fn main() -> ExitCode {
    let Err(error) = run(Arguments::parse()) else {
        return ExitCode::SUCCESS;
    };
    eprintln!("eyelid-capture: error: {error:#}");
    let source = error.downcast_ref::<SourceError>();
    if error.is::<SetupError>() || source.is_some_and(SourceError::is_setup) {
        ExitCode::from(EXIT_CONFIG)
    } else {
        ExitCode::FAILURE
    }
}
