//! What is asked: pictures of a camera, and rules in words.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

/// Before, most movement, now. Costs are of pictures, hardly of words.
pub const MOST_PICTURES: usize = 3;

/// Width and height of a picture that is asked about: what models look at in tiles of some 500
/// pixels, larger ones cost more and say little more.
pub const MOST_PX: u32 = 640;

/// What a picture may weigh. One of 640 pixels has 30 to 60 kB.
pub const MOST_PICTURE_BYTES: usize = 512 << 10;

/// Rules in one question: as many as a camera may have.
pub const MOST_RULES: usize = 32;

/// Characters of a rule's words.
pub const MOST_WORDS_CHARS: usize = 500;

const SECONDS_OF_DAY: i64 = 86_400;

/// Which moment a picture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before anything moved.
    Before,
    /// When most of the picture moved.
    MostMovement,
    /// The newest: what the answer is about.
    Now,
}

/// A picture that is asked about.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Which moment it is of.
    pub moment: Moment,
    /// When it was captured.
    pub captured: SystemTime,
    /// A JPEG, at most [`MOST_PX`] wide and high.
    pub jpeg: Bytes,
}

/// A rule as its user has written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInWords {
    /// Its name, by which the answer names it.
    pub name: String,
    /// What is to be seen for a "yes".
    pub words: String,
}

/// All that is asked at once.
#[derive(Clone, Debug)]
pub struct Question {
    pictures: Vec<Picture>,
    rules: Vec<RuleInWords>,
    clock_ahead_of_utc_s: i32,
}

/// Why something cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// None, or more than [`MOST_PICTURES`].
    #[error("a question has one to three pictures")]
    Pictures,
    /// More than [`MOST_PICTURE_BYTES`].
    #[error("a picture of {0} bytes is larger than a question's may be (512 KiB)")]
    PictureBytes(usize),
    /// None, or more than [`MOST_RULES`].
    #[error("a question is about one to 32 rules")]
    Rules,
    /// Two of the same name: an answer could be about either.
    #[error("two rules have one name")]
    SameName,
}

impl Question {
    /// A question. The pictures are put in the order of their capture; `clock_ahead_of_utc_s` is
    /// how many seconds the clock on the wall is ahead of UTC, for a model is told times of day.
    ///
    /// # Errors
    /// [`QuestionError`]
    pub fn new(
        mut pictures: Vec<Picture>,
        rules: Vec<RuleInWords>,
        clock_ahead_of_utc_s: i32,
    ) -> Result<Self, QuestionError> {
        if !(1..=MOST_PICTURES).contains(&pictures.len()) {
            return Err(QuestionError::Pictures);
        }
        let mut bytes = pictures.iter().map(|picture| picture.jpeg.len());
        if let Some(bytes) = bytes.find(|&bytes| bytes > MOST_PICTURE_BYTES) {
            return Err(QuestionError::PictureBytes(bytes));
        }
        if !(1..=MOST_RULES).contains(&rules.len()) {
            return Err(QuestionError::Rules);
        }
        let repeated = |(index, rule): (usize, &RuleInWords)| {
            rules[..index].iter().any(|other| other.name == rule.name)
        };
        if rules.iter().enumerate().any(repeated) {
            return Err(QuestionError::SameName);
        }
        pictures.sort_by_key(|picture| picture.captured);
        Ok(Self {
            pictures,
            rules,
            clock_ahead_of_utc_s,
        })
    }

    /// What is asked about, in the order of capture.
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// What is asked.
    pub fn rules(&self) -> &[RuleInWords] {
        &self.rules
    }

    /// What stands above a picture.
    pub(crate) fn caption(&self, index: usize) -> String {
        let picture = &self.pictures[index];
        let moment = match picture.moment {
            Moment::Before => "before anything moved",
            Moment::MostMovement => "when most moved",
            Moment::Now => "now",
        };
        let time = time_of_day(picture.captured, self.clock_ahead_of_utc_s);
        format!("Picture {}: {time}, {moment}.", index + 1)
    }

    /// The rules, one a line. A rule's words cannot make a line of their own.
    pub(crate) fn rules_as_lines(&self) -> String {
        let mut lines = String::new();
        for rule in &self.rules {
            let _ = writeln!(lines, "{}: {}", rule.name, on_one_line(&rule.words));
        }
        lines.truncate(lines.trim_end().len());
        lines
    }
}

