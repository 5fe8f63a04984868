//! The name of a rule: in the configuration, in file names, in URLs, and as a model is asked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name, in bytes.
const MOST_BYTES: usize = 64;

/// How many words of a sentence make a name.
const WORDS: usize = 3;

/// Words that say nothing of what is asked for.
const EMPTY_WORDS: &[&str] = &[
    "a", "an", "and", "are", "at", "been", "from", "has", "have", "i", "if", "in", "is", "me",
    "of", "on", "please", "tell", "that", "the", "there", "to", "was", "when",
];

/// A rule's name: 1 to 64 of `A-Z a-z 0-9 _ -` and, not first, `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RuleName(String);

impl RuleName {
    /// Reads a name, if it is one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=MOST_BYTES).contains(&text.len());
        (fits && !text.starts_with('.') && text.bytes().all(is_plain))
            .then(|| Self(text.to_owned()))
    }

    /// Makes one for a sentence, which none of the others `is_taken` has.
    pub(crate) fn of_sentence(says: &str, is_taken: impl Fn(&Self) -> bool) -> Self {
        let lower = says.to_ascii_lowercase();
        let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
        let telling: Vec<&str> = words
            .filter(|word| !word.is_empty() && word.len() <= 20 && !EMPTY_WORDS.contains(word))
            .take(WORDS)
            .collect();
        let stem = match telling[..] {
            [] => "rule".to_owned(),
            _ => telling.join("-"),
        };
        let first = Self(stem.clone());
        let numbered = (2u32..).map(|number| Self(format!("{stem}-{number}")));
        let mut names = std::iter::once(first).chain(numbered);
        // There are more numbers than rules.
        names.find(|name| !is_taken(name)).unwrap_or(Self(stem))
    }

    /// Gives the name as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no name of a rule.
#[derive(Debug, thiserror::Error)]
#[error("rule name {0:?}: use 1 to 64 letters, digits, '_', '-' or '.', the first of them not '.'")]
pub(crate) struct RuleNameError(String);

impl TryFrom<String> for RuleName {
    type Error = RuleNameError;

    fn try_from(text: String) -> Result<Self, RuleNameError> {
        Self::parse(&text).ok_or(RuleNameError(text))
    }
}

impl From<RuleName> for String {
    fn from(name: RuleName) -> Self {
        name.0
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_gives_its_telling_words() {
        let named = |says: &str| RuleName::of_sentence(says, |_| false).as_str().to_owned();
        assert_eq!(
            named("Tell me when a parcel has been left at the door"),
            "parcel-left-door"
        );
        assert_eq!(named("\u{1f4e6}?"), "rule");
        let taken = |name: &RuleName| ["parcel", "parcel-2"].contains(&name.as_str());
        assert_eq!(RuleName::of_sentence("parcel", taken).as_str(), "parcel-3");
        for says in [&"x".repeat(200)[..], &"x y ".repeat(50), "a-b/../c"] {
            let name = named(says);
            assert_eq!(RuleName::parse(&name).unwrap().as_str(), name);
        }
    }
}
