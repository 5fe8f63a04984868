//! A key that shows who asks (`Authorization: Bearer`, RFC 6750).

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hyper::header::HeaderValue;

/// What a key may have; the longest that services give out are tokens of some 2 KiB.
pub const MOST_KEY_BYTES: usize = 4096;

/// A secret. It is never shown, and goes over no wire in the clear: a request with one is refused
/// unless it goes by https or to this machine.
#[derive(Clone)]
pub struct Key {
    header: HeaderValue,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("key file {0:?}: {1}")]
    File(PathBuf, io::Error),
    /// Nothing is in it.
    #[error("key file {0:?}: is empty")]
    Empty(PathBuf),
    /// Not one line of visible ASCII, or too long.
    #[error("key file {0:?}: must be one line of at most 4096 visible ASCII characters")]
    Malformed(PathBuf),
}

impl Key {
    /// Reads a file that holds the key and nothing else; white space around it is left out.
    ///
    /// # Errors
    /// [`KeyError`], without what is in the file.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST_KEY_BYTES as u64 + 2).read_to_end(&mut bytes))
            .map_err(|error| KeyError::File(path.to_owned(), error))?;
        let text = bytes.trim_ascii();
        if text.is_empty() {
            return Err(KeyError::Empty(path.to_owned()));
        }
        Self::new(text).ok_or_else(|| KeyError::Malformed(path.to_owned()))
    }

    /// A key, if it is one line of visible ASCII.
    pub fn new(text: &[u8]) -> Option<Self> {
        let fits = (1..=MOST_KEY_BYTES).contains(&text.len());
        if !fits || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut header = HeaderValue::from_bytes(&[b"Bearer ", text].concat()).ok()?;
        header.set_sensitive(true);
        Some(Self { header })
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn reads_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "sk-abc123\n").unwrap();
        let key = Key::read(&path).unwrap();
        assert_eq!(key.header(), "Bearer sk-abc123");
        assert!(!format!("{key:?} {:?}", key.header()).contains("abc"));
    }

    #[test]
    fn tells_nothing_of_what_it_refuses() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert!(matches!(Key::read(&path), Err(KeyError::File(..))));
        for (bytes, says) in [
            (&b"  \n"[..], "is empty"),
            (b"two words", "one line"),
            (b"two\nlines", "one line"),
            (b"secret\xff", "one line"),
            (&[b'a'; MOST_KEY_BYTES + 1], "one line"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = Key::read(&path).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert!(
                !error.contains("secret") && !error.contains("two"),
                "{error}"
            );
        }
    }
}
