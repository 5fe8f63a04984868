//! What a camera shows to be let in: a random token, of which only the hash is kept.
//!
//! A token of 256 random bits cannot be guessed, so one round of SHA-256 is enough (unlike for
//! passwords, which people choose).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eyelid_slot::CameraName;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// How many random bytes a token is made of.
const TOKEN_BYTES: usize = 32;

type Hash = [u8; 32];

/// The tokens of a file, by the camera that they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tokens(HashMap<CameraName, Vec<Hash>>);

/// What is wrong with a file of tokens.
#[derive(Debug, thiserror::Error)]
#[error("{fault}")]
pub(crate) struct TokenError {
    fault: TokenFault,
}

/// The fault itself.
#[derive(Debug, thiserror::Error)]
enum TokenFault {
    #[error("token file {0:?}: {1}")]
    Read(PathBuf, std::io::Error),
    #[error(
        "token file {0:?}, line {1}: {2} (make one with: eyelid-receive --new-token NAME >> FILE)"
    )]
    Line(PathBuf, usize, &'static str),
}

/// Makes a token; gives it, and the line for a file of tokens.
///
/// # Errors
/// What the system's source of random bytes said.
pub(crate) fn new_token(name: &CameraName) -> Result<(String, String), getrandom::Error> {
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)?;
    let token = URL_SAFE_NO_PAD.encode(random);
    let hash: String = hash(&token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let line = format!("{name}:{hash}");
    Ok((token, line))
}

impl Tokens {
    /// Reads a file: lines `NAME:HASH` with the SHA-256 hash in hexadecimal digits. Empty lines and
    /// lines that start with `#` are ignored; a camera may have several tokens.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub(crate) fn load(path: &Path) -> Result<Self, TokenError> {
        let text = fs::read_to_string(path).map_err(|error| TokenError {
            fault: TokenFault::Read(path.to_owned(), error),
        })?;
        Self::parse(&text, path)
    }

    /// Reads the lines of a file.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, TokenError> {
        let mut tokens: HashMap<CameraName, Vec<Hash>> = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what| TokenError {
                fault: TokenFault::Line(path.to_owned(), number + 1, what),
            };
            let (name, hash) = line
                .split_once(':')
                .ok_or_else(|| wrong("no colon after the camera's name"))?;
            let name = name
                .trim()
                .parse()
                .map_err(|_| wrong("the name of no camera before the colon"))?;
            let hash = parse_hash(hash.trim())
                .ok_or_else(|| wrong("what follows the colon is no SHA-256 hash of 64 digits"))?;
            tokens.entry(name).or_default().push(hash);
        }
        Ok(Self(tokens))
    }

    /// Says whether each token of the camera is one in `other`, too.
    pub(crate) fn are_all_in(&self, other: &Self, name: &CameraName) -> bool {
        let of = |tokens: &Self| tokens.0.get(name).cloned().unwrap_or_default();
        let others = of(other);
        of(self).iter().all(|hash| others.contains(hash))
    }

    /// Says whether the camera has one.
    pub(crate) fn has(&self, name: &CameraName) -> bool {
        self.0.contains_key(name)
    }

    /// Says whether a token is one of the camera's, in a time that tells nothing about them.
    pub(crate) fn admit(&self, name: &CameraName, token: &str) -> bool {
        let shown = hash(token);
        let hashes = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        let any = hashes
            .iter()
            .fold(Choice::from(0), |any, hash| any | hash.ct_eq(&shown));
        any.into()
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn parse_hash(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> CameraName {
        name.parse().unwrap()
    }

    fn parse(text: &str) -> Result<Tokens, String> {
        Tokens::parse(text, Path::new("tokens")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_token_opens_for_its_camera_and_no_other() {
        let (door, line) = new_token(&name("door")).unwrap();
        let (second, other_line) = new_token(&name("door")).unwrap();
        let (bed, bed_line) = new_token(&name("bed")).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(&door).unwrap().len(), TOKEN_BYTES);
        let file = format!("# tokens\n\n{line}\n {other_line} \n{bed_line}\n");
        let tokens = parse(&file).unwrap();
        for token in [&door, &second] {
            assert!(tokens.admit(&name("door"), token));
            assert!(!tokens.admit(&name("bed"), token));
            assert!(!tokens.admit(&name("attic"), token));
        }
        assert!(tokens.admit(&name("bed"), &bed));
        assert!(!tokens.admit(&name("bed"), ""));
        assert!(tokens.has(&name("bed")) && !tokens.has(&name("attic")));
        assert!(!file.contains(&door), "the token itself is in no file");
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let line = "x:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(parse(line).unwrap().admit(&name("x"), "abc"));
    }

    #[test]
    fn says_which_line_is_wrong() {
        let digits = "0".repeat(64);
        for (text, line) in [
            ("door".to_owned(), 1),
            (format!("door:{digits}\nbed:{}", &digits[1..]), 2),
            (format!("\n#\n../x:{digits}"), 3),
            (format!("door:{}g", &digits[1..]), 1),
            (format!("door:{}\u{fc}", &digits[2..]), 1),
            (format!("door:+{}", &digits[1..]), 1),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains(&format!("line {line}:")), "{text}: {error}");
        }
    }
}
