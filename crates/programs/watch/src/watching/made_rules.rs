//! The rules that users have made on the page: a file of each camera's, which the page writes and
//! this program reads again when it has changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eyelid_slot::CameraName;

use crate::page::rules::{file, read, told_in};
use crate::page::rules_file::MadeRule;
use crate::page::settings::WayFacts;
use crate::settings::notify::NotifySettings;
use crate::settings::{MOST_RULES, RuleSettings, Settings};

/// How soon it is tried again to have somebody asked for these rules: a key that could not be read
/// may be mended, of which nobody tells.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// The file of one camera.
#[derive(Debug)]
pub(crate) struct MadeRules {
    path: PathBuf,
    /// Inode and time of the one that was read.
    seen: Option<(u64, i64, i64)>,
    rules: Vec<MadeRule>,
    /// When it was tried last to have somebody asked for them, where nobody can be.
    tried: Option<Instant>,
}

impl MadeRules {
    pub(crate) fn new(directory: &Path, camera: &CameraName) -> Self {
        Self {
            path: file(directory, camera),
            seen: None,
            rules: Vec::new(),
            tried: None,
        }
    }

    /// It was tried to have somebody asked for them; `in_vain`, where nobody can be.
    pub(super) fn tried(&mut self, in_vain: bool, now: Instant) {
        self.tried = in_vain.then_some(now);
    }

    /// Says whether that is to be tried again.
    pub(super) fn are_to_be_tried(&self, now: Instant) -> bool {
        self.tried.is_some_and(|tried| now - tried >= TRY_AGAIN)
    }

    /// Reads the file if it is another one than before. Says whether it was.
    pub(crate) fn look(&mut self) -> bool {
        let found = fs::symlink_metadata(&self.path).ok();
        let found = found.map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        if found == self.seen {
            return false;
        }
        self.seen = found;
        self.rules = self.read();
        true
    }

    /// Adds them to the rules of the configuration, if that lets users make some, told in those
    /// ways of it that they name. Rules win whose names are in both: one of root's cannot be
    /// replaced on a page.
    pub(crate) fn add_to(&self, rules: &mut Vec<RuleSettings>, settings: &Settings) {
        if settings.model.is_some() && settings.ask_on_page.has_anybody() {
            self.add(rules, &settings.notify);
        }
    }

    fn add(&self, rules: &mut Vec<RuleSettings>, ways: &[NotifySettings]) {
        let ways: Vec<WayFacts> = ways.iter().map(WayFacts::of).collect();
        for made in &self.rules {
            let name = made.name.as_str();
            let is_known = rules.iter().any(|rule| rule.name == name);
            let Ok(words) = made.says.as_str().parse() else {
                continue;
            };
            if !is_known && rules.len() < MOST_RULES {
                let notify = told_in(made.notify.as_ref(), &ways);
                rules.push(RuleSettings::words(name.to_owned(), words, notify));
            }
        }
    }

    fn read(&self) -> Vec<MadeRule> {
        if self.seen.is_none() {
            return Vec::new();
        }
        match read(&self.path) {
            Ok(file) => file.rules().to_vec(),
            Err(error) => {
                log::warn!("rules that were made on the page are not used: {error}");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::settings::notify::Way;

    #[test]
    fn rules_of_the_page_come_after_those_of_the_file_and_replace_none() {
        let directory = tempfile::tempdir().unwrap();
        let mut made = MadeRules::new(directory.path(), &"door".parse().unwrap());
        assert!(!made.look());
        let path = directory.path().join("door.json");
        let text = r#"{"version":1,"rules":[{"name":"parcel","says":"a parcel is there"},
            {"name":"motion","says":"something else"},
            {"name":"dog","says":"a dog","notify":["pause","gone"]}]}"#;
        files::replace(&path, text.as_bytes()).unwrap();
        assert!(made.look() && !made.look());
        let mut rules = vec![RuleSettings::motion()];
        let way = |name: &str, way| NotifySettings {
            name: name.to_owned(),
            way,
            key_file: None,
            picture: false,
            click: None,
            priority: None,
            within: Duration::from_secs(60),
        };
        let phone = Way::Ntfy("https://ntfy.example/topic".parse().unwrap());
        let ways = [
            way("phone", phone),
            way("pause", Way::Command("true".to_owned())),
        ];
        made.add(&mut rules, &ways);
        let names: Vec<_> = rules.iter().map(|rule| &rule.name[..]).collect();
        assert_eq!(names, ["motion", "parcel", "dog"]);
        assert_eq!(rules[1].notify, ["phone"]);
        assert_eq!(rules[2].notify, ["pause"], "the other is there no more");
        files::replace(&path, b"{}").unwrap();
        assert!(made.look());
        let mut rules = Vec::new();
        made.add(&mut rules, &[]);
        assert!(rules.is_empty());
        fs::remove_file(&path).unwrap();
        assert!(made.look());
    }
}
