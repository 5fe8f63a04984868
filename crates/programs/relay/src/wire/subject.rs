//! Subjects: what a request is sent to, in words between which `.` stands.
//!
//! ```text
//! eyelid.v1                        which hosts there are
//! eyelid.v1.HOST                   what the host shares, and which program does it
//! eyelid.v1.HOST.CAMERA            its frames
//! eyelid.v1.HOST.CAMERA.RENDITION  those of a rendition
//! eyelid.v1.HOST.CAMERA.state      what the camera is doing
//! ```
//!
//! A camera's name may have a `.`, which would be the end of a word, and may not become a wildcard
//! (`*`, `>`) or end the line of the protocol that carries it. So all but letters, digits, `_` and
//! `-` is written as `%` and two hexadecimal digits. Only this way of writing a name is read:
//! brokers give rights by the text of a subject, and a second text for the same camera would be a
//! way around them.

use std::fmt;
use std::str::FromStr;

use eyelid_slot::{CameraName, Rendition};

use super::name::{FarCamera, HostName};

/// What all subjects begin with, and the subject that all hosts hear.
const ROOT: &str = "eyelid.v1";

/// The last word of the subject of a camera's state. No rendition has this name.
const STATE: &str = "state";

/// Longer than all of them: the prefix, a host, a camera's 64 characters escaped, a rendition.
const MAX_SUBJECT_BYTES: usize = 300;

/// What a request is sent to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Which hosts there are ([`super::Presence`]).
    Hosts,
    /// What a host shares ([`super::Directory`]).
    Host(HostName),
    /// A camera's frames, or those of one of its renditions.
    Frames(FarCamera, Option<Rendition>),
    /// What a camera is doing ([`super::FarState`]).
    State(FarCamera),
}

/// A text that is no subject of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// It has another number of words than any subject, or another beginning.
    #[error("no subject of eyelid.v1")]
    Other,
    /// No host has such a name.
    #[error("the subject's host has no name that hosts have")]
    Host,
    /// A word is empty, or not written as names are.
    #[error("the subject's camera is not written as cameras are")]
    Escape,
    /// No camera has such a name.
    #[error("the subject's camera has no name that cameras have")]
    Camera,
    /// What stands behind the camera is neither a rendition nor its state.
    #[error("the subject names no rendition that there is")]
    Rendition,
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if text.len() > MAX_SUBJECT_BYTES {
            return Err(SubjectError::Other);
        }
        let words = text.strip_prefix(ROOT).ok_or(SubjectError::Other)?;
        if words.is_empty() {
            return Ok(Self::Hosts);
        }
        let words = words.strip_prefix('.').ok_or(SubjectError::Other)?;
        let mut words = words.split('.');
        // `split` gives one word at least.
        let host: HostName = words
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(|_| SubjectError::Host)?;
        let (camera, what) = (words.next(), words.next());
        if words.next().is_some() {
            return Err(SubjectError::Other);
        }
        let Some(camera) = camera else {
            return Ok(Self::Host(host));
        };
        let camera: CameraName = unescape(camera)
            .ok_or(SubjectError::Escape)?
            .parse()
            .map_err(|_| SubjectError::Camera)?;
        let far = FarCamera { host, camera };
        match what {
            None => Ok(Self::Frames(far, None)),
            Some(STATE) => Ok(Self::State(far)),
            Some(name) => {
                let rendition = name.parse().map_err(|_| SubjectError::Rendition)?;
                Ok(Self::Frames(far, Some(rendition)))
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(ROOT)?;
        let (far, what) = match self {
            Self::Hosts => return Ok(()),
            Self::Host(host) => return write!(formatter, ".{host}"),
            Self::Frames(far, rendition) => (far, rendition.map(Rendition::name)),
            Self::State(far) => (far, Some(STATE)),
        };
        let camera = escape(far.camera.as_str());
        write!(formatter, ".{}.{camera}", far.host)?;
        what.map_or(Ok(()), |what| write!(formatter, ".{what}"))
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Writes a text as one word of a subject.
fn escape(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte) {
            word.push(char::from(byte));
        } else {
            word.push_str(&format!("%{byte:02X}"));
        }
    }
    word
}

