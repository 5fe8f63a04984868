//! Who may look: Digest (RFC 2617 without qop, which is that of RFC 2069) and Basic, by one file of
//! htdigest's.
//!
//! Both schemes need what Digest is computed from, the MD5 of user, realm and password; the bcrypt
//! hashes of the server's file cannot give it. A nonce is one connection's alone and good for a
//! while, so what was overheard is of no use on another, nor later. The file is to be as secret as
//! the passwords: whoever has it can compute every response.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use eyelid_http::basic_credentials;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::rtsp::target::{path_of, presentation_url};

/// Who may look.
#[derive(Debug)]
pub(crate) struct Users {
    realm: String,
    /// The MD5 of `USER:REALM:PASSWORD` for each user, in lower hexadecimal digits.
    secrets: HashMap<String, String>,
}

/// A user who was let in, with what was their secret then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    user: String,
    secret: String,
}

/// What is wrong with a password file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsersError {
    /// It cannot be read.
    #[error("password file {0:?}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A line is not `USER:REALM:MD5`.
    #[error("password file {0:?}, line {1}: {2} (make it with: htdigest FILE Eyelid USER)")]
    Line(PathBuf, usize, &'static str),
    /// Nobody is in it.
    #[error("password file {0:?}: it names nobody (make it with: htdigest -c FILE Eyelid USER)")]
    Empty(PathBuf),
}

/// Why a request's `Authorization` does not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unauthorized {
    /// There is none.
    Missing,
    /// It is right, but was computed for another nonce than the one that is good: an older one, or
    /// that of another connection.
    Stale,
    /// User or password are wrong.
    Wrong,
}

