//! What a server asks of who asks it (`WWW-Authenticate`: RFC 9110, 11.6.1), and what is said to
//! it: Basic (RFC 7617), or Digest (RFC 7616: MD5 and SHA-256, `qop=auth`, or none as RFC 2069 had
//! it).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

use crate::login::Login;

/// Challenges that are looked at, and parameters of each: servers send two of six.
const MOST_CHALLENGES: usize = 16;
const MOST_PARAMETERS: usize = 16;

/// What a realm, a nonce or an opaque text may have, which go back with each request.
const MOST_TEXT_BYTES: usize = 2048;

/// A challenge that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Digest(DigestChallenge),
}

/// What Digest is computed from, as the server gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DigestChallenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As it is said again, where the server said one.
    algorithm_name: Option<&'static str>,
    has_qop: bool,
    hides_user: bool,
    is_stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Algorithm {
    hash: Hash,
    is_of_session: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

/// The best of the challenges in these fields that can be answered.
pub(crate) fn best<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Challenge> {
    let mut offered = Vec::new();
    for field in fields {
        let Ok(text) = std::str::from_utf8(field) else {
            continue;
        };
        offered.extend(challenges(text).into_iter().filter_map(Offer::understand));
        offered.truncate(MOST_CHALLENGES);
    }
    offered.into_iter().min_by_key(|challenge| match challenge {
        Challenge::Digest(digest) if digest.algorithm.hash == Hash::Sha256 => 0,
        Challenge::Digest(_) => 1,
        Challenge::Basic => 2,
    })
}

impl Challenge {
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Digest(digest) if digest.is_stale)
    }

    /// What `Authorization` says.
    pub(crate) fn answer(
        &self,
        login: &Login,
        method: &str,
        target: &str,
        count: u32,
        cnonce: &str,
    ) -> String {
        match self {
            Self::Basic => {
                let both = format!("{}:{}", login.user, login.password);
                format!("Basic {}", BASE64_STANDARD.encode(both))
            }
            Self::Digest(digest) => digest.answer(login, method, target, count, cnonce),
        }
    }
}

impl DigestChallenge {
    fn answer(
        &self,
        login: &Login,
        method: &str,
        target: &str,
        count: u32,
        cnonce: &str,
    ) -> String {
        let hash = |text: &str| self.algorithm.hash.of(text);
        let (realm, nonce) = (&self.realm, &self.nonce);
        let (user, password) = (&login.user, &login.password);
        let mut secret = hash(&format!("{user}:{realm}:{password}"));
        if self.algorithm.is_of_session {
            secret = hash(&format!("{secret}:{nonce}:{cnonce}"));
        }
        let request = hash(&format!("{method}:{target}"));
        let response = if self.has_qop {
            hash(&format!(
                "{secret}:{nonce}:{count:08x}:{cnonce}:auth:{request}"
            ))
        } else {
            hash(&format!("{secret}:{nonce}:{request}"))
        };
        let user = if self.hides_user {
            hash(&format!("{user}:{realm}"))
        } else {
            quoted(user)
        };
        let mut said = format!(
            "Digest username=\"{user}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", \
             response=\"{response}\"",
            quoted(realm),
            quoted(nonce),
            quoted(target)
        );
        if let Some(name) = self.algorithm_name {
            said += &format!(", algorithm={name}");
        }
        if let Some(opaque) = &self.opaque {
            said += &format!(", opaque=\"{}\"", quoted(opaque));
        }
        if self.has_qop {
            said += &format!(", qop=auth, nc={count:08x}, cnonce=\"{cnonce}\"");
        } else if self.algorithm.is_of_session {
            said += &format!(", cnonce=\"{cnonce}\"");
        }
        if self.hides_user {
            said += ", userhash=true";
        }
        said
    }
}

