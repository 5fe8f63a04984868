//! The file itself, read as far as every program reads it; each program then reads the tables that
//! are its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eyelid_slot::CameraName;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use toml::de::{DeTable, ValueDeserializer};

use crate::Title;
use crate::place::{CAMERAS, PUSHED, table_at, value_at};
use crate::section::{CAMERA, Section};
use crate::sections::{TABLES, Table, find_unknown_key};

/// A configuration file (`docs/configuration.md`) that has no key that is unknown. A wrong value is
/// the matter of the program that it is for.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `slots` of `[server]`: the directory of the slots.
    pub slots: Option<PathBuf>,
    /// The cameras in the file's order; the default camera is called `default`.
    pub cameras: IndexMap<CameraName, CameraPlace>,
    /// Those that push their frames (`[receive.cameras.NAME]`), in the file's order. No name is in
    /// both.
    pub pushed_cameras: IndexMap<CameraName, CameraPlace>,
    /// Whether the file has `[receive]`, or a table below it.
    pub has_receive: bool,
    /// Whether the file has `[rtp]`, or says where a camera is sent.
    pub has_rtp: bool,
    pub(crate) text: String,
    pub(crate) path: PathBuf,
}

/// What every program may want to know of a camera.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, expecting = "a table, [cameras.NAME]")]
pub struct CameraPlace {
    /// Its slot, if that is not the usual one.
    pub slot: Option<PathBuf>,
    /// How people call it.
    pub title: Option<Title>,
}

/// What every program reads.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Common {
    server: Server,
    cameras: IndexMap<CameraName, CameraPlace>,
    receive: Option<Receive>,
    rtp: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a table, [receive]")]
struct Receive {
    cameras: IndexMap<CameraName, CameraPlace>,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a table, [server]")]
struct Server {
    slots: Option<PathBuf>,
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
    /// See [`ConfigError`]: a file that is missing, unknown keys, and values that are wrong for
    /// every program.
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

    /// Gives a program's options out of their table; the default where the file does not have it.
    ///
    /// # Errors
    /// A wrong value.
    pub fn section<S: Section>(&self) -> Result<S, ConfigError> {
        self.read(S::PLACE.to_vec())
    }

    /// Gives a program's options for one camera out of their table; the default where the file does
    /// not have it.
    ///
    /// # Errors
    /// A wrong value.
    pub fn of_camera<S: Section>(&self, name: &CameraName) -> Result<S, ConfigError> {
        self.read(place_of::<S>(name))
    }

    /// Says whether the file has a program's table for one camera.
    pub fn has_of_camera<S: Section>(&self, name: &CameraName) -> bool {
        let tables = DeTable::parse(&self.text);
        tables.is_ok_and(|tables| value_at(tables.get_ref(), &place_of::<S>(name)).is_some())
    }

    /// Gives a program's options for one camera out of a list of tables: `[[cameras.NAME.KEY]]`.
    ///
    /// # Errors
    /// A wrong value.
    pub fn list_of_camera<S: Section>(&self, name: &CameraName) -> Result<Vec<S>, ConfigError> {
        self.read(place_of::<S>(name))
    }

    /// Gives a program's tables that have names of the user's, in the file's order:
    /// `[watch.notify.NAME]`.
    ///
    /// # Errors
    /// A wrong value.
    pub fn named<S: Section>(&self) -> Result<IndexMap<String, S>, ConfigError> {
        self.read(parent(S::PLACE.to_vec()))
    }

    /// Gives a camera's tables that have names of the user's, in the file's order:
    /// `[cameras.NAME.watch.rules.RULE]`.
    ///
    /// # Errors
    /// A wrong value.
    pub fn named_of_camera<S: Section>(
        &self,
        name: &CameraName,
    ) -> Result<IndexMap<String, S>, ConfigError> {
        self.read(parent(place_of::<S>(name)))
    }

    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse_for(TABLES, text, path)
    }

