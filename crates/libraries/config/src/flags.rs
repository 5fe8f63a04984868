//! Options as flags again: what one program was told, for a program that it starts.

use std::ffi::OsString;

use serde::Serialize;
use toml::{Table, Value};

/// Gives all options that are set as flags, `--KEY=VALUE` each, so that no value can be taken for
/// another flag.
///
/// # Errors
/// A path that is not UTF-8.
pub(crate) fn of(options: &impl Serialize) -> Result<Vec<OsString>, toml::ser::Error> {
    let mut flags = Vec::new();
    for (key, value) in Table::try_from(options)? {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        flags.extend(values.into_iter().map(|value| flag(&key, value)));
    }
    Ok(flags)
}

/// Says whether an option is set, by its name.
pub(crate) fn is_set(options: &impl Serialize, key: &str) -> bool {
    let table = Table::try_from(options).unwrap_or_default();
    match table.get(key) {
        Some(Value::Array(values)) => !values.is_empty(),
        other => other.is_some(),
    }
}

fn flag(key: &str, value: Value) -> OsString {
    let text = match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    format!("--{key}={text}").into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use clap::Parser;

    use crate::{CameraOptions, Config, Section, ServerOptions};

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        server: ServerOptions,
        #[command(flatten)]
        camera: CameraOptions,
    }

    #[test]
    fn options_survive_being_handed_on() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/eyelid.toml");
        let text = fs::read_to_string(&example).unwrap() + "linger = \"1h 2s\"\n";
        let config = Config::parse(&text, &example).unwrap();
        let server: ServerOptions = config.section().unwrap();
        for name in config.cameras.keys() {
            let camera: CameraOptions = config.of_camera(name).unwrap();
            let flags = [server.to_flags().unwrap(), camera.to_flags().unwrap()].concat();
            let program = std::iter::once("eyelid".into());
            let again = Arguments::parse_from(program.chain(flags));
            // Keys alone.
            let (title, login) = (None, None);
            let camera = &CameraOptions {
                title,
                login,
                ..camera.clone()
            };
            assert_eq!((&again.server, &again.camera), (&server, camera));
        }
        assert!(CameraOptions::default().to_flags().unwrap().is_empty());
    }
}
