//! The rules of a camera that were made on the page: a file of their own, for the configuration is
//! root's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rule_name::RuleName;

/// How many rules of one camera can be made: a question with more of them no model answers well.
pub(crate) const MOST_RULES: usize = 20;

/// How long a sentence may be. It goes into each question, so that it costs.
pub(crate) const MOST_CHARACTERS: usize = 200;

/// Largest file that is read: the largest that is written has a quarter of it.
pub(crate) const MOST_FILE_BYTES: u64 = 64 << 10;

/// The version that is read and written.
const VERSION: u32 = 1;

/// Ways of one rule, and characters of their names: as many as somebody would configure.
const MOST_WAYS: usize = 16;
const MOST_WAY_CHARACTERS: usize = 64;

/// Longest name of an author that is kept.
const MOST_AUTHOR: usize = 64;

/// What a file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RulesFile {
    version: u32,
    #[serde(default)]
    rules: Vec<MadeRule>,
    /// What a later version says, kept as it is.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// A rule that was made on the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MadeRule {
    /// Its name.
    pub(crate) name: RuleName,
    /// What it asks, in its user's words.
    pub(crate) says: Sentence,
    /// Who made it.
    #[serde(default)]
    pub(crate) author: String,
    /// When (RFC 3339).
    #[serde(default)]
    pub(crate) made: String,
    /// In which ways it is told; where nothing is said, in those that are usual for a rule of the
    /// page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notify: Option<Ways>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// What a user asks for: one line of 1 to 200 characters. It stands in a question among others,
/// line by line, so that one with a line feed would be two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Sentence(String);

/// Names of ways to tell, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub(crate) struct Ways(Vec<String>);

/// What a user asks a rule to be.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) says: Sentence,
    /// How it is to be called.
    pub(crate) name: Option<RuleName>,
    pub(crate) notify: Option<Ways>,
}

/// Why rules are not read, or not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// It is no such file.
    #[error("it is no file of rules: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A later Eyelid has written it.
    #[error("it has version {0}; this program knows version {VERSION}")]
    Version(u32),
    /// There is no room for another.
    #[error("there are {0} rules already, and {MOST_RULES} is the most; delete one first")]
    Full(usize),
    /// There is such a rule.
    #[error("there is a rule {0:?} already; give another name")]
    Taken(String),
    /// It is no sentence.
    #[error(transparent)]
    Sentence(#[from] SentenceError),
}

/// A text that is no sentence.
#[derive(Debug, thiserror::Error)]
#[error("says: use 1 to {MOST_CHARACTERS} characters on one line")]
pub(crate) struct SentenceError;

/// Names that are none.
#[derive(Debug, thiserror::Error)]
#[error(
    "notify: use {MOST_WAYS} names at most, of 1 to {MOST_WAY_CHARACTERS} characters, each once"
)]
pub(crate) struct WaysError;

impl Ways {
    /// Gives them as texts.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }
}

impl TryFrom<Vec<String>> for Ways {
    type Error = WaysError;

    fn try_from(names: Vec<String>) -> Result<Self, WaysError> {
        let is_name = |name: &String| {
            let is_short = name.chars().nth(MOST_WAY_CHARACTERS).is_none();
            is_short && !name.is_empty() && !name.contains(char::is_control)
        };
        let is_once = |(at, name): (usize, &String)| !names[..at].contains(name);
        let is_bounded = names.len() <= MOST_WAYS && names.iter().all(is_name);
        if !is_bounded || !names.iter().enumerate().all(is_once) {
            return Err(WaysError);
        }
        Ok(Self(names))
    }
}

impl From<Ways> for Vec<String> {
    fn from(ways: Ways) -> Self {
        ways.0
    }
}

impl Sentence {
    /// Reads what a user has written.
    ///
    /// # Errors
    /// It is empty, too long, or more than a line.
    pub(crate) fn parse(text: &str) -> Result<Self, SentenceError> {
        let text = text.trim();
        let is_break = |letter: char| letter.is_control() || "\u{2028}\u{2029}".contains(letter);
        let is_short = text.chars().nth(MOST_CHARACTERS).is_none();
        if text.is_empty() || !is_short || text.contains(is_break) {
            return Err(SentenceError);
        }
        Ok(Self(text.to_owned()))
    }

    /// Gives it as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sentence {
    type Error = SentenceError;

    fn try_from(text: String) -> Result<Self, SentenceError> {
        Self::parse(&text)
    }
}

impl From<Sentence> for String {
    fn from(sentence: Sentence) -> Self {
        sentence.0
    }
}

impl Default for RulesFile {
    fn default() -> Self {
        Self {
            version: VERSION,
            rules: Vec::new(),
            more: Map::new(),
        }
    }
}

