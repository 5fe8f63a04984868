//! `eyelid-capture`: puts the frames of one camera into its slot while somebody looks.

use std::process::ExitCode;

use clap::Parser;
use eyelid_capture::source::SourceError;
use eyelid_capture::{Arguments, SetupError, run};
use eyelid_config::EXIT_CONFIG;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let check = arguments.is_check();
    let Err(error) = run(arguments) else {
        return ExitCode::SUCCESS;
    };
    eyelid_daemon::logging::say(&error, check);
    // A check tells what is written down wrong from a source that may be all right tomorrow, or in
    // another build.
    let source = error.downcast_ref::<SourceError>().filter(|_| !check);
    if error.is::<SetupError>() || source.is_some_and(SourceError::is_setup) {
        ExitCode::from(EXIT_CONFIG)
    } else {
        ExitCode::FAILURE
    }
}
