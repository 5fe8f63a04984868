//! What is written down of a camera's rules, for the next start and for the page.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use super::thing::State;
use crate::alert::{Alert, Cause, Judge, Sighting};
use crate::files;
use crate::moment::Stamp;

/// The version of the form that is written here.
pub(crate) const VERSION: u32 = 1;

/// How many bytes the file may have that is read: 32 rules with 16 things each have less.
pub(crate) const MOST_BYTES: u64 = 1024 * 1024;

/// The contents of the state's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// [`VERSION`]
    pub(crate) version: u32,
    pub(crate) camera: String,
    /// When this was written; all `ago` are before that.
    pub(crate) saved: Stamp,
    /// Somebody watches: the time is one at which that is to be done.
    #[serde(default)]
    pub(crate) watching: bool,
    /// By their names.
    #[serde(default)]
    pub(crate) rules: BTreeMap<String, SavedRule>,
    /// The worst of what keeps it from seeing.
    #[serde(default)]
    pub(crate) blind: Option<SavedTrouble>,
    /// All of that.
    #[serde(default)]
    pub(crate) troubles: Vec<SavedTrouble>,
    /// How often that was told within the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) blind_caps: Vec<SavedBlindCap>,
    /// Why the rules that were made on the page are not watched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_rules: Option<String>,
    /// Alerts that the rules above have made, and that may not lie among the others yet.
    #[serde(default)]
    pub(crate) pending: Vec<Pending>,
    /// What this program does not know, or another part of it wrote.
    #[serde(flatten)]
    pub(crate) more: serde_json::Map<String, serde_json::Value>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedRule {
    /// What is known of its things: the most of them all.
    pub(crate) state: State,
    /// Since when.
    #[serde(default, with = "humantime_serde")]
    pub(crate) since: Option<SystemTime>,
    pub(crate) judge: Judge,
    #[serde(default)]
    pub(crate) asked: Option<String>,
    #[serde(default)]
    pub(crate) things: Vec<SavedThing>,
    #[serde(flatten)]
    pub(crate) cap: SavedCap,
    /// A question about it has had no answer yet.
    #[serde(default, rename = "unanswered")]
    pub(crate) is_unanswered: bool,
    #[serde(flatten)]
    pub(crate) more: serde_json::Map<String, serde_json::Value>,
}

/// One thing that was there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedThing {
    #[serde(default)]
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) place: Option<Sighting>,
    pub(crate) state: State,
    #[serde(with = "crate::moment::rfc3339")]
    pub(crate) since: SystemTime,
    #[serde(default)]
    pub(crate) stood_ago_ms: Option<u64>,
    #[serde(default)]
    pub(crate) looked_ago_ms: u64,
}

/// Something that keeps a camera, or who is asked, from seeing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedTrouble {
    pub(crate) cause: Cause,
    #[serde(default)]
    pub(crate) judge: Option<Judge>,
    #[serde(with = "crate::moment::rfc3339")]
    pub(crate) since: SystemTime,
    /// It was too often within an hour to be told.
    #[serde(default, rename = "untold", skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_untold: bool,
}

/// How often it was told that nothing could be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedBlindCap {
    pub(crate) cause: Cause,
    #[serde(default)]
    pub(crate) judge: Option<Judge>,
    #[serde(flatten)]
    pub(crate) cap: SavedCap,
}

/// Alerts of one kind within the last hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SavedCap {
    pub(crate) alerts_ago_ms: Vec<u64>,
    /// How many were not told, nor that they were not.
    pub(crate) held_back: u32,
}

/// An alert that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) alert: Alert,
    /// Who is to be told.
    #[serde(default)]
    pub(crate) notify: Vec<String>,
}

impl Saved {
    /// What a camera's program has written down in this directory; nothing, where it has not, or
    /// one of a later version has.
    pub(crate) fn of_camera(directory: &Path, camera: &CameraName) -> Option<Self> {
        let json = files::read(&directory.join(format!("{camera}.json")), MOST_BYTES).ok()?;
        Self::parse(&json).ok()
    }

    /// Parses the file. One of a later version is none that can be read.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let saved: Self = serde_json::from_slice(json)?;
        if saved.version == VERSION {
            return Ok(saved);
        }
        let version = saved.version;
        Err(serde::de::Error::custom(format!(
            "version {version}, not {VERSION}"
        )))
    }

    /// Gives the contents of the file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}
