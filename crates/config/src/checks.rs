//! What must hold whatever is in the file. The fuzz target calls this, and a test with what it found (`fuzz/README.md`).

use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};

use crate::{CameraOptions, Config, ConfigError, Flip, Rotation, ServerOptions};

/// A file is refused in one line that names a line of it, or what it says can be written down and read again.
///
/// # Panics
/// Where that does not hold.
pub fn config(bytes: &[u8]) {
    // A file that is not UTF-8 is refused when it is read.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("eyelid.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            let written = written(&config);
            match Config::parse(&written, path) {
                Ok(again) => assert_eq!(again, config, "{written}"),
                Err(error) => panic!("{error}: {written}"),
            }
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
            let ConfigError::Content { line, .. } = error else {
                panic!("{message}");
            };
            assert!(
                (1..=text.matches('\n').count() + 1).contains(&line),
                "{message}"
            );
        }
    }
}

/// A configuration file that says the same.
fn written(config: &Config) -> String {
    let cameras = config.cameras.iter();
    let cameras: Table = cameras
        .map(|(name, options)| (name.to_string(), Value::Table(camera(options))))
        .collect();
    let mut file = Table::new();
    file.insert("server".to_owned(), Value::Table(server(&config.server)));
    file.insert("cameras".to_owned(), Value::Table(cameras));
    file.to_string()
}

fn server(options: &ServerOptions) -> Table {
    let listen: Vec<Value> = options.listen.iter().map(text).collect();
    table([
        ("listen", Some(Value::Array(listen))),
        ("slots", options.slots.as_deref().map(path)),
        ("max-age", options.max_age.map(duration)),
        ("timeout", options.timeout.map(duration)),
        ("idle-exit", options.idle_exit.map(duration)),
        ("max-clients", options.max_clients.map(Value::from)),
        (
            "allow-origin",
            options
                .allow_origin
                .as_ref()
                .map(|origin| Value::from(origin.as_str())),
        ),
        ("auth-file", options.auth_file.as_deref().map(path)),
    ])
}

fn camera(options: &CameraOptions) -> Table {
    let control = options.control.iter();
    let control = control.map(|control| Value::from(format!("{}={}", control.name, control.value)));
    table([
        ("slot", options.slot.as_deref().map(path)),
        ("source", options.source.as_ref().map(text)),
        ("camera", options.camera.clone().map(Value::from)),
        ("size", options.size.as_ref().map(text)),
        ("min-size", options.min_size.as_ref().map(text)),
        ("max-size", options.max_size.as_ref().map(text)),
        ("smallest", options.smallest.map(Value::from)),
        ("fps", options.fps.map(|fps| Value::from(fps.per_second()))),
        (
            "quality",
            options
                .quality
                .map(|quality| Value::from(i64::from(quality.percent()))),
        ),
        ("optimize", options.optimize.map(Value::from)),
        ("rotate", options.rotate.map(degrees)),
        ("flip", options.flip.map(flip)),
        ("control", Some(Value::Array(control.collect()))),
        (
            "buffers",
            options.buffers.map(|buffers| Value::from(buffers.count())),
        ),
        ("frame-timeout", options.frame_timeout.map(duration)),
        ("linger", options.linger.map(duration)),
        ("delete-older-than", options.delete_older_than.map(duration)),
    ])
}

fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Table {
    let entries = entries.into_iter();
    entries
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn text(value: &impl ToString) -> Value {
    Value::from(value.to_string())
}

fn path(path: &Path) -> Value {
    Value::from(path.display().to_string())
}

fn duration(duration: Duration) -> Value {
    text(&humantime::format_duration(duration))
}

fn degrees(rotation: Rotation) -> Value {
    Value::from(match rotation {
        Rotation::None => 0,
        Rotation::Right => 90,
        Rotation::Half => 180,
        Rotation::Left => 270,
    })
}

fn flip(flip: Flip) -> Value {
    Value::from(match flip {
        Flip::Horizontal => "horizontal",
        Flip::Vertical => "vertical",
    })
}

#[cfg(test)]
#[path = "../../../fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    #[test]
    fn config_corpus() {
        super::replay::replay("config", super::config);
    }
}