    /// Parses a file for programs that have certain tables.
    pub(crate) fn parse_for(known: &[Table], text: &str, path: &Path) -> Result<Self, ConfigError> {
        let wrong = |error| ConfigError::of_toml(text, path, &error);
        let tables = DeTable::parse(text).map_err(wrong)?.into_inner();
        if let Some(key) = find_unknown_key(&tables, known) {
            return Err(ConfigError::content(
                text,
                path,
                key.span.start,
                &key.message,
            ));
        }
        let common: Common = toml::from_str(text).map_err(wrong)?;
        let config = Self {
            slots: common.server.slots,
            cameras: common.cameras,
            has_receive: common.receive.is_some(),
            has_rtp: common.rtp.is_some()
                || has_destinations(&tables, CAMERAS)
                || has_destinations(&tables, PUSHED),
            pushed_cameras: common.receive.unwrap_or_default().cameras,
            text: text.to_owned(),
            path: path.to_owned(),
        };
        config.check_names()?;
        config.check_slots()?;
        Ok(config)
    }

    fn read<T: DeserializeOwned + Default>(&self, keys: Vec<&str>) -> Result<T, ConfigError> {
        let wrong = |error| ConfigError::of_toml(&self.text, &self.path, &error);
        let tables = DeTable::parse(&self.text).map_err(wrong)?;
        value_at(tables.get_ref(), &keys).map_or_else(
            || Ok(T::default()),
            |value| T::deserialize(ValueDeserializer::from(value.clone())).map_err(wrong),
        )
    }
}

/// Says whether a camera of these tables is sent somewhere.
fn has_destinations(root: &DeTable<'_>, keys: &[&str]) -> bool {
    let cameras = table_at(root, keys);
    let mut cameras = cameras.into_iter().flat_map(|cameras| cameras.values());
    cameras.any(|camera| {
        let table = camera.get_ref().as_table();
        table.is_some_and(|table| table.contains_key("rtp"))
    })
}

fn place_of<S: Section>(name: &CameraName) -> Vec<&str> {
    let keys = S::PLACE.iter();
    keys.map(|key| if *key == CAMERA { name.as_str() } else { key })
        .collect()
}

/// The keys that lead to the table of all tables that have names.
fn parent(mut keys: Vec<&str>) -> Vec<&str> {
    keys.pop();
    keys
}

