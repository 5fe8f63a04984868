//! The file itself: `[server]` and `[cameras.NAME]`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eyelid_slot::CameraName;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{CameraOptions, ServerOptions};

/// A whole configuration file (`docs/configuration.md`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[server]`
    pub server: ServerOptions,
    /// `[cameras.NAME]` in the file's order; the default camera is called `default`.
    pub cameras: IndexMap<CameraName, CameraOptions>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration {path:?}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It is not TOML, or says something that is no option.
    #[error("configuration {path:?}, line {line}{}: {message}", key_text(.key))]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key on that line, if there is one.
        key: Option<String>,
        /// What is wrong.
        message: String,
    },
}

impl Config {
    /// Reads a configuration file; none at all is an empty one.
    ///
    /// # Errors
    /// See [`ConfigError`]: a file that is missing, unknown keys, wrong types and bad values.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = fs::read_to_string(path).map_err(|reason| ConfigError::Read {
            path: path.to_owned(),
            reason,
        })?;
        Self::parse(&text, path)
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start).min(text.len());
            ConfigError::Content {
                path: path.to_owned(),
                line: text[..at].matches('\n').count() + 1,
                key: key_at(text, at),
                message: in_plain_words(&one_line(error.message())),
            }
        })?;
        config.check_slots(text, path)?;
        Ok(config)
    }
}

/// Keys are quoted in messages as they are, and may have line breaks and worse in them.
fn one_line(message: &str) -> String {
    let parts: Vec<&str> = message.split_terminator(char::is_control).collect();
    parts.join("; ")
}

