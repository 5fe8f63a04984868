//! Where in the file something stands, for errors that are seen only when all of it has been read.

use std::fs;
use std::path::{Path, PathBuf};

use eyelid_slot::CameraName;
use toml::de::DeTable;

use crate::{Config, ConfigError, Section, name};

impl ConfigError {
    /// What is wrong with a key of a camera, or with the camera as a whole, in the file at `path`.
    pub fn camera(path: &Path, name: &CameraName, key: Option<&str>, message: String) -> Self {
        let keys = ["cameras", name.as_str()].into_iter().chain(key);
        Self::at(path, keys, message)
    }

    /// What is wrong with a key of a program's table in the file at `path`.
    pub fn section<S: Section>(path: &Path, key: &str, message: String) -> Self {
        Self::at(path, S::PLACE.iter().copied().chain([key]), message)
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
    /// A camera whose name a URL has could not be asked for.
    pub(crate) fn check_names(&self) -> Result<(), ConfigError> {
        let wrong = |name: &CameraName| {
            let error = name::check(name).err()?;
            let keys = ["cameras", name.as_str()].into_iter();
            let message = error.to_string();
            Some(ConfigError::in_text(&self.text, &self.path, keys, message))
        };
        self.cameras.keys().find_map(wrong).map_or(Ok(()), Err)
    }

    /// Two cameras with one slot would mix their pictures.
    pub(crate) fn check_slots(&self) -> Result<(), ConfigError> {
        let slots = self.slots.as_deref();
        let slots = self.cameras.iter().filter_map(|(name, camera)| {
            let usual = || slots.map(|slots| name.directory(slots));
            Some((name, camera.slot.clone().or_else(usual)?))
        });
        match same_slot(slots.collect::<Vec<_>>().as_slice()) {
            Some((name, other)) => {
                let key = self.cameras[name].slot.as_ref().map(|_| "slot");
                let keys = ["cameras", name.as_str()].into_iter().chain(key);
                Err(ConfigError::in_text(
                    &self.text,
                    &self.path,
                    keys,
                    one_slot(other),
                ))
            }
            None => Ok(()),
        }
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
