//! Basic authentication (RFC 7617) against an htpasswd file with bcrypt hashes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Longest password that bcrypt takes whole.
const MAX_PASSWORD_BYTES: usize = 72;

/// What htpasswd lets a hash cost. Less is no bcrypt: nobody would get in. Each step more doubles the time in which nobody
/// else is let in either: 17 takes seconds, 31 more than a day.
const COSTS: RangeInclusive<u32> = 4..=17;

/// How many right answers are remembered, so that a client polling snapshots costs one hash and not one a picture.
const REMEMBERED: usize = 64;

/// Who may look.
pub(crate) struct Users {
    hashes: HashMap<String, String>,
    /// Somebody's hash, checked for users that are not there, so that they cannot be told by the time it takes. That
    /// takes hashes of one cost: htpasswd gives all of them the same unless told otherwise.
    decoy: String,
    /// Credentials that were right, as they came.
    right: RefCell<Vec<Vec<u8>>>,
    /// Hashing costs tens of milliseconds: one at a time, so that guessing cannot take every core.
    one_at_a_time: Semaphore,
}

/// Why a password file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// It cannot be read.
    #[error("password file {0:?}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A line is not `USER:BCRYPT`.
    #[error("password file {0:?}, line {1}: {2} (make it with: htpasswd -B FILE USER)")]
    Line(PathBuf, usize, &'static str),
    /// Nobody is in it.
    #[error("password file {0:?}: it names nobody (make it with: htpasswd -B -c FILE USER)")]
    Empty(PathBuf),
}

impl Users {
    /// Reads an htpasswd file. Empty lines and lines that start with `#` are ignored.
    ///
    /// # Errors
    /// See [`AuthError`].
    pub(crate) fn load(path: &Path) -> Result<Self, AuthError> {
        let text =
            fs::read_to_string(path).map_err(|error| AuthError::Read(path.to_owned(), error))?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, AuthError> {
        let mut hashes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what| AuthError::Line(path.to_owned(), number + 1, what);
            let (user, hash) = line
                .split_once(':')
                .ok_or_else(|| wrong("no colon after the user"))?;
            if user.is_empty() {
                return Err(wrong("no user before the colon"));
            }
            let hashed: bcrypt::HashParts =
                hash.parse().map_err(|_| wrong("the hash is not bcrypt"))?;
            if !COSTS.contains(&hashed.get_cost()) {
                return Err(wrong("the cost of the hash is not 4 to 17"));
            }
            if hashes.insert(user.to_owned(), hash.to_owned()).is_some() {
                return Err(wrong("this user is there already"));
            }
        }
        let decoy = hashes
            .values()
            .next()
            .cloned()
            .ok_or_else(|| AuthError::Empty(path.to_owned()))?;
        Ok(Self {
            hashes,
            decoy,
            right: RefCell::default(),
            one_at_a_time: Semaphore::new(1),
        })
    }

    /// Says whether an `Authorization` header lets its sender look.
    pub(crate) async fn admit(&self, authorization: Option<&[u8]>) -> bool {
        let Some(authorization) = authorization else {
            return false;
        };
        if self
            .right
            .borrow()
            .iter()
            .any(|right| bool::from(right.as_slice().ct_eq(authorization)))
        {
            return true;
        }
        let Some((user, password)) = credentials(authorization) else {
            return false;
        };
        let known = self.hashes.get(&user).cloned();
        let hash = known.clone().unwrap_or_else(|| self.decoy.clone());
        let Ok(_turn) = self.one_at_a_time.acquire().await else {
            return false;
        };
        let verified =
            tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
        let admitted = verified.await.unwrap_or(false) && known.is_some();
        if admitted {
            let mut right = self.right.borrow_mut();
            if right.len() == REMEMBERED {
                right.remove(0);
            }
            right.push(authorization.to_vec());
        }
        admitted
    }
}

/// The user and password of a Basic `Authorization` header.
fn credentials(authorization: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    (password.len() <= MAX_PASSWORD_BYTES).then(|| (user.to_owned(), password.to_owned()))
}

#[cfg(any(test, fuzzing))]
mod checks;

#[cfg(any(test, fuzzing))]
pub use checks::users as check_users;

#[cfg(test)]
mod tests {
    use super::*;

    fn header(credentials: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(credentials)).into_bytes()
    }

    fn parse(text: &str) -> Result<Users, String> {
        Users::parse(text, Path::new("htpasswd")).map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn lets_in_who_knows_the_password_and_nobody_else() {
        // As `htpasswd -B` writes it ($2y$), and as others do ($2b$).
        let anna = bcrypt::hash_with_result("secret", 4).unwrap();
        let file = format!(
            "# comment\n\nanna:{}\nben:{}\n",
            anna.format_for_version(bcrypt::Version::TwoY),
            bcrypt::hash("x:y", 4).unwrap()
        );
        let users = parse(&file).unwrap();
        for right in ["anna:secret", "ben:x:y", "anna:secret"] {
            assert!(users.admit(Some(&header(right))).await, "{right}");
        }
        assert!(
            users
                .admit(Some(&[b"bAsIc ", &header("anna:secret")[6..]].concat()))
                .await
        );
        for wrong in [
            "anna:Secret",
            "anna:",
            "anna",
            "carl:secret",
            ":",
            &format!("anna:{}", "x".repeat(100)),
        ] {
            assert!(!users.admit(Some(&header(wrong))).await, "{wrong}");
        }
        assert!(!users.admit(None).await);
        for wrong in ["", "Basic", "Basic !!!", "Bearer c2VjcmV0", "Basic /w=="] {
            assert!(!users.admit(Some(wrong.as_bytes())).await, "{wrong}");
        }
        assert!(users.right.borrow().len() <= REMEMBERED);
    }

    #[test]
    fn says_which_line_is_wrong() {
        let hash = bcrypt::hash("x", 4).unwrap();
        for (text, line) in [
            ("anna".to_owned(), 1),
            (format!("anna:{hash}\nben:$apr1$abc$def"), 2),
            (format!("anna:{hash}\n\nanna:{hash}"), 3),
            (format!(":{hash}"), 1),
            (format!("anna:{}", hash.replacen("$04$", "$03$", 1)), 1),
            (format!("anna:{}", hash.replacen("$04$", "$18$", 1)), 1),
        ] {
            let error = parse(&text).err().unwrap();
            assert!(error.contains(&format!("line {line}:")), "{error}");
        }
        assert!(parse("# nobody\n").err().unwrap().contains("names nobody"));
    }
}
