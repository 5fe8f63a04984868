//! What a line says of a look: in words, and in fields for who looks for them in the journal
//! (systemd.journal-fields(7)).

use std::fmt;
use std::time::Duration;

use eyelid_daemon::logging::CAMERA_FIELD;
use log::kv::{Error, Key, Source, Value, VisitSource};

use crate::looker::{Looker, Way};

/// Fields of the journal.
const USER: &str = "EYELID_USER";
const ADDRESS: &str = "EYELID_ADDRESS";
const PROXY: &str = "EYELID_PROXY";
const WAY: &str = "EYELID_WAY";
/// That a look began, or has ended.
const LOOK: &str = "EYELID_LOOK";
const SECONDS: &str = "EYELID_SECONDS";
const FRAMES: &str = "EYELID_FRAMES";
const BYTES: &str = "EYELID_BYTES";

/// A line about a look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) looker: Looker,
    pub(crate) way: Way,
    pub(crate) told: Told,
    /// How many lines were left out before it.
    pub(crate) left_out: u64,
}

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// That the look has begun.
    Began,
    /// What it came to.
    Ended {
        /// From the first frame until the last client had left.
        lasted: Duration,
        /// What went.
        sent: Sent,
    },
}

/// What went to a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) frames: u64,
    pub(crate) bytes: u64,
}

impl Sent {
    /// Counts what went besides.
    pub(crate) fn add(&mut self, more: Self) {
        self.frames = self.frames.saturating_add(more.frames);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let looker = &self.looker;
        // Quoted, so that no user's name can look like another line, or paint the terminal.
        if let Some(user) = &looker.user {
            write!(f, "{user:?} at ")?;
        }
        f.write_str(&looker.address)?;
        if let Some(proxy) = &looker.proxy {
            write!(f, " (through {proxy})")?;
        }
        let (camera, way) = (looker.camera.as_str(), self.way.words());
        match self.told {
            Told::Began => write!(f, " looks at camera {camera:?} by {way}")?,
            Told::Ended { lasted, sent } => {
                let Sent { frames, bytes } = sent;
                let s = if frames == 1 { "" } else { "s" };
                let seconds = tenths(lasted);
                write!(
                    f,
                    " looked at camera {camera:?} by {way}: {frames} frame{s}, {bytes} bytes in {seconds:.1} s"
                )?;
            }
        }
        match self.left_out {
            0 => Ok(()),
            1 => f.write_str(" (a line about another look was left out before)"),
            lines => write!(f, " ({lines} lines about other looks were left out before)"),
        }
    }
}

impl Source for Line {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        let looker = &self.looker;
        let mut field = |name, value| visitor.visit_pair(Key::from_str(name), value);
        field(CAMERA_FIELD, Value::from(looker.camera.as_str()))?;
        if let Some(user) = &looker.user {
            field(USER, Value::from(user.as_str()))?;
        }
        field(ADDRESS, Value::from(looker.address.as_str()))?;
        if let Some(proxy) = &looker.proxy {
            field(PROXY, Value::from(proxy.as_str()))?;
        }
        field(WAY, Value::from(self.way.name()))?;
        match self.told {
            Told::Began => field(LOOK, Value::from("began")),
            Told::Ended { lasted, sent } => {
                field(LOOK, Value::from("ended"))?;
                field(SECONDS, Value::from(tenths(lasted)))?;
                field(FRAMES, Value::from(sent.frames))?;
                field(BYTES, Value::from(sent.bytes))
            }
        }
    }
}

/// Seconds, to a tenth.
fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The fields of a record, as a journal gets them.
    #[derive(Default)]
    pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

    impl<'kvs> VisitSource<'kvs> for Fields {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
            self.0.push((key.to_string(), value.to_string()));
            Ok(())
        }
    }

    fn fields(line: &Line) -> String {
        let mut fields = Fields::default();
        line.visit(&mut fields).unwrap();
        let fields = fields.0.iter().map(|(key, value)| format!("{key}={value}"));
        fields.collect::<Vec<_>>().join(" ")
    }

    fn line(told: Told) -> Line {
        Line {
            looker: Looker {
                camera: "door".parse().unwrap(),
                user: None,
                address: "192.0.2.7".into(),
                proxy: None,
            },
            way: Way::Stream,
            told,
            left_out: 0,
        }
    }

    fn ended(frames: u64, bytes: u64) -> Told {
        Told::Ended {
            lasted: Duration::from_millis(24_123),
            sent: Sent { frames, bytes },
        }
    }

    #[test]
    fn the_beginning_says_who_looks_at_what() {
        let line = line(Told::Began);
        let words = r#"192.0.2.7 looks at camera "door" by MJPEG"#;
        assert_eq!(line.to_string(), words);
        let said =
            "EYELID_CAMERA=door EYELID_ADDRESS=192.0.2.7 EYELID_WAY=stream EYELID_LOOK=began";
        assert_eq!(fields(&line), said);
    }

    #[test]
    fn the_end_says_what_it_came_to() {
        let mut line = line(ended(360, 14_212_345));
        line.looker.user = Some("anna".into());
        line.looker.proxy = Some("127.0.0.1".into());
        let words = r#""anna" at 192.0.2.7 (through 127.0.0.1) looked at camera "door" by MJPEG: 360 frames, 14212345 bytes in 24.1 s"#;
        assert_eq!(line.to_string(), words);
        let said = "EYELID_CAMERA=door EYELID_USER=anna EYELID_ADDRESS=192.0.2.7 \
            EYELID_PROXY=127.0.0.1 EYELID_WAY=stream EYELID_LOOK=ended EYELID_SECONDS=24.1 \
            EYELID_FRAMES=360 EYELID_BYTES=14212345";
        assert_eq!(fields(&line), said);
    }

    #[test]
    fn a_snapshot_is_one_frame_and_what_was_left_out_is_told() {
        let mut line = line(Told::Ended {
            lasted: Duration::ZERO,
            sent: Sent {
                frames: 1,
                bytes: 23_068,
            },
        });
        line.way = Way::Snapshot;
        line.left_out = 7;
        let words = r#"192.0.2.7 looked at camera "door" by snapshots: 1 frame, 23068 bytes in 0.0 s (7 lines about other looks were left out before)"#;
        assert_eq!(line.to_string(), words);
    }

    #[test]
    fn a_users_name_makes_no_line_of_its_own() {
        let mut line = line(Told::Began);
        line.looker.user = Some("anna\nben looks \u{1b}[31m".into());
        let said = line.to_string();
        assert!(!said.contains(['\n', '\u{1b}']), "{said}");
        // In a field it is what it is: the journal knows where that ends.
        assert!(fields(&line).contains("EYELID_USER=anna\nben"));
    }
}