impl RulesFile {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// It is none, or one of a later version.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, RulesError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(json)?;
        if version != VERSION {
            return Err(RulesError::Version(version));
        }
        let mut read: Self = serde_json::from_slice(json)?;
        read.rules.truncate(MOST_RULES);
        Ok(read)
    }

    /// Gives the bytes of a file that says the same.
    ///
    /// # Errors
    /// None that can be had.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The rules, in the order in which they were made.
    pub(crate) fn rules(&self) -> &[MadeRule] {
        &self.rules
    }

    /// Adds a rule, which `author` makes at this moment (RFC 3339). Gives its name: the one that
    /// is asked for, or one that is like the sentence; `is_other` are those of the configuration.
    ///
    /// # Errors
    /// Why there is no room for it.
    pub(crate) fn add(
        &mut self,
        asked: Asked,
        is_other: impl Fn(&RuleName) -> bool,
        author: &str,
        made: String,
    ) -> Result<RuleName, RulesError> {
        if self.rules.len() >= MOST_RULES {
            return Err(RulesError::Full(self.rules.len()));
        }
        let is_taken = |name: &RuleName| self.has(name) || is_other(name);
        let Asked { says, name, notify } = asked;
        let name = match name {
            Some(name) if is_taken(&name) => return Err(RulesError::Taken(name.into())),
            Some(name) => name,
            None => RuleName::of_sentence(says.as_str(), is_taken),
        };
        self.rules.push(MadeRule {
            name: name.clone(),
            says,
            author: author.chars().take(MOST_AUTHOR).collect(),
            made,
            notify,
            more: Map::new(),
        });
        Ok(name)
    }

    /// Takes a rule away, if it is there.
    pub(crate) fn remove(&mut self, name: &RuleName) -> Option<MadeRule> {
        let at = self.rules.iter().position(|rule| rule.name == *name)?;
        Some(self.rules.remove(at))
    }

    fn has(&self, name: &RuleName) -> bool {
        self.rules.iter().any(|rule| rule.name == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(file: &mut RulesFile, says: &str) -> Result<RuleName, RulesError> {
        let asked = Asked {
            says: Sentence::parse(says)?,
            name: None,
            notify: None,
        };
        let other = RuleName::parse("motion").unwrap();
        file.add(asked, |name| *name == other, "anna", "now".into())
    }

    #[test]
    fn rules_are_added_and_taken_away_and_what_is_unknown_stays() {
        let text = r#"{"version":1,"later":[1],"rules":[{"name":"a","says":"a","x":{"y":2}}]}"#;
        let mut file = RulesFile::parse(text.as_bytes()).unwrap();
        let name = add(&mut file, "tell me when motion").unwrap();
        assert_eq!(name.as_str(), "motion-2");
        let again = RulesFile::parse(&file.to_json().unwrap()).unwrap();
        assert_eq!(again, file);
        let written = String::from_utf8(file.to_json().unwrap()).unwrap();
        for kept in ["\"later\":[1]", "\"x\":{\"y\":2}", "\"author\":\"anna\""] {
            assert!(written.contains(kept), "{written}");
        }
        assert!(file.remove(&name).is_some());
        assert!(file.remove(&name).is_none());
        assert_eq!(file.rules().len(), 1);
    }

    #[test]
    fn number_and_length_are_bounded() {
        let mut file = RulesFile::default();
        for number in 0..MOST_RULES {
            add(&mut file, &format!("thing {number}")).unwrap();
        }
        let full = add(&mut file, "one more").unwrap_err();
        assert!(matches!(full, RulesError::Full(MOST_RULES)), "{full}");
        let longest = "\u{1f4e6}".repeat(MOST_CHARACTERS);
        for (text, is_one) in [
            ("x", true),
            (longest.as_str(), true),
            (&format!("{longest}x"), false),
            ("  ", false),
            ("a\nb", false),
            ("a\u{2028}b", false),
            ("a\0b", false),
        ] {
            assert_eq!(Sentence::parse(text).is_ok(), is_one, "{text:?}");
        }
    }

    #[test]
    fn ways_are_named_once_and_bounded() {
        let many: Vec<String> = (0..MOST_WAYS).map(|it| it.to_string()).collect();
        assert_eq!(Ways::try_from(many.clone()).unwrap().names(), many);
        let more = [many, vec!["x".to_owned()]].concat();
        let long = "x".repeat(MOST_WAY_CHARACTERS + 1);
        for wrong in [
            more,
            vec![long],
            vec![String::new()],
            vec!["a\n".to_owned()],
        ] {
            assert!(Ways::try_from(wrong.clone()).is_err(), "{wrong:?}");
        }
        let twice = vec!["phone".to_owned(), "phone".to_owned()];
        assert!(Ways::try_from(twice).is_err());
    }

    #[test]
    fn what_is_no_file_of_rules_is_refused() {
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"version":1,"rules":[{"name":"../x","says":"a"}]}"#,
            r#"{"version":1,"rules":[{"name":"x","says":"a\nb"}]}"#,
            r#"{"version":1,"rules":[{"name":"x"}]}"#,
        ] {
            assert!(RulesFile::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let later = RulesFile::parse(br#"{"version":2,"rules":7}"#).unwrap_err();
        assert!(matches!(later, RulesError::Version(2)), "{later}");
    }
}