/// The same words without line breaks and control characters, at most [`MOST_WORDS_CHARS`].
fn on_one_line(words: &str) -> String {
    let words: String = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = words.split_whitespace().collect();
    words.join(" ").chars().take(MOST_WORDS_CHARS).collect()
}

fn time_of_day(at: SystemTime, ahead_s: i32) -> String {
    // A clock before 1970 shows midnight.
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let of_day = (seconds % SECONDS_OF_DAY + i64::from(ahead_s)).rem_euclid(SECONDS_OF_DAY);
    let (hours, minutes) = (of_day / 3600, of_day / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", of_day % 60)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-28 14:02:40 UTC.
    pub(crate) const NOW_S: u64 = 1_795_874_560;

    pub(crate) fn picture(moment: Moment, seconds: u64) -> Picture {
        Picture {
            moment,
            captured: UNIX_EPOCH + Duration::from_secs(seconds),
            jpeg: Bytes::from(format!("{moment:?}")),
        }
    }

    pub(crate) fn rule(name: &str, words: &str) -> RuleInWords {
        RuleInWords {
            name: name.to_owned(),
            words: words.to_owned(),
        }
    }

    pub(crate) fn question() -> Question {
        let pictures = vec![
            picture(Moment::Now, NOW_S),
            picture(Moment::Before, NOW_S - 30),
            picture(Moment::MostMovement, NOW_S - 9),
        ];
        let rules = vec![
            rule("parcel", "a parcel has been left at the door"),
            rule("visitor", "somebody waits at the door"),
        ];
        Question::new(pictures, rules, 3600).unwrap()
    }

    #[test]
    fn says_of_each_picture_when_it_was() {
        let question = question();
        let captions: Vec<String> = (0..3).map(|index| question.caption(index)).collect();
        assert_eq!(
            captions,
            [
                "Picture 1: 15:02:10, before anything moved.",
                "Picture 2: 15:02:31, when most moved.",
                "Picture 3: 15:02:40, now.",
            ]
        );
    }

    #[test]
    fn times_of_day_go_round() {
        for (seconds, ahead_s, shown) in [
            (0, 0, "00:00:00"),
            (0, -3600, "23:00:00"),
            (86_399, 1, "00:00:00"),
            (NOW_S, 12 * 3600, "02:02:40"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(time_of_day(at, ahead_s), shown);
        }
    }

    #[test]
    fn refuses_what_cannot_be_asked() {
        let now = || vec![picture(Moment::Now, NOW_S)];
        let rules = |count| (0..count).map(|it| rule(&it.to_string(), "w")).collect();
        let new = Question::new;
        assert_eq!(
            new(vec![], rules(1), 0).unwrap_err(),
            QuestionError::Pictures
        );
        let four = (0..4).map(|it| picture(Moment::Now, it)).collect();
        assert_eq!(new(four, rules(1), 0).unwrap_err(), QuestionError::Pictures);
        assert_eq!(new(now(), rules(0), 0).unwrap_err(), QuestionError::Rules);
        assert_eq!(new(now(), rules(33), 0).unwrap_err(), QuestionError::Rules);
        assert!(new(now(), rules(32), 0).is_ok());
        let twice = vec![rule("a", "x"), rule("a", "y")];
        assert_eq!(new(now(), twice, 0).unwrap_err(), QuestionError::SameName);
        let mut large = now();
        large[0].jpeg = Bytes::from(vec![0; MOST_PICTURE_BYTES + 1]);
        assert!(matches!(
            new(large, rules(1), 0),
            Err(QuestionError::PictureBytes(_))
        ));
    }

    proptest! {
        #[test]
        fn words_make_no_line_of_their_own(words in any::<String>()) {
            let rules = vec![rule("a", &words), rule("b", "x")];
            let question = Question::new(vec![picture(Moment::Now, 0)], rules, 0).unwrap();
            let lines = question.rules_as_lines();
            prop_assert_eq!(lines.lines().count(), 2);
            prop_assert!(lines.chars().count() <= MOST_WORDS_CHARS + 8);
        }
    }
}