/// What serde calls its types, and what they are called in a file.
fn in_plain_words(message: &str) -> String {
    let words = [
        ("expected a sequence", "expected a list: [\"...\"]"),
        ("expected a map", "expected a table"),
        ("expected struct Config", "expected a table"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        (
            "expected a nonzero u32",
            "expected a whole number, at least 1",
        ),
        ("expected a boolean", "expected true or false"),
    ];
    let plain = words.iter().find_map(|(serde, ours)| {
        let start = message.strip_suffix(serde)?;
        Some(format!("{start}{ours}"))
    });
    plain.unwrap_or_else(|| message.to_owned())
}

/// The key whose line, or whose value's first line, holds the byte at `at`.
fn key_at(text: &str, at: usize) -> Option<String> {
    let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    text[..line_end].lines().rev().find_map(|line| {
        let line = line.trim();
        let table = line
            .strip_prefix('[')
            .map(|rest| rest.trim_matches(['[', ']']).to_owned());
        table.or_else(|| line.split_once('=').map(|(key, _)| key.trim().to_owned()))
    })
}

fn key_text(key: &Option<String>) -> String {
    key.as_ref()
        .map_or_else(String::new, |key| format!(", key {key:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceSpec;
    use std::time::Duration;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("eyelid.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn every_option_has_its_key() {
        let config = parse(
            r#"
            [server]
            listen = ["127.0.0.1:8080", "unix:/run/eyelid.sock"]
            slots = "/run/webcam"
            max-age = "500ms"
            timeout = "4s"
            idle-exit = "2m"
            max-clients = 10
            allow-host = ["camera.example.org", "*.example.net"]
            allow-origin = "*"
            auth-file = "/etc/eyelid/htpasswd"
            [cameras.default]
            title = "Über dem Bett"
            slot = "/run/webcam"
            source = "command:rpicam-vid"
            camera = "imx708"
            size = "1280x720"
            min-size = "640x480"
            max-size = "1920x1080"
            smallest = true
            fps = 15
            quality = 80
            optimize = true
            rotate = 90
            flip = "horizontal"
            control = ["AfMode=Continuous", "Brightness=0.1"]
            buffers = 4
            frame-timeout = "5s"
            linger = "20s"
            delete-older-than = "1h"
            [cameras.front]
            fps = 12.5
            "#,
        )
        .unwrap();
        assert_eq!(config.server.max_age, Some(Duration::from_millis(500)));
        assert_eq!(config.server.listen.len(), 2);
        assert_eq!(config.server.allow_host.len(), 2);
        let default = &config.cameras[&CameraName::default()];
        assert_eq!(
            default.source,
            Some(SourceSpec::Command("rpicam-vid".into()))
        );
        assert_eq!(config.cameras.len(), 2);
        let none = config.server.clone();
        assert_eq!(ServerOptions::default().or(none.clone()), none);
        assert_eq!(CameraOptions::default().or(default.clone()), *default);
    }

    #[test]
    fn cameras_keep_the_order_of_the_file() {
        let config = parse("[cameras.nozzle]\n[cameras.bed]\n[cameras.door]\n").unwrap();
        let names: Vec<&str> = config.cameras.keys().map(CameraName::as_str).collect();
        assert_eq!(names, ["nozzle", "bed", "door"]);
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_key() {
        for (text, line, key) in [
            ("[server]\nlissten = 1", 2, "lissten"),
            ("[server]\n\nlisten = 1", 3, "listen"),
            (
                "[server]\nlisten = [\n  \"127.0.0.1:1\",\n  \"nowhere\",\n]",
                2,
                "listen",
            ),
            ("[server]\ntimeout = \"4 parsecs\"", 2, "timeout"),
            ("[server]\ntimeout = 4", 2, "timeout"),
            ("[server]\nmax-clients = 0", 2, "max-clients"),
            ("[server]\nallow-host = [\"http://a\"]", 2, "allow-host"),
            ("[sever]\n", 1, "sever"),
            ("[cameras.default]\nsize = \"big\"", 2, "size"),
            ("[cameras.default]\nrotate = 45", 2, "rotate"),
            ("[cameras.default]\nfps = 0", 2, "fps"),
            ("[cameras.default]\nquality = 101", 2, "quality"),
            ("[cameras.default]\nsource = \"usb\"", 2, "source"),
            ("[cameras.default]\nzoom = 2", 2, "zoom"),
            ("[cameras.default]\nflip = \"up\"", 2, "flip"),
            ("[cameras.default]\ncontrol = [\"AfMode\"]", 2, "control"),
            ("[cameras.default]\nbuffers = 1", 2, "buffers"),
            ("[cameras.default]\ntitle = \" \"", 2, "title"),
            ("[cameras.\"a/b\"]\n", 1, "cameras.\"a/b\""),
            ("[cameras.default]\nfps = \n", 2, "fps"),
        ] {
            let error = parse(text).unwrap_err();
            let start = format!("configuration \"eyelid.toml\", line {line}, key {key:?}: ");
            assert!(error.starts_with(&start), "{text:?} gives {error:?}");
            assert!(!error.contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn errors_say_the_form_that_is_wanted() {
        for (text, words) in [
            (
                "[server]\nlisten = \"[::1]:1\"",
                "expected a list: [\"...\"]",
            ),
            (
                "[server]\ntimeout = 4",
                "a number with its unit, for example \"2s\"",
            ),
            (
                "[server]\ntimeout = \"-2s\"",
                "a number with its unit, for example \"2s\"",
            ),
            (
                "[server]\nmax-clients = \"x\"",
                "expected a whole number, at least 1",
            ),
            ("server = 1", "expected a table, [server]"),
            ("cameras = 1", "expected a table"),
            ("[cameras]\ndoor = 1", "expected a table, [cameras.NAME]"),
            (
                "[cameras.door]\nquality = \"80\"",
                "expected a whole number",
            ),
            ("[cameras.door]\nfps = \"5\"", "expected a number"),
            ("[cameras.door]\nsmallest = 1", "expected true or false"),
            (
                "[cameras.door]\ncontrol = \"A=1\"",
                "expected a list: [\"...\"]",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?} gives {error:?}");
        }
    }

    #[test]
    fn the_packages_configuration_has_the_default_camera() {
        let path = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../packaging/eyelid.toml"
        ));
        let config = Config::load(Some(path)).unwrap();
        assert_eq!(
            config.server.slots.as_deref(),
            Some(Path::new("/run/webcam"))
        );
        assert!(config.cameras.contains_key(&CameraName::default()));
    }

    #[test]
    fn the_examples_have_every_key_that_there_is() {
        use clap::{Args, Command};
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."));
        for example in ["docs/eyelid.toml", "fuzz/cases/config/every-option"] {
            let path = root.join(example);
            Config::load(Some(&path)).unwrap();
            let file: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
            let cameras = file["cameras"].as_table().unwrap();
            let has = |key: &str| cameras.values().any(|camera| camera.get(key).is_some());
            for option in ServerOptions::augment_args(Command::new("x")).get_arguments() {
                let key = option.get_long().unwrap();
                assert!(file["server"].get(key).is_some(), "{key} in {example}");
            }
            for option in CameraOptions::augment_args(Command::new("x")).get_arguments() {
                let key = option.get_long().unwrap();
                assert!(has(key), "{key} in {example}");
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/eyelid.toml")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/eyelid.toml"), "{error}");
        assert_eq!(Config::load(None).unwrap(), Config::default());
    }
}
