//! Times of the week: `Mo-Fr 22:00-06:00, Sa 10:00-12:00`. They are of the clock on the wall;
//! whoever compares them knows the time zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// As many as anybody writes down; the text is bounded with them.
const MOST_SPANS: usize = 32;

const MINUTES_OF_DAY: u16 = 24 * 60;

/// The days, as people shorten them; three letters or the whole word will do, too.
const DAYS: [(&str, &str); 7] = [
    ("Mo", "Monday"),
    ("Tu", "Tuesday"),
    ("We", "Wednesday"),
    ("Th", "Thursday"),
    ("Fr", "Friday"),
    ("Sa", "Saturday"),
    ("Su", "Sunday"),
];

/// Any number of spans of the week, at least one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeekTimes(Vec<TimeSpan>);

/// The same hours on some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// The days on which it begins: bit 0 is Monday.
    pub days: u8,
    /// When it begins, in minutes after midnight: 0 to 1439.
    pub from_min: u16,
    /// When it ends, in minutes after midnight: 1 to 1440. One that is not after the beginning is
    /// on the day after.
    pub to_min: u16,
}

/// A text that is no times of the week.
#[derive(Debug, thiserror::Error)]
#[error(
    "at {text:?}: {reason}; use days and hours, for example \"Mo-Fr 22:00-06:00, Sa 10:00-12:00\" or \"08:00-20:00\""
)]
pub struct WeekTimesError {
    text: String,
    reason: String,
}

impl WeekTimes {
    /// Gives the spans in their order.
    pub fn spans(&self) -> &[TimeSpan] {
        &self.0
    }

    /// Says whether a minute of a day (0 is Monday) is within.
    pub fn contains(&self, day: u8, minute: u16) -> bool {
        let before = (day + 6) % 7;
        self.0.iter().any(|span| {
            let begins = |day: u8| span.days & 1 << day != 0;
            if span.from_min < span.to_min {
                return begins(day) && (span.from_min..span.to_min).contains(&minute);
            }
            begins(day) && minute >= span.from_min || begins(before) && minute < span.to_min
        })
    }
}

impl FromStr for WeekTimes {
    type Err = WeekTimesError;

    fn from_str(text: &str) -> Result<Self, WeekTimesError> {
        let wrong = |reason: String| WeekTimesError {
            text: text.to_owned(),
            reason,
        };
        let spans: Result<Vec<_>, _> = text.split([',', ';']).map(span).collect();
        let spans = spans.map_err(wrong)?;
        if spans.len() > MOST_SPANS {
            return Err(wrong(format!("more than {MOST_SPANS} spans")));
        }
        Ok(Self(spans))
    }
}

fn span(text: &str) -> Result<TimeSpan, String> {
    let mut words = text.split_whitespace().peekable();
    let mut days = 0;
    while let Some(word) = words.next_if(|word| !word.contains(':')) {
        days |= days_of(word)?;
    }
    let hours = words.next().ok_or("no hours")?;
    if let Some(more) = words.next() {
        return Err(format!("{more:?} is too much"));
    }
    let (from, to) = hours
        .split_once(['-', '–'])
        .ok_or_else(|| format!("{hours:?} is no hours"))?;
    let (from_min, to_min) = (minute_of(from)?, minute_of(to)?);
    if from_min == to_min || from_min == MINUTES_OF_DAY {
        return Err(format!("{hours:?} is no time at all"));
    }
    Ok(TimeSpan {
        days: if days == 0 { 0x7F } else { days },
        from_min,
        // Midnight as an end is that of the day.
        to_min: if to_min == 0 { MINUTES_OF_DAY } else { to_min },
    })
}

/// The days from one to another, past Sunday where need be.
fn days_of(word: &str) -> Result<u8, String> {
    let (first, last) = word.split_once(['-', '–']).unwrap_or((word, word));
    let (first, last) = (day_of(first)?, day_of(last)?);
    let count = (last + 7 - first) % 7;
    Ok((0..=count).fold(0, |days, day| days | 1 << ((first + day) % 7)))
}

