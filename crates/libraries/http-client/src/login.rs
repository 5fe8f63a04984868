//! A user and a password, and what is said of them when a server asks: by Basic (RFC 7617) or
//! Digest (RFC 7616).

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;

use crate::challenge::{Challenge, best};

/// What a line of user and password may have.
pub const MOST_LOGIN_BYTES: usize = 1024;

/// A user with a password. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Why there is no login.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The file cannot be read.
    #[error("login file {0:?}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// Not `USER:PASSWORD`.
    #[error("login file {0:?}: must be one line of at most 1024 bytes, USER:PASSWORD")]
    Malformed(PathBuf),
}

impl Login {
    /// Reads a file of one line, `USER:PASSWORD`.
    ///
    /// # Errors
    /// [`LoginError`], without what is in the file.
    pub fn read(path: &Path) -> Result<Self, LoginError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| {
                file.take(MOST_LOGIN_BYTES as u64 + 3)
                    .read_to_end(&mut bytes)
            })
            .map_err(|error| LoginError::File(path.to_owned(), error))?;
        let text = std::str::from_utf8(&bytes).ok();
        let line = text.map(|text| text.trim_end_matches(['\r', '\n']));
        line.and_then(Self::new)
            .ok_or_else(|| LoginError::Malformed(path.to_owned()))
    }

    /// A login, if the text is `USER:PASSWORD` in one line.
    pub fn new(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        let fits = !user.is_empty() && text.len() <= MOST_LOGIN_BYTES;
        let is_plain = !text.contains(char::is_control);
        (fits && is_plain).then(|| Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Login(..)")
    }
}

/// How one server was told who asks, so that it can be told again with the next request.
#[derive(Clone, Debug)]
pub struct Authorization {
    login: Login,
    challenge: Challenge,
    cnonce: String,
    /// How many requests have had this nonce.
    count: u32,
}

impl Authorization {
    /// Answers the `WWW-Authenticate` of a 401 that a server gave: SHA-256 before MD5 before Basic.
    /// `cnonce` is any number. `None` where none of it can be answered.
    pub fn answering<'a>(
        login: &Login,
        fields: impl IntoIterator<Item = &'a HeaderValue>,
        cnonce: u64,
    ) -> Option<Self> {
        let fields = fields.into_iter().map(HeaderValue::as_bytes);
        Some(Self {
            login: login.clone(),
            challenge: best(fields)?,
            cnonce: format!("{cnonce:016x}"),
            count: 0,
        })
    }

    /// Whether the server says that only the nonce of the answer before was too old.
    pub fn is_stale(&self) -> bool {
        self.challenge.is_stale()
    }

    /// The `Authorization` of the next request, of path and query `target`.
    pub fn header(&mut self, method: &str, target: &str) -> Option<HeaderValue> {
        self.count = self.count.wrapping_add(1);
        let (login, cnonce) = (&self.login, &self.cnonce);
        let challenge = &self.challenge;
        let text = challenge.answer(login, method, target, self.count, cnonce);
        let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn is_one_line_that_is_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("login");
        for good in ["admin:secret\n", "admin:se:cret\r\n", "admin:", "jürgen:ü"] {
            fs::write(&path, good).unwrap();
            let login = Login::read(&path).unwrap();
            assert!(!format!("{login:?}").contains("cret"));
        }
        let long = format!("a:{}", "x".repeat(MOST_LOGIN_BYTES));
        for bad in [
            "",
            "secret",
            ":secret",
            "a:secret\nb:secret",
            "a:\tsecret",
            &long,
        ] {
            fs::write(&path, bad).unwrap();
            let error = Login::read(&path).unwrap_err().to_string();
            assert!(error.contains("USER:PASSWORD"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(Login::read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn counts_what_it_has_said_by_one_nonce() {
        let login = Login::new("u:p").unwrap();
        let field = HeaderValue::from_static("Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
        let mut said = Authorization::answering(&login, [&field], 7).unwrap();
        for count in ["00000001", "00000002"] {
            let header = said.header("GET", "/").unwrap();
            assert!(header.is_sensitive());
            assert!(header.to_str().unwrap().contains(&format!("nc={count}")));
        }
    }
}