/// Gives the text that [`escape`] writes as this word; `None` if it writes none so.
fn unescape(word: &str) -> Option<String> {
    let mut bytes = word.bytes();
    let mut text = Vec::with_capacity(word.len());
    while let Some(byte) = bytes.next() {
        text.push(if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?].map(char::from);
            let [high, low] = digits.map(|digit| digit.to_digit(16));
            u8::try_from(high? * 16 + low?).ok()?
        } else {
            byte
        });
    }
    let text = String::from_utf8(text).ok()?;
    (!text.is_empty() && escape(&text) == word).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn far(camera: &str) -> FarCamera {
        FarCamera {
            host: "pi".parse().unwrap(),
            camera: camera.parse().unwrap(),
        }
    }

    #[test]
    fn subjects_say_host_camera_and_rendition() {
        for (subject, text) in [
            (Subject::Hosts, "eyelid.v1"),
            (Subject::Host("pi".parse().unwrap()), "eyelid.v1.pi"),
            (Subject::Frames(far("door"), None), "eyelid.v1.pi.door"),
            (Subject::Frames(far("a.b"), None), "eyelid.v1.pi.a%2Eb"),
            (
                Subject::Frames(far("door"), Some(Rendition::Quarter)),
                "eyelid.v1.pi.door.quarter",
            ),
            (Subject::State(far("state")), "eyelid.v1.pi.state.state"),
        ] {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse(), Ok(subject), "{text}");
        }
    }

    #[test]
    fn a_camera_has_one_subject_alone() {
        use SubjectError::{Camera, Escape, Host, Other, Rendition};
        for (text, error) in [
            ("eyelid.v1.pi.%64oor", Escape),
            ("eyelid.v1.pi.a%2eb", Escape),
            ("eyelid.v1.pi.a%2", Escape),
            ("eyelid.v1.pi.a%+2b", Escape),
            ("eyelid.v1.pi.", Escape),
            ("eyelid.v1.pi.*", Escape),
            ("eyelid.v1.pi.>", Escape),
            ("eyelid.v1.pi.a b", Escape),
            ("eyelid.v1.pi.a%2Fb", Camera),
            ("eyelid.v1.pi.%2E%2E", Camera),
            ("eyelid.v1.pi.current%2Elow", Camera),
            ("eyelid.v1.pi.%C3%A4", Camera),
            ("eyelid.v1.pi.a.b", Rendition),
            ("eyelid.v1.pi.a.", Rendition),
            ("eyelid.v1.*.a", Host),
            ("eyelid.v1.pi%2Elan.a", Host),
            ("eyelid.v1.", Host),
            ("eyelid.v", Other),
            ("eyelid.v10", Other),
            ("eyelid.v2.pi.a", Other),
            ("eyelid.v1.pi.a.low.low", Other),
        ] {
            assert_eq!(text.parse::<Subject>(), Err(error), "{text}");
        }
        let long = format!("{ROOT}.pi.{}", "%2E".repeat(1000));
        assert_eq!(long.parse::<Subject>(), Err(SubjectError::Other));
    }

    #[test]
    fn the_longest_names_fit() {
        let subject = Subject::Frames(
            FarCamera {
                host: "h".repeat(63).parse().unwrap(),
                camera: format!("a{}", ".".repeat(63)).parse().unwrap(),
            },
            Some(Rendition::Quarter),
        );
        assert_eq!(subject.to_string().parse(), Ok(subject));
    }

    proptest! {
        #[test]
        fn any_text_is_one_word_and_found_again(text in "\\PC{1,20}|[.*> %]{1,9}|[\0-\u{1f}]{1,5}") {
            let word = escape(&text);
            prop_assert!(word.bytes().all(|byte| is_plain(byte) || byte == b'%'));
            prop_assert_eq!(unescape(&word), Some(text));
        }

        #[test]
        fn what_is_read_is_written_so(text in "eyelid\\.v1(\\.([a-z]|%2E|%[0-9A-Fa-f]{2}|low|state){0,4}){0,5}") {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert_eq!(subject.to_string(), text);
            }
        }
    }
}