impl ConfigError {
    pub(crate) fn of_toml(text: &str, path: &Path, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start);
        Self::content(text, path, at, error.message())
    }

    /// What is wrong with the key whose line, or whose value's first line, holds the byte at `at`.
    fn content(text: &str, path: &Path, at: usize, message: &str) -> Self {
        let at = at.min(text.len());
        Self::Content {
            path: path.to_owned(),
            line: text[..at].matches('\n').count() + 1,
            key: key_at(text, at),
            message: in_plain_words(&one_line(message)),
        }
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
    use crate::keys::keys_of;
    use crate::sections::each_table;
    use crate::sections::made_up::{Eyepiece, Star, Telescope, WITH_TELESCOPE};
    use crate::{CameraOptions, Fps, ServerOptions, SourceSpec};
    use std::time::Duration;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("eyelid.toml")).map_err(|e| e.to_string())
    }

    /// What the program says that reads all tables of today.
    fn read_all(text: &str) -> Result<(), String> {
        let config = parse(text)?;
        let all = || {
            config.section::<ServerOptions>()?;
            let mut names = config.cameras.keys();
            names.try_for_each(|name| config.of_camera::<CameraOptions>(name).map(drop))
        };
        all().map_err(|error: ConfigError| error.to_string())
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
            adapt = "smooth"
            min-fps = 10
            log-looks = false
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
        let server: ServerOptions = config.section().unwrap();
        assert_eq!(server.max_age, Some(Duration::from_millis(500)));
        assert_eq!(server.listen.len(), 2);
        assert_eq!(server.allow_host.len(), 2);
        assert_eq!(server.adapt, Some(crate::Adapt::Smooth));
        assert_eq!(server.min_fps, "10".parse().ok());
        assert_eq!(server.log_looks, Some(false));
        let default: CameraOptions = config.of_camera(&CameraName::default()).unwrap();
        assert_eq!(
            default.source,
            Some(SourceSpec::Command("rpicam-vid".into()))
        );
        assert_eq!(config.cameras.len(), 2);
        assert_eq!(ServerOptions::default().or(server.clone()), server);
        assert_eq!(CameraOptions::default().or(default.clone()), default);
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
            ("[server]\n[cameras.stream]\n", 2, "cameras.stream"),
            ("[cameras.default]\nfps = \n", 2, "fps"),
        ] {
            let error = read_all(text).unwrap_err();
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
            let error = read_all(text).unwrap_err();
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
        assert_eq!(config.slots.as_deref(), Some(Path::new("/run/webcam")));
        assert!(config.cameras.contains_key(&CameraName::default()));
    }

    #[test]
    fn the_examples_have_every_key_that_there_is() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."));
        for example in ["docs/eyelid.toml", "fuzz/cases/config/every-option"] {
            let text = fs::read_to_string(root.join(example)).unwrap();
            read_all(&text).unwrap();
            let file = DeTable::parse(&text).unwrap().into_inner();
            for known in TABLES {
                let mut used = Vec::new();
                each_table(&file, &mut Vec::new(), &mut |place, table| {
                    // Options that are in two tables are explained in one of them.
                    let mut same = TABLES.iter().filter(|it| it.keys() == known.keys());
                    if same.any(|it| it.is_at(place)) {
                        let table = table.get_ref().as_table().unwrap();
                        used.extend(table.keys().map(|key| key.get_ref().to_string()));
                    }
                });
                for key in known.keys() {
                    assert!(used.iter().any(|used| used == key), "{key} in {example}");
                }
            }
        }
    }

    #[test]
    fn flags_and_keys_have_the_same_names() {
        use clap::{Args, Command};
        fn flags<A: Args>() -> Vec<String> {
            let command = A::augment_args(Command::new("x"));
            let flags = command.get_arguments();
            flags
                .map(|flag| flag.get_long().unwrap().to_owned())
                .collect()
        }
        assert_eq!(keys_of::<ServerOptions>(), flags::<ServerOptions>());
        // These two are keys alone.
        let mut keys = keys_of::<CameraOptions>().to_vec();
        keys.retain(|key| !["title", "login"].contains(key));
        assert_eq!(keys, flags::<CameraOptions>());
    }

    #[test]
    fn a_program_that_is_new_has_its_tables_beside_those_of_others() {
        let parse = |text: &str| Config::parse_for(WITH_TELESCOPE, text, Path::new("eyelid.toml"));
        let file = "[telescope]\ntube-length = 900\n[telescope.cameras.moon]\nfps = 2\n\
                    [cameras.moon]\nfps = 5\n[[cameras.moon.star]]\nname = \"Vega\"\n[[cameras.moon.star]]\n";
        let config = parse(file).unwrap();
        let moon: CameraName = "moon".parse().unwrap();
        assert_eq!(
            config.section::<Telescope>().unwrap().tube_length,
            Some(900)
        );
        let fps = |fps: Option<Fps>| fps.map(Fps::per_second);
        assert_eq!(
            fps(config.of_camera::<Eyepiece>(&moon).unwrap().fps),
            Some(2.0)
        );
        assert_eq!(
            fps(config.of_camera::<CameraOptions>(&moon).unwrap().fps),
            Some(5.0)
        );
        let stars: Vec<Star> = config.list_of_camera(&moon).unwrap();
        assert_eq!((stars[0].name.as_str(), stars.len()), ("Vega", 2));
        assert_eq!(
            Config::default().section::<Telescope>().unwrap(),
            Telescope::default()
        );
        assert!(
            config
                .list_of_camera::<Star>(&CameraName::default())
                .unwrap()
                .is_empty()
        );
        // To the programs of today it is a mistake.
        let error = Config::parse(file, Path::new("f")).unwrap_err().to_string();
        assert_eq!(
            error,
            "configuration \"f\", line 1, key \"telescope\": unknown field `telescope`, expected one of `server`, `cameras`, `receive`, `relay`, `rtp`, `video`, `watch`"
        );
    }

    #[test]
    fn a_wrong_value_stops_the_program_that_it_is_for_and_a_wrong_key_all() {
        let file = "[server]\nmax-clients = 0\n[cameras.a]\nfps = 0\n[cameras.b]\nfps = 1\n[telescope]\ntube-length = \"x\"\n";
        let parse = |text: &str| {
            Config::parse_for(WITH_TELESCOPE, text, Path::new("f")).map_err(|e| e.to_string())
        };
        let config = parse(file).unwrap();
        let [a, b] = ["a", "b"].map(|name| name.parse::<CameraName>().unwrap());
        for (line, key, result) in [
            (
                2,
                "max-clients",
                config.section::<ServerOptions>().map(drop),
            ),
            (4, "fps", config.of_camera::<CameraOptions>(&a).map(drop)),
            (8, "tube-length", config.section::<Telescope>().map(drop)),
        ] {
            let error = result.unwrap_err().to_string();
            let start = format!("configuration \"f\", line {line}, key {key:?}: ");
            assert!(error.starts_with(&start), "{error}");
        }
        config.of_camera::<CameraOptions>(&b).unwrap();
        for (own, line, key, words) in [
            (
                "[server]\ntimeot = \"1s\"\n",
                2,
                "timeot",
                "did you mean `timeout`?",
            ),
            ("[telescop]\n", 1, "telescop", "did you mean `telescope`?"),
            (
                "[telescope]\nlength = 1\n",
                2,
                "length",
                "expected `tube-length` or `cameras`",
            ),
            (
                "[telescope.cameras.a]\nfsp = 1\n",
                2,
                "fsp",
                "expected `fps`; did you mean `fps`?",
            ),
            (
                "[[cameras.a.star]]\n[[cameras.a.star]]\nnames = 1\n",
                3,
                "names",
                "expected `name`;",
            ),
            (
                "[cameras.a]\nstart = []\n",
                2,
                "start",
                "did you mean `star`?",
            ),
            (
                "cameras.a.star = [{name = \"x\"}, {nam = \"y\"}]\n",
                1,
                "cameras.a.star",
                "`nam`",
            ),
            (
                "zzz = 1\n",
                1,
                "zzz",
                "expected one of `server`, `cameras`, `receive`, `relay`, `rtp`, `video`, `watch`, `telescope`",
            ),
        ] {
            let error = parse(own).unwrap_err();
            let start = format!("configuration \"f\", line {line}, key {key:?}: unknown field ");
            assert!(
                error.starts_with(&start) && error.contains(words),
                "{error}"
            );
            assert_eq!(
                error.contains("did you mean"),
                !own.contains("length") && !own.contains("zzz"),
                "{error}"
            );
        }
    }

    #[test]
    fn who_sends_is_wanted_where_something_is_sent() {
        for (text, has_rtp) in [
            ("", false),
            ("[cameras.a]\n[receive.cameras.b]\n", false),
            ("[rtp]\n", true),
            ("[cameras.a]\n[[cameras.b.rtp]]\n", true),
            ("[[receive.cameras.b.rtp]]\n", true),
        ] {
            assert_eq!(parse(text).unwrap().has_rtp, has_rtp, "{text}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/eyelid.toml")))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere/eyelid.toml"), "{error}");
        assert!(Config::load(None).unwrap().cameras.is_empty());
    }
}
