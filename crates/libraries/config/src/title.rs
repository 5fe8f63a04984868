//! The title of a camera: how people call it, where its name is for URLs and files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// As long as still fits on a card of the viewer page.
const LONGEST: usize = 64;

/// A line of any text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

/// A title that is none.
#[derive(Debug, thiserror::Error)]
#[error("title {0:?}: use one line of 1 to {LONGEST} characters")]
pub struct TitleError(String);

impl Title {
    /// Gives the text. It may hold any character but those that control (line breaks and their
    /// kin): escape it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Title {
    type Err = TitleError;

    fn from_str(text: &str) -> Result<Self, TitleError> {
        let title = text.trim();
        let fits = (1..=LONGEST).contains(&title.chars().count());
        if fits && !title.contains(char::is_control) {
            Ok(Self(title.to_owned()))
        } else {
            Err(TitleError(text.to_owned()))
        }
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

impl TryFrom<String> for Title {
    type Error = TitleError;

    fn try_from(text: String) -> Result<Self, TitleError> {
        text.parse()
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_any_text_that_is_not_too_long() {
        for title in ["Bed", "Über dem Bett", "プリンター", "a < b & \"c\"", " x "] {
            assert_eq!(title.parse::<Title>().unwrap().as_str(), title.trim());
        }
        assert!("ü".repeat(LONGEST).parse::<Title>().is_ok());
        for wrong in ["", " ", "two\nlines", "\u{1b}[2J", &"x".repeat(65)] {
            assert!(wrong.parse::<Title>().is_err(), "{wrong:?}");
        }
    }
}
