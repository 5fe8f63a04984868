//! Where in the file something stands, for errors that are seen only when all of it has been read.

use std::fs;
use std::path::{Path, PathBuf};

use eyelid_slot::CameraName;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::section::CAMERA;
use crate::{CameraPlace, Config, ConfigError, Section, name};

/// The tables of cameras.
pub(crate) const CAMERAS: &[&str] = &["cameras"];
pub(crate) const PUSHED: &[&str] = &["receive", "cameras"];

impl ConfigError {
    /// What is wrong with a key of a camera, or with the camera as a whole, in the file at `path`.
    pub fn camera(path: &Path, name: &CameraName, key: Option<&str>, message: String) -> Self {
        let keys = ["cameras", name.as_str()].into_iter().chain(key);
        Self::at(path, keys, message)
    }

    /// What is wrong with a key of a camera that pushes its frames, in the file at `path`.
    pub fn pushed_camera(path: &Path, name: &CameraName, key: &str, message: String) -> Self {
        let keys = PUSHED.iter().copied().chain([name.as_str(), key]);
        Self::at(path, keys, message)
    }

    /// What is wrong with a key of a program's table in the file at `path`.
    pub fn section<S: Section>(path: &Path, key: &str, message: String) -> Self {
        Self::at(path, S::PLACE.iter().copied().chain([key]), message)
    }

    /// What is wrong with a key of a program's table whose place has these `names` in it, in the
    /// file at `path`.
    pub fn named<S: Section>(path: &Path, names: &[&str], key: &str, message: String) -> Self {
        let mut names = names.iter().copied();
        let keys: Vec<&str> = S::PLACE
            .iter()
            .map(|step| {
                let name = (*step == CAMERA).then(|| names.next()).flatten();
                name.unwrap_or(step)
            })
            .chain([key])
            .collect();
        Self::at(path, keys.into_iter(), message)
    }

    fn at<'k>(path: &Path, keys: impl Iterator<Item = &'k str> + Clone, message: String) -> Self {
        // What was read a moment ago is read again, for the line: only errors need it.
        let text = fs::read_to_string(path).unwrap_or_default();
        Self::in_text(&text, path, keys, message)
    }

    fn in_text<'k>(
        text: &str,
        path: &Path,
        keys: impl Iterator<Item = &'k str> + Clone,
        message: String,
    ) -> Self {
        Self::Content {
            path: path.to_owned(),
            line: line(text, keys.clone()),
            key: Some(keys.collect::<Vec<_>>().join(".")),
            message,
        }
    }
}