fn day_of(word: &str) -> Result<u8, String> {
    let is_day = |day: &(&str, &str)| {
        let (short, long) = *day;
        [short, &long[..3], long]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(word))
    };
    let found = DAYS.iter().position(is_day);
    let day = found.ok_or_else(|| format!("{word:?} is no day of the week"))?;
    Ok(day as u8)
}

fn minute_of(text: &str) -> Result<u16, String> {
    let wrong = || format!("{text:?} is no time of day");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str, longest: usize| {
        let is_number =
            (1..=longest).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<u16>().ok().filter(|_| is_number)
    };
    match (number(hour, 2), number(minute, 2)) {
        (Some(24), Some(0)) => Ok(MINUTES_OF_DAY),
        (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(hour * 60 + minute),
        _ => Err(wrong()),
    }
}

impl fmt::Display for WeekTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, span) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            if span.days != 0x7F {
                let days = DAYS.iter().enumerate();
                for (_, (day, _)) in days.filter(|(day, _)| span.days & 1 << day != 0) {
                    write!(f, "{day} ")?;
                }
            }
            let clock = |minute: u16| (minute / 60, minute % 60);
            let ((from, past_from), (to, past_to)) = (clock(span.from_min), clock(span.to_min));
            write!(f, "{from:02}:{past_from:02}-{to:02}:{past_to:02}")?;
        }
        Ok(())
    }
}

impl From<WeekTimes> for String {
    fn from(times: WeekTimes) -> Self {
        times.to_string()
    }
}

impl TryFrom<String> for WeekTimes {
    type Error = WeekTimesError;

    fn try_from(text: String) -> Result<Self, WeekTimesError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(text: &str) -> WeekTimes {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_reaches_into_the_day_after() {
        let night = times("Mo-Fr 22:00-06:00, Sa 10:00-12:00");
        for (day, minute, expected) in [
            (0, 22 * 60, true),
            (0, 22 * 60 - 1, false),
            (0, 5 * 60, false),
            (1, 5 * 60 + 59, true),
            (1, 6 * 60, false),
            (5, 5 * 60, true),
            (5, 10 * 60, true),
            (5, 12 * 60, false),
            (5, 23 * 60, false),
            (6, 5 * 60, false),
        ] {
            assert_eq!(night.contains(day, minute), expected, "{day} {minute}");
        }
        let weekend = times("Sa-Mo 23:30-00:30");
        assert!(weekend.contains(1, 29) && !weekend.contains(5, 0) && weekend.contains(6, 0));
    }

    #[test]
    fn days_and_hours_are_written_as_people_do() {
        assert_eq!(times("08:00-20:00").spans()[0].days, 0x7F);
        assert_eq!(times("mon wednesday 8:00-9:00").spans()[0].days, 0b101);
        assert_eq!(times("Su-Tu 8:00-9:00").spans()[0].days, 0b100_0011);
        assert_eq!(times("Mo 20:00-00:00"), times("Mo 20:00-24:00"));
        assert!(times("00:00-24:00").contains(6, 1439));
        for text in [
            "Mo-Fr 22:00-06:00, Sa 10:00-12:00",
            "0:00-24:00",
            "Su 23:59-00:00",
        ] {
            assert_eq!(times(&times(text).to_string()), times(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for (text, words) in [
            ("", "no hours"),
            ("Mo", "no hours"),
            ("Mo-Xx 1:00-2:00", "\"Xx\" is no day"),
            ("Mo 25:00-26:00", "\"25:00\" is no time of day"),
            ("Mo 1:60-2:00", "\"1:60\" is no time of day"),
            ("Mo 8:00-8:00", "no time at all"),
            ("24:00-8:00", "no time at all"),
            ("0:00-0:00", "no time at all"),
            ("Mo 8:00", "\"8:00\" is no hours"),
            ("Mo 8:00-9:00 Tu", "\"Tu\" is too much"),
            ("Mo 8:00-9:00,", "no hours"),
        ] {
            let error = text.parse::<WeekTimes>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("at {text:?}: ")) && error.contains(words),
                "{error}"
            );
        }
        let many = vec!["8:00-9:00"; MOST_SPANS + 1].join(",");
        assert!(many.parse::<WeekTimes>().is_err());
    }
}
