//! The rules that users have made on the page: a file of each camera's, which the page writes and
//! this program reads again when it has changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use eyelid_slot::CameraName;

use crate::files;
use crate::page::rules_file::{MOST_FILE_BYTES, RulesFile};
use crate::settings::{MOST_RULES, RuleSettings};

/// The file of one camera.
#[derive(Debug)]
pub(super) struct MadeRules {
    path: PathBuf,
    /// Inode and time of the one that was read.
    seen: Option<(u64, i64, i64)>,
    rules: Vec<RuleSettings>,
}

impl MadeRules {
    pub(super) fn new(directory: &Path, camera: &CameraName) -> Self {
        Self {
            path: directory.join(format!("{camera}.json")),
            seen: None,
            rules: Vec::new(),
        }
    }

    /// Reads the file if it is another one than before. Says whether it was.
    pub(super) fn look(&mut self) -> bool {
        let found = fs::symlink_metadata(&self.path).ok();
        let found = found.map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        if found == self.seen {
            return false;
        }
        self.seen = found;
        self.rules = self.read();
        true
    }

    /// Adds them to the rules of the configuration. Those win whose names are in both: a rule of
    /// root's cannot be replaced on a page.
    pub(super) fn add_to(&self, rules: &mut Vec<RuleSettings>) {
        for made in &self.rules {
            let is_known = rules.iter().any(|rule| rule.name == made.name);
            if !is_known && rules.len() < MOST_RULES {
                rules.push(made.clone());
            }
        }
    }

    fn read(&self) -> Vec<RuleSettings> {
        if self.seen.is_none() {
            return Vec::new();
        }
        let read = files::read(&self.path, MOST_FILE_BYTES).map_err(anyhow::Error::from);
        let file = read.and_then(|json| Ok(RulesFile::parse(&json)?));
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                log::warn!("rules {:?} are not used: {error}", self.path);
                return Vec::new();
            }
        };
        let rule = |made: &crate::page::rules_file::MadeRule| {
            let words = made.says.as_str().parse().ok()?;
            let name = made.name.as_str().to_owned();
            Some(RuleSettings::words(name, words, Vec::new()))
        };
        file.rules().iter().filter_map(rule).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_the_page_come_after_those_of_the_file_and_replace_none() {
        let directory = tempfile::tempdir().unwrap();
        let mut made = MadeRules::new(directory.path(), &"door".parse().unwrap());
        assert!(!made.look());
        let path = directory.path().join("door.json");
        let text = r#"{"version":1,"rules":[{"name":"parcel","says":"a parcel is there"},
            {"name":"motion","says":"something else"}]}"#;
        files::replace(&path, text.as_bytes()).unwrap();
        assert!(made.look() && !made.look());
        let mut rules = vec![RuleSettings::motion()];
        made.add_to(&mut rules);
        let names: Vec<_> = rules.iter().map(|rule| &rule.name[..]).collect();
        assert_eq!(names, ["motion", "parcel"]);
        files::replace(&path, b"{}").unwrap();
        assert!(made.look());
        let mut rules = Vec::new();
        made.add_to(&mut rules);
        assert!(rules.is_empty());
        fs::remove_file(&path).unwrap();
        assert!(made.look());
    }
}
