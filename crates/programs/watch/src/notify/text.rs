//! What an alert is in words, for those who show no more than a few lines.

use crate::alert::{Alert, BLIND_RULE, Cause, Judge, Kind, bounded};
use crate::local_clock::LocalClock;

/// How many characters a line may have: what a telephone shows of a notification.
const MOST: usize = 600;

/// What happened, how that is known, and when it was by this clock.
pub(super) fn text(alert: &Alert, clock: &LocalClock) -> String {
    let what = match alert.kind {
        Kind::Seen => seen(alert),
        Kind::Blind => format!("{}.", blind(alert)),
        Kind::SeesAgain => format!("It can see again; before: {}.", blind(alert)),
        Kind::HeldBack if alert.rule == BLIND_RULE => format!(
            "It could not see {} more times, which was not told: an hour had as many alerts of \
             that as it may have. It was because {}.",
            alert.held_back,
            blind(alert)
        ),
        Kind::HeldBack => format!(
            "{} more alerts of this rule were not told: an hour had as many as it may have.",
            alert.held_back
        ),
    };
    let held_back = match (alert.kind, alert.held_back) {
        (Kind::Seen | Kind::Blind, 1..) => format!(" {} before were not told.", alert.held_back),
        _ => String::new(),
    };
    let when = clock.time_of_day(alert.at);
    bounded(&format!("{what}{held_back} {when}"), MOST)
}

fn seen(alert: &Alert) -> String {
    let said = alert.reason.as_deref().or(alert.asked.as_deref());
    let what = said.unwrap_or(match alert.judge {
        Some(Judge::Motion) => "Something moves.",
        Some(Judge::Left) => "Something was left or taken.",
        Some(Judge::Still) => "Nothing moves any more.",
        Some(Judge::Sees) => "The detector sees it.",
        Some(Judge::Says | Judge::Obico) | None => "It is seen.",
    });
    match alert.confidence {
        Some(sure) => format!("{what} ({:.0} % sure)", sure.clamp(0.0, 1.0) * 100.0),
        None => what.to_owned(),
    }
}

fn blind(alert: &Alert) -> &'static str {
    match (alert.cause, alert.judge) {
        (Some(Cause::NoFrames), _) => "the camera gives no pictures",
        (Some(Cause::EndpointDown), Some(Judge::Obico)) => "Obico's server does not answer",
        (Some(Cause::EndpointDown), _) => "the model does not answer",
        (Some(Cause::BudgetSpent), _) => "as many questions were asked as may be",
        (Some(Cause::AnswersInvalid), _) => "what the model answers is no answer",
        (None, _) => "nothing can be seen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_and_how_sure_and_when() {
        let at = humantime::parse_rfc3339("2026-11-28T14:02:40.123Z").unwrap();
        let mut alert = Alert::new("door".parse().unwrap(), "a", Kind::Seen, at);
        let text = |alert: &Alert| text(alert, &LocalClock::berlin());
        alert.judge = Some(Judge::Says);
        alert.asked = Some("a parcel has been left".to_owned());
        assert_eq!(text(&alert), "a parcel has been left 15:02:40 CET");
        alert.reason = Some("A brown\nbox lies there.".to_owned());
        (alert.confidence, alert.held_back) = (Some(0.934), 3);
        assert_eq!(
            text(&alert),
            "A brown box lies there. (93 % sure) 3 before were not told. 15:02:40 CET"
        );
        (alert.kind, alert.cause) = (Kind::Blind, Some(Cause::NoFrames));
        assert_eq!(
            text(&alert),
            "the camera gives no pictures. 3 before were not told. 15:02:40 CET"
        );
        alert.held_back = 0;
        assert_eq!(text(&alert), "the camera gives no pictures. 15:02:40 CET");
        (alert.kind, alert.held_back) = (Kind::HeldBack, 4);
        alert.rule = BLIND_RULE.to_owned();
        let said = text(&alert);
        let words = "could not see 4 more times, which was not told";
        assert!(
            said.contains(words) && said.contains("no pictures"),
            "{said}"
        );
    }
}