impl Users {
    /// Reads a file as htdigest makes it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn load(path: &Path) -> Result<Self, UsersError> {
        let text = fs::read_to_string(path).map_err(|e| UsersError::Read(path.to_owned(), e))?;
        Self::parse(&text, path)
    }

    /// Reads what stands in the file at `path`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, UsersError> {
        let mut users: Option<Self> = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what| UsersError::Line(path.to_owned(), number + 1, what);
            let mut fields = line.split(':');
            let (Some(user), Some(realm), Some(secret), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(wrong("it is not USER:REALM:MD5"));
            };
            let is_md5 = secret.len() == 32 && secret.bytes().all(|b| b.is_ascii_hexdigit());
            if user.is_empty() || !is_md5 {
                return Err(wrong("it is not USER:REALM:MD5"));
            }
            if realm.contains(['"', '\\']) || realm.contains(char::is_control) {
                return Err(wrong("its realm has characters that no client takes"));
            }
            let users = users.get_or_insert_with(|| Self {
                realm: realm.to_owned(),
                secrets: HashMap::new(),
            });
            if users.realm != realm {
                return Err(wrong("its realm is not that of the lines before"));
            }
            let secret = secret.to_ascii_lowercase();
            if users.secrets.insert(user.to_owned(), secret).is_some() {
                return Err(wrong("this user is there already"));
            }
        }
        users.ok_or_else(|| UsersError::Empty(path.to_owned()))
    }

    /// The values of `WWW-Authenticate`, the better one first.
    pub(crate) fn challenges(&self, nonce: &str, reason: Unauthorized) -> [String; 2] {
        let realm = &self.realm;
        let stale = match reason {
            Unauthorized::Stale => ", stale=true",
            Unauthorized::Missing | Unauthorized::Wrong => "",
        };
        [
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5{stale}"),
            format!("Basic realm=\"{realm}\""),
        ]
    }

    /// Gives who sends a request with this method and URL, on a connection where this nonce is
    /// good, if one is.
    ///
    /// # Errors
    /// Why it is nobody who may look.
    pub(crate) fn judge(
        &self,
        authorization: Option<&str>,
        method: &str,
        url: &str,
        nonce: Option<&str>,
    ) -> Result<Login, Unauthorized> {
        let authorization = authorization.ok_or(Unauthorized::Missing)?;
        let scheme = authorization.split(' ').next().unwrap_or_default();
        if scheme.eq_ignore_ascii_case("digest") {
            return self.judge_digest(&authorization[scheme.len()..], method, url, nonce);
        }
        let credentials = basic_credentials(authorization.as_bytes());
        let (user, password) = credentials.ok_or(Unauthorized::Wrong)?;
        let login = self.login(&user);
        let given = md5_hex(&format!("{user}:{}:{password}", self.realm));
        if is_same(&given, &login.secret) {
            Ok(login)
        } else {
            Err(Unauthorized::Wrong)
        }
    }

    /// Says whether who was let in then would be now.
    pub(crate) fn know(&self, login: &Login) -> bool {
        self.secrets.get(&login.user) == Some(&login.secret)
    }

    /// What who calls themselves this is to know; the secret of who is no user is empty.
    fn login(&self, user: &str) -> Login {
        Login {
            user: user.to_owned(),
            secret: self.secrets.get(user).cloned().unwrap_or_default(),
        }
    }

    fn judge_digest(
        &self,
        text: &str,
        method: &str,
        url: &str,
        good: Option<&str>,
    ) -> Result<Login, Unauthorized> {
        let parameters = parameters(text);
        let parameter = |name: &str| {
            let known = parameters.iter().find(|(key, _)| key == name);
            known.map_or("", |(_, value)| value.as_str())
        };
        let named = parameter("uri");
        // Some clients sign the path alone, some the presentation's URL for the track, too
        // (live555).
        let base = presentation_url(url);
        if ![url, path_of(url), base].contains(&named) {
            return Err(Unauthorized::Wrong);
        }
        let login = self.login(parameter("username"));
        let secret = &login.secret;
        let what = md5_hex(&format!("{method}:{named}"));
        let nonce = parameter("nonce");
        let right = md5_hex(&format!("{secret}:{nonce}:{what}"));
        let is_right = is_same(&right, &parameter("response").to_ascii_lowercase());
        if !is_right || secret.is_empty() {
            Err(Unauthorized::Wrong)
        } else if Some(nonce) == good {
            Ok(login)
        } else {
            // Said to nobody else (RFC 2617, section 3.2.1): clients ask for the password then.
            Err(Unauthorized::Stale)
        }
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn md5_hex(text: &str) -> String {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parameters of a header (RFC 2617, section 3.2.2), the names in small letters.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = after.find(',').unwrap_or(after.len());
                (after[..end].trim_end().to_owned(), &after[end..])
            }
        };
        all.push((name.trim().to_ascii_lowercase(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    all
}

/// The value of a quoted text, and what follows it.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "rtsp://h:8554/door";

    fn users() -> Users {
        // htdigest of user anna, password "se:cret".
        let secret = md5_hex("anna:Eyelid:se:cret");
        Users::parse(&format!("# us\nanna:Eyelid:{secret}\n"), Path::new("f")).unwrap()
    }

    fn digest(user: &str, password: &str, uri: &str, nonce: &str) -> String {
        let secret = md5_hex(&format!("{user}:Eyelid:{password}"));
        let response = md5_hex(&format!(
            "{secret}:{nonce}:{}",
            md5_hex(&format!("DESCRIBE:{uri}"))
        ));
        format!(
            "Digest username=\"{user}\", realm=\"Eyelid\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\""
        )
    }

    fn judge(authorization: &str) -> Result<Login, Unauthorized> {
        users().judge(Some(authorization), "DESCRIBE", URL, Some("n1"))
    }

    #[test]
    fn md5_is_that_of_rfc_1321() {
        assert_eq!(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn lets_in_who_knows_the_password_by_either_scheme() {
        // The last: `printf %s anna:se:cret | base64`.
        for right in [
            digest("anna", "se:cret", URL, "n1"),
            digest("anna", "se:cret", "/door", "n1"),
            "Basic YW5uYTpzZTpjcmV0".to_owned(),
        ] {
            assert_eq!(judge(&right), Ok(users().login("anna")), "{right}");
        }
        for wrong in [
            digest("anna", "secret", URL, "n1"),
            digest("ben", "se:cret", URL, "n1"),
            digest("", "", URL, "n1"),
            digest("anna", "se:cret", "/bed", "n1"),
            digest("anna", "se:cret", URL, "n1").replace("response=", "x="),
            "Basic YW5uYTpzZWNyZXQ=".to_owned(),
            "Basic YmVuOng=".to_owned(),
            "Basic !".to_owned(),
            "Digest".to_owned(),
            "Bearer x".to_owned(),
        ] {
            assert_eq!(judge(&wrong), Err(Unauthorized::Wrong), "{wrong}");
        }
        let missing = users().judge(None, "DESCRIBE", URL, Some("n1"));
        assert_eq!(missing, Err(Unauthorized::Missing));
    }

    #[test]
    fn the_presentations_url_lets_in_to_its_track_and_to_no_other() {
        let judge = |uri, url| {
            let authorization = digest("anna", "se:cret", uri, "n1");
            users().judge(Some(&authorization), "DESCRIBE", url, Some("n1"))
        };
        for (uri, track) in [
            ("rtsp://h/door/", "rtsp://h/door/track=0"),
            ("rtsp://h/door/", "rtsp://h/door/track=0?size=half"),
            ("rtsp://h/", "rtsp://h/track=0"),
        ] {
            assert!(judge(uri, track).is_ok(), "{track}");
        }
        for (uri, track) in [
            ("rtsp://h/bed/", "rtsp://h/door/track=0"),
            ("rtsp://h/", "rtsp://h/door/track=0"),
            ("", "track=0"),
        ] {
            assert_eq!(judge(uri, track), Err(Unauthorized::Wrong), "{track}");
        }
    }

    #[test]
    fn what_was_computed_for_another_connection_or_method_does_not_let_in() {
        let replayed = digest("anna", "se:cret", URL, "n0");
        assert_eq!(judge(&replayed), Err(Unauthorized::Stale));
        let guessed = judge(&digest("anna", "x", URL, "n0"));
        assert_eq!(guessed, Err(Unauthorized::Wrong));
        let late = users().judge(Some(&replayed), "DESCRIBE", URL, None);
        assert_eq!(late, Err(Unauthorized::Stale));
        let [digest_challenge, _] = users().challenges("n1", Unauthorized::Stale);
        assert!(
            digest_challenge.ends_with("stale=true"),
            "{digest_challenge}"
        );
        let other = digest("anna", "se:cret", URL, "n1");
        let judged = users().judge(Some(&other), "PLAY", URL, Some("n1"));
        assert_eq!(judged, Err(Unauthorized::Wrong));
    }

    #[test]
    fn a_login_is_good_until_its_user_or_secret_is_another() {
        let file = |name: &str, password: &str| {
            let secret = md5_hex(&format!("{name}:Eyelid:{password}"));
            let other = md5_hex("ben:Eyelid:other");
            let text = format!("ben:Eyelid:{other}\n{name}:Eyelid:{secret}\n");
            Users::parse(&text, Path::new("f")).unwrap()
        };
        for granted in [
            digest("anna", "se:cret", URL, "n1"),
            "Basic YW5uYTpzZTpjcmV0".to_owned(),
        ] {
            let login = judge(&granted).unwrap();
            assert!(users().know(&login) && file("anna", "se:cret").know(&login));
            assert!(!file("anna", "another").know(&login), "{granted}");
            assert!(!file("carl", "se:cret").know(&login), "{granted}");
        }
    }

    #[test]
    fn says_which_line_is_wrong() {
        let md5 = "0".repeat(32);
        for (text, words) in [
            (format!("anna:{md5}"), "line 1: it is not"),
            (format!("a:R:{md5}\nb:S:{md5}"), "line 2: its realm is not"),
            (format!("a:R:{md5}\n\na:R:{md5}"), "line 3: this user"),
            (format!("a:R\":{md5}"), "no client takes"),
            (format!("a:R:{md5}0"), "it is not"),
            ("#\n".to_owned(), "names nobody"),
        ] {
            let error = Users::parse(&text, Path::new("f")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn parameters_are_quoted_or_not() {
        let all = parameters(r#" A="x, \"y\"", b=1 , c="""#);
        let expected = [("a", "x, \"y\""), ("b", "1"), ("c", "")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(all, expected);
    }
}
