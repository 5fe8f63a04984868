//! Whether the configuration knows the camera that it is asked about: one whose name is mistyped
//! would be watched by the default rule, and nobody would know.

use std::fmt;
use std::path::PathBuf;

use eyelid_config::{Config, ConfigError, PushedWatchCameraOptions, WatchCameraOptions};
use eyelid_slot::CameraName;

use super::rules::MOTION;
use crate::Place;

/// How many of the cameras that there are a message names.
const MOST_NAMED: usize = 8;

/// As much alike as that is a slip of the finger: `dor` and `door` are 0.75.
const ALIKE: f64 = 0.6;

/// A camera of which the configuration says nothing, while it names others.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unnamed<'a> {
    name: &'a CameraName,
    config: PathBuf,
    others: Vec<&'a CameraName>,
}

impl<'a> Unnamed<'a> {
    /// That camera, if it is one.
    pub(crate) fn of(place: &Place, file: &'a Config, name: &'a CameraName) -> Option<Self> {
        let all = || file.cameras.keys().chain(file.pushed_cameras.keys());
        let mut others: Vec<_> = all().collect();
        if others.is_empty() || others.contains(&name) {
            return None;
        }
        // The nearest comes first; those that are as far from it stay in the file's order.
        others.sort_by(|one, other| likeness(other, name).total_cmp(&likeness(one, name)));
        Some(Self {
            name,
            config: place.config_path().to_owned(),
            others,
        })
    }

    /// An error where nothing but the configuration could know the camera, and it says of others
    /// how they are watched.
    ///
    /// # Errors
    /// That.
    pub(crate) fn refuse_for_others(&self, file: &Config) -> Result<(), ConfigError> {
        let is_watched = |other: &CameraName| {
            file.has_of_camera::<WatchCameraOptions>(other)
                || file.has_of_camera::<PushedWatchCameraOptions>(other)
        };
        if !self.others.iter().any(|other| is_watched(other)) {
            return Ok(());
        }
        let message = format!("there is no such camera; {}", self.there_are());
        Err(ConfigError::camera(&self.config, self.name, None, message))
    }

    /// Which cameras there are, and which of them may be meant.
    fn there_are(&self) -> String {
        let names: Vec<_> = self.others.iter().map(|other| other.as_str()).collect();
        let listed = names[..names.len().min(MOST_NAMED)].join(", ");
        let are = if names.len() == 1 { "is" } else { "are" };
        let more = match names.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let nearest = self.others.first();
        let meant = match nearest.filter(|nearest| likeness(nearest, self.name) > ALIKE) {
            Some(nearest) => format!("; did you mean {:?}?", nearest.as_str()),
            None => String::new(),
        };
        format!("there {are} {listed}{more}{meant}")
    }
}

/// What is told of it where it is watched all the same: whoever has made its slot is another
/// program, which need not be configured here.
impl fmt::Display for Unnamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "configuration {:?} says nothing of camera {:?}, which has the default rule, {MOTION}; {}",
            self.config,
            self.name.as_str(),
            self.there_are()
        )
    }
}

fn likeness(one: &CameraName, other: &CameraName) -> f64 {
    strsim::normalized_damerau_levenshtein(one.as_str(), other.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of the camera `dor`, and of its recordings.
    fn told(text: &str) -> Option<(String, Option<String>)> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        std::fs::write(&path, text).unwrap();
        let (file, name) = (Config::load(Some(&path)).unwrap(), "dor".parse().unwrap());
        let place = Place {
            slots: None,
            config: Some(path),
        };
        let unnamed = Unnamed::of(&place, &file, &name)?;
        let refused = unnamed.refuse_for_others(&file).err();
        Some((unnamed.to_string(), refused.map(|error| error.to_string())))
    }

    #[test]
    fn a_camera_that_is_named_or_where_none_is_says_nothing() {
        assert_eq!(told(""), None);
        assert_eq!(told("[watch]\nkeep-count = 10\n"), None);
        assert_eq!(told("[cameras.dor]\n[cameras.door]\n"), None);
        assert_eq!(told("[receive.cameras.dor]\n[cameras.door]\n"), None);
    }

    #[test]
    fn a_mistyped_name_is_told_with_those_that_there_are_and_the_nearest() {
        let (said, refused) = told("[cameras.printer]\n[cameras.door]\n").unwrap();
        assert!(
            said.ends_with(
                "eyelid.toml\" says nothing of camera \"dor\", which has the default rule, motion; \
                 there are door, printer; did you mean \"door\"?"
            ),
            "{said}"
        );
        assert_eq!(refused, None, "nothing is said of how others are watched");
        let (said, _) = told("[receive.cameras.printer]\n").unwrap();
        assert!(said.ends_with("; there is printer"), "{said}");
        let many: String = (0..30).map(|n| format!("[cameras.c{n}]\n")).collect();
        let (said, _) = told(&many).unwrap();
        assert!(said.ends_with("c6, c7 and 22 more"), "{said}");
    }

    #[test]
    fn a_recording_has_no_slot_that_another_program_could_have_made() {
        for rules in ["cameras.door.watch", "receive.cameras.door.watch.rules.a"] {
            let text = format!("[cameras.bed]\n[{rules}]\n");
            let (_, refused) = told(&text).unwrap();
            let refused = refused.unwrap();
            let words =
                "key \"cameras.dor\": there is no such camera; there are door, bed; did you";
            assert!(refused.contains(words), "{refused}");
        }
    }
}