impl Hash {
    fn of(self, text: &str) -> String {
        let bytes = match self {
            Self::Md5 => Md5::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A challenge as it is written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn understand(self) -> Option<Challenge> {
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !self.scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let text = |name| self.get(name).map(str::to_owned);
        let says = |name, word: &str| {
            let value = self.get(name);
            value.is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let (algorithm, algorithm_name) = match self.get("algorithm") {
            Some(name) => {
                let (algorithm, name) = known(name)?;
                (algorithm, Some(name))
            }
            None => (known("MD5")?.0, None),
        };
        let has_qop = match self.get("qop") {
            Some(qop) => {
                let mut words = qop.split([',', ' ']).map(str::trim);
                if !words.any(|word| word.eq_ignore_ascii_case("auth")) {
                    return None;
                }
                true
            }
            None => false,
        };
        Some(Challenge::Digest(DigestChallenge {
            realm: text("realm")?,
            nonce: text("nonce")?,
            opaque: text("opaque"),
            algorithm,
            algorithm_name,
            has_qop,
            hides_user: says("userhash", "true"),
            is_stale: says("stale", "true"),
        }))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

fn known(name: &str) -> Option<(Algorithm, &'static str)> {
    let all = [
        ("MD5", Hash::Md5, false),
        ("MD5-sess", Hash::Md5, true),
        ("SHA-256", Hash::Sha256, false),
        ("SHA-256-sess", Hash::Sha256, true),
    ];
    let mut all = all.into_iter();
    let (name, hash, is_of_session) = all.find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    let algorithm = Algorithm {
        hash,
        is_of_session,
    };
    Some((algorithm, name))
}

/// The challenges of one field. A word that is followed by `=` is a parameter of the challenge
/// before it, any other begins the next one; what is neither is passed over.
fn challenges(text: &str) -> Vec<Offer> {
    let mut found: Vec<Offer> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return found;
        }
        let length = rest.find(|char| !is_token(char)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        let has_room = found.len() < MOST_CHALLENGES;
        rest = match (value, found.last_mut()) {
            // A token68 (`Negotiate abc==`) ends in such, too.
            (Some(value), Some(offer)) if !word.is_empty() => {
                let (value, after) = value_of(value.trim_start_matches([' ', '\t']));
                let fits = value.len() <= MOST_TEXT_BYTES && !value.contains(char::is_control);
                if fits && offer.parameters.len() < MOST_PARAMETERS {
                    offer.parameters.push((word.to_owned(), value));
                }
                after
            }
            (None, _) if !word.is_empty() && has_room => {
                found.push(Offer {
                    scheme: word.to_owned(),
                    parameters: Vec::new(),
                });
                after
            }
            _ => rest.find(',').map_or("", |comma| &rest[comma..]),
        };
    }
}

/// A value, in quotes or not, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let length = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(length);
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &inside[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            _ => value.push(char),
        }
    }
    (value, "")
}

/// RFC 9110, 5.6.2.
fn is_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    use super::*;

    /// Whatever a server asks for, what is said to it is one line that can be a header, is bounded,
    /// and, read as a challenge is, has what the server gave.
    ///
    /// # Panics
    /// Where that does not hold.
    pub(crate) fn challenge(bytes: &[u8]) {
        let fields = bytes.split(|byte| *byte == b'\n');
        let Some(challenge) = best(fields) else {
            return;
        };
        let Some(login) = Login::new("us\"er:pass:word") else {
            panic!("a login");
        };
        let said = challenge.answer(&login, "GET", "/a?b=\"c\"", 1, "0123");
        assert!(said.len() <= 8 * MOST_TEXT_BYTES + 1024);
        assert!(!said.contains("pass:word") && !said.contains(char::is_control));
        assert!(hyper::header::HeaderValue::from_bytes(said.as_bytes()).is_ok());
        let Challenge::Digest(digest) = &challenge else {
            return;
        };
        let read = challenges(&said);
        assert_eq!(read.len(), 1, "{said}");
        assert_eq!(read[0].get("realm"), Some(digest.realm.as_str()));
        assert_eq!(read[0].get("nonce"), Some(digest.nonce.as_str()));
        assert_eq!(read[0].get("opaque"), digest.opaque.as_deref());
        assert_eq!(read[0].get("uri"), Some("/a?b=\"c\""));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn best_of(fields: &[&str]) -> Option<Challenge> {
        best(fields.iter().map(|field| field.as_bytes()))
    }

    fn said(field: &str, login: &str, target: &str, cnonce: &str) -> String {
        let login = Login::new(login).unwrap();
        let challenge = best_of(&[field]).unwrap();
        challenge.answer(&login, "GET", target, 1, cnonce)
    }

    #[test]
    fn says_what_the_examples_of_the_rfcs_say() {
        let basic = said("Basic realm=\"WallyWorld\"", "Aladdin:open sesame", "/", "");
        assert_eq!(basic, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        // RFC 7616, 3.9.1.
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let field = format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"{nonce}\", opaque=\"{opaque}\""
            );
            let said = said(&field, "Mufasa:Circle of Life", "/dir/index.html", cnonce);
            for part in [
                &format!("response=\"{response}\""),
                "username=\"Mufasa\"",
                "uri=\"/dir/index.html\"",
                &format!("algorithm={algorithm}"),
                "qop=auth, nc=00000001",
                &format!("opaque=\"{opaque}\""),
            ] {
                assert!(said.contains(part), "{part} in {said}");
            }
        }
        // RFC 2069, with the response of its errata.
        let field = "Digest realm=\"testrealm@host.com\", \
                     nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let said = said(field, "Mufasa:CircleOfLife", "/dir/index.html", "x");
        assert!(
            said.contains("response=\"1949323746fe6a43ef61f9606e7febea\""),
            "{said}"
        );
        assert!(
            !said.contains("qop") && !said.contains("algorithm"),
            "{said}"
        );
    }

    #[test]
    fn takes_the_best_of_what_is_offered() {
        let realm = "realm=\"a, Basic b\", nonce=\"n\"";
        let hash = |fields: &[&str]| match best_of(fields) {
            Some(Challenge::Digest(digest)) => Some(digest.algorithm.hash),
            Some(Challenge::Basic) => None,
            None => panic!("none of {fields:?}"),
        };
        let md5 = format!("Digest {realm}");
        let sha = format!("digest {realm}, algorithm=sha-256, qop=auth");
        assert_eq!(hash(&[&md5, &sha]), Some(Hash::Sha256));
        assert_eq!(
            hash(&[&format!("Basic realm=x, {md5}, {sha}")]),
            Some(Hash::Sha256)
        );
        assert_eq!(hash(&[&format!("Negotiate aGk=, {md5}")]), Some(Hash::Md5));
        assert_eq!(hash(&["Basic"]), None);
        for none in [
            "",
            "Negotiate",
            "Bearer realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest realm=\"x\", nonce=\"n\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"n\", qop=\"auth-int\"",
            "=, \"",
        ] {
            assert_eq!(best_of(&[none]), None, "{none}");
        }
    }

    #[test]
    fn knows_a_nonce_that_is_only_old() {
        for (field, is_stale) in [
            ("Digest realm=x, nonce=y, stale=TRUE", true),
            ("Digest realm=x, nonce=y, stale=false", false),
            ("Digest realm=x, nonce=y", false),
        ] {
            assert_eq!(best_of(&[field]).unwrap().is_stale(), is_stale, "{field}");
        }
    }

    #[test]
    fn hides_the_user_where_that_is_wanted() {
        let field =
            "Digest realm=\"r\", nonce=\"n\", userhash=true, algorithm=SHA-256-sess, qop=auth";
        let said = said(field, "alice:secret", "/", "c");
        assert!(
            said.contains("userhash=true") && !said.contains("alice"),
            "{said}"
        );
        assert!(said.contains("algorithm=SHA-256-sess"), "{said}");
    }

    proptest! {
        #[test]
        fn holds_for_anything(text in "(Digest|Basic|[ -~]{0,9})( [a-z]{1,6} ?= ?\"?[ -~]{0,9}\"?,?){0,9}") {
            fuzzing::challenge(text.as_bytes());
        }
    }
}
