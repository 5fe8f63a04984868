//! What a viewer may say, and how often.

use std::time::{Duration, Instant};

/// The longest message that is read.
pub(crate) const MOST_BYTES: usize = 1 << 10;

/// So many messages, pings among them, a viewer may send within so long: more than any page's.
const MOST: u32 = 20;
const WITHIN: Duration = Duration::from_secs(1);

/// Close codes (RFC 6455, section 7.4.1): of a kind that is not taken, and against the rules.
const UNSUPPORTED: u16 = 1003;
const POLICY: u16 = 1008;

/// What a viewer has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    Text(&'a str),
    Binary,
    /// A ping, or the answer to one.
    Sign,
}

/// What that comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Nothing,
    /// A keyframe.
    Key,
}

/// Why a viewer is sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwanted {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
}

/// Listens to one viewer.
#[derive(Debug)]
pub(crate) struct Listening {
    since: Instant,
    count: u32,
}

impl Listening {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
        }
    }

    /// Takes what a viewer has said. Words that are not known are left for later versions.
    pub(crate) fn hear(&mut self, said: Said<'_>, now: Instant) -> Result<Asked, Unwanted> {
        if now - self.since >= WITHIN {
            *self = Self::new(now);
        }
        self.count += 1;
        if self.count > MOST {
            return Err(Unwanted {
                code: POLICY,
                reason: "more messages than a viewer has to send",
            });
        }
        match said {
            Said::Text("k") => Ok(Asked::Key),
            Said::Text(_) | Said::Sign => Ok(Asked::Nothing),
            Said::Binary => Err(Unwanted {
                code: UNSUPPORTED,
                reason: "nothing binary is taken here",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_may_be_asked_for_and_other_words_are_left_alone() {
        let start = Instant::now();
        let mut listening = Listening::new(start);
        for (said, asked) in [
            (Said::Text("k"), Asked::Key),
            (Said::Text(""), Asked::Nothing),
            (Said::Text("{\"type\":\"later\"}"), Asked::Nothing),
            (Said::Sign, Asked::Nothing),
        ] {
            assert_eq!(listening.hear(said, start), Ok(asked), "{said:?}");
        }
        let refused = listening.hear(Said::Binary, start).unwrap_err();
        assert_eq!(refused.code, 1003);
    }

    #[test]
    fn a_viewer_that_talks_without_end_is_sent_away() {
        let start = Instant::now();
        let mut listening = Listening::new(start);
        for second in 0..3 {
            let now = start + Duration::from_secs(second);
            for _ in 0..20 {
                assert!(listening.hear(Said::Text("k"), now).is_ok());
            }
        }
        let soon = start + Duration::from_millis(2999);
        assert_eq!(listening.hear(Said::Sign, soon).unwrap_err().code, 1008);
    }
}
