//! Who may change something on the page of alerts.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::watch_values::WatchValueError;

/// More users than anybody lists one by one.
const MOST_USERS: usize = 100;

/// The longest name of a user.
const LONGEST_USER: usize = 255;

/// Who may make rules on the page and keep cases there: users are those of the server's password
/// file. In the file `true`, `false` or a list of names, as a flag with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AskOnPage {
    /// Nobody.
    #[default]
    Nobody,
    /// Everybody who is signed in.
    Everybody,
    /// These users.
    Users(Vec<String>),
}

impl AskOnPage {
    /// Says whether this user may.
    pub fn has(&self, user: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Users(users) => users.iter().any(|known| known == user),
        }
    }

    /// Says whether anybody may.
    pub fn has_anybody(&self) -> bool {
        *self != Self::Nobody
    }

    fn users(users: Vec<String>) -> Result<Self, WatchValueError> {
        let wrong = |user: &&String| {
            // As in the password file: a colon ends the name there.
            user.is_empty() || user.len() > LONGEST_USER || user.contains([':', ',']) || {
                user.contains(char::is_control) || user.trim() != user.as_str()
            }
        };
        if let Some(user) = users.iter().find(wrong) {
            return Err(WatchValueError::User(user.clone()));
        }
        if users.is_empty() || users.len() > MOST_USERS {
            return Err(WatchValueError::Users(users.len()));
        }
        Ok(Self::Users(users))
    }
}

impl From<bool> for AskOnPage {
    fn from(may: bool) -> Self {
        if may { Self::Everybody } else { Self::Nobody }
    }
}

impl FromStr for AskOnPage {
    type Err = WatchValueError;

    fn from_str(text: &str) -> Result<Self, WatchValueError> {
        match text {
            "true" => Ok(Self::Everybody),
            "false" => Ok(Self::Nobody),
            users => Self::users(users.split(',').map(str::to_owned).collect()),
        }
    }
}

impl Serialize for AskOnPage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nobody => serializer.serialize_bool(false),
            Self::Everybody => serializer.serialize_bool(true),
            Self::Users(users) => {
                let mut list = serializer.serialize_seq(Some(users.len()))?;
                users
                    .iter()
                    .try_for_each(|user| list.serialize_element(user))?;
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for AskOnPage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BoolOrUsers)
    }
}

struct BoolOrUsers;

impl<'de> Visitor<'de> for BoolOrUsers {
    type Value = AskOnPage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or a list of users, for example [\"anna\"]")
    }

    fn visit_bool<E: Error>(self, may: bool) -> Result<AskOnPage, E> {
        Ok(may.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AskOnPage, A::Error> {
        let mut users = Vec::new();
        while let Some(user) = list.next_element()? {
            users.push(user);
        }
        AskOnPage::users(users).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WatchOptions;

    fn of_file(value: &str) -> Result<AskOnPage, String> {
        let text = format!("ask-on-page = {value}");
        let options: Result<WatchOptions, _> = toml::from_str(&text);
        let options = options.map_err(|error| error.message().to_owned())?;
        Ok(options.ask_on_page.unwrap())
    }

    #[test]
    fn it_is_a_switch_or_a_list_of_users() {
        let users = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            AskOnPage::Users(names.collect())
        };
        for (value, flag, expected) in [
            ("true", "true", AskOnPage::Everybody),
            ("false", "false", AskOnPage::Nobody),
            ("[\"anna\"]", "anna", users(&["anna"])),
            ("[\"anna\", \"b c\"]", "anna,b c", users(&["anna", "b c"])),
        ] {
            let read = of_file(value).unwrap();
            assert_eq!(read, expected, "{value}");
            assert_eq!(flag.parse::<AskOnPage>().unwrap(), expected);
            let options = WatchOptions {
                ask_on_page: Some(read),
                ..WatchOptions::default()
            };
            let written = toml::to_string(&options).unwrap();
            let read: WatchOptions = toml::from_str(&written).unwrap();
            assert_eq!(read, options);
        }
        for (value, words) in [
            ("\"anna\"", "or a list of users"),
            ("1", "or a list of users"),
            ("[]", "0 users"),
            ("[\"\"]", "user \"\""),
            ("[\"a:b\"]", "user \"a:b\""),
            ("[\" a\"]", "user \" a\""),
            ("[1]", "string"),
        ] {
            let error = of_file(value).unwrap_err();
            assert!(error.contains(words), "{value}: {error}");
        }
        for flag in ["", "anna,", "a:b"] {
            assert!(flag.parse::<AskOnPage>().is_err(), "{flag:?}");
        }
    }

    #[test]
    fn only_who_is_named_may() {
        let users = "anna,ben".parse::<AskOnPage>().unwrap();
        assert!(users.has("anna") && users.has("ben") && users.has_anybody());
        assert!(!users.has("Anna") && !users.has("") && !users.has("anna,ben"));
        assert!(AskOnPage::Everybody.has("carl") && !AskOnPage::Nobody.has("anna"));
        assert!(!AskOnPage::default().has_anybody());
    }
}