impl Config {
    /// A camera whose name a URL has could not be asked for, and one in two tables would have two
    /// producers.
    pub(crate) fn check_names(&self) -> Result<(), ConfigError> {
        let wrong = |(table, name): (&[&'static str], &CameraName)| {
            let message = match name::check(name) {
                Err(error) => error.to_string(),
                Ok(()) if table == CAMERAS && self.is_destinations_of_pushed(name) => format!(
                    "camera {0:?} pushes its frames: where they are sent stands in [[receive.cameras.{0}.rtp]]",
                    name.as_str()
                ),
                Ok(()) if table == PUSHED && self.cameras.contains_key(name) => format!(
                    "camera {:?} is in [cameras] already; one that pushes its frames needs a name of its own",
                    name.as_str()
                ),
                Ok(()) => return None,
            };
            Some(self.wrong_camera(table, name, None, message))
        };
        let mut names = self.all_cameras().map(|(table, name, _)| (table, name));
        names.find_map(wrong).map_or(Ok(()), Err)
    }

    /// Says whether a camera that pushes has a table among the others that has nothing but its
    /// destinations.
    fn is_destinations_of_pushed(&self, name: &CameraName) -> bool {
        let has_only_destinations = || {
            let root = DeTable::parse(&self.text).ok()?;
            let camera = table_at(root.get_ref(), &["cameras", name.as_str()])?;
            Some(!camera.is_empty() && camera.keys().all(|key| key.get_ref() == "rtp"))
        };
        self.pushed_cameras.contains_key(name) && has_only_destinations() == Some(true)
    }

    /// Two cameras with one slot would mix their pictures.
    pub(crate) fn check_slots(&self) -> Result<(), ConfigError> {
        let slots = self.slots.as_deref();
        let slots = self.all_cameras().filter_map(|(_, name, camera)| {
            let usual = || slots.map(|slots| name.directory(slots));
            Some((name, camera.slot.clone().or_else(usual)?))
        });
        let Some((name, other)) = same_slot(slots.collect::<Vec<_>>().as_slice()) else {
            return Ok(());
        };
        let mut cameras = self.all_cameras();
        let (table, key) = cameras
            .find(|(_, it, _)| *it == name)
            .map_or((CAMERAS, None), |(table, _, camera)| {
                (table, camera.slot.as_ref().map(|_| "slot"))
            });
        Err(self.wrong_camera(table, name, key, one_slot(other)))
    }

    /// All cameras, each with the keys that lead to its table.
    fn all_cameras(&self) -> impl Iterator<Item = (&[&'static str], &CameraName, &CameraPlace)> {
        let table = |keys: &'static [&'static str]| move |(name, camera)| (keys, name, camera);
        let own = self.cameras.iter().map(table(CAMERAS));
        own.chain(self.pushed_cameras.iter().map(table(PUSHED)))
    }

    fn wrong_camera(
        &self,
        table: &[&str],
        name: &CameraName,
        key: Option<&str>,
        message: String,
    ) -> ConfigError {
        let keys = table.iter().copied().chain([name.as_str()]).chain(key);
        ConfigError::in_text(&self.text, &self.path, keys, message)
    }
}

/// What is wrong with a camera that has the slot of another.
pub fn one_slot(other: &CameraName) -> String {
    format!(
        "the slot is that of camera {:?}, too, and their pictures would mix; give one of them another with slot = \"DIR\"",
        other.as_str()
    )
}

/// Finds two cameras that have one slot, the one whose slot was chosen first.
pub fn same_slot<'a>(
    slots: &[(&'a CameraName, PathBuf)],
) -> Option<(&'a CameraName, &'a CameraName)> {
    let plain = |path: &Path| path.components().collect::<PathBuf>();
    slots.iter().enumerate().find_map(|(index, (name, slot))| {
        let mut before = slots[..index].iter();
        let (other, _) = before.find(|(_, other)| plain(other) == plain(slot))?;
        Some((*name, *other))
    })
}

/// The value that these nested `keys` lead to, if there is one.
pub(crate) fn value_at<'t, 'f>(
    root: &'t DeTable<'f>,
    keys: &[&str],
) -> Option<&'t Spanned<DeValue<'f>>> {
    let (last, outer) = keys.split_last()?;
    let table = match outer {
        [] => root,
        outer => table_at(root, outer)?,
    };
    table.get(*last)
}

/// The table that they lead to.
pub(crate) fn table_at<'t, 'f>(root: &'t DeTable<'f>, keys: &[&str]) -> Option<&'t DeTable<'f>> {
    value_at(root, keys)?.get_ref().as_table()
}

/// The line of the innermost of the nested `keys` that is there, counted from 1.
fn line<'k>(text: &str, keys: impl Iterator<Item = &'k str>) -> usize {
    let mut at = 0;
    if let Ok(root) = DeTable::parse(text) {
        let mut table = Some(root.get_ref());
        for key in keys {
            let entry = table.and_then(|table| {
                let mut entries = table.iter();
                entries.find(|(name, _)| name.get_ref() == key)
            });
            let Some((name, value)) = entry else {
                break;
            };
            at = name.span().start;
            table = value.get_ref().as_table();
        }
    }
    text[..at.min(text.len())].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("eyelid.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_camera_and_its_keys_have_their_lines() {
        let text = "[server]\n[cameras.a]\nfps = 1\n\n[cameras.\"b\"]\nsource = \"test\"\nsize = \"16x16\"\n";
        for (keys, expected) in [
            (vec!["cameras", "a"], 2),
            (vec!["cameras", "a", "fps"], 3),
            (vec!["cameras", "b", "size"], 7),
            (vec!["cameras", "b", "quality"], 5),
            (vec!["elsewhere"], 1),
        ] {
            assert_eq!(line(text, keys.iter().copied()), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_camera_has_one_producer() {
        let text = "[cameras.a]\n[receive.cameras.b]\n[receive.cameras.a]\n";
        let error = parse(text).unwrap_err();
        let start = "configuration \"eyelid.toml\", line 3, key \"receive.cameras.a\": ";
        assert!(error.starts_with(start), "{error}");
        let text = "[server]\nslots = \"/s\"\n[cameras.a]\n[receive.cameras.b]\nslot = \"/s/a\"\n";
        let error = parse(text).unwrap_err();
        let start = "configuration \"eyelid.toml\", line 5, key \"receive.cameras.b.slot\": ";
        assert!(error.starts_with(start), "{error}");
        let error = parse("[receive.cameras.stream]\n").unwrap_err();
        assert!(
            error.contains("line 1") && error.contains("taken"),
            "{error}"
        );
        let text = "[[cameras.a.rtp]]\nto = \"h:2\"\n[receive.cameras.a]\n";
        let error = parse(text).unwrap_err();
        assert!(error.contains("line 1, key \"cameras.a\""), "{error}");
        assert!(error.ends_with("[[receive.cameras.a.rtp]]"), "{error}");
        let config = parse("[receive]\n").unwrap();
        assert!(config.has_receive && config.pushed_cameras.is_empty());
    }

    #[test]
    fn two_cameras_have_two_slots() {
        let slots = "[server]\nslots = \"/s\"\n";
        for (cameras, at) in [
            (
                "[cameras.a]\nslot = \"/x\"\n[cameras.b]\nslot = \"/x/\"\n",
                Some((6, "cameras.b.slot")),
            ),
            (
                "[cameras.a]\n[cameras.default]\nslot = \"/s/a\"\n",
                Some((5, "cameras.default.slot")),
            ),
            (
                "[cameras.a]\nslot = \"/s/b\"\n[cameras.b]\n",
                Some((5, "cameras.b")),
            ),
            ("[cameras.a]\n[cameras.b]\n[cameras.default]\n", None),
        ] {
            let result = parse(&(slots.to_owned() + cameras));
            match at {
                Some((line, key)) => {
                    let error = result.unwrap_err();
                    let start = format!(
                        "configuration \"eyelid.toml\", line {line}, key \"{key}\": the slot is that of camera \""
                    );
                    assert!(error.starts_with(&start), "{error}");
                }
                None => assert!(result.is_ok(), "{result:?}"),
            }
        }
    }
}
