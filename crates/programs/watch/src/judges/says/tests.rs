//! The words' judge with pictures that are drawn here.

use std::time::Duration;

use eyelid_picture::{Canvas, Encoder};
use eyelid_words::Verdicts;

use super::*;

/// A grey road with a burnt-in clock, and a parcel if there is one.
fn jpeg(parcel: bool, clock: u8) -> Bytes {
    let mut canvas = Canvas::new(640, 360, [120, 120, 120]);
    canvas.rectangle(0, 300, 640, 60, [70, 80, 70]);
    canvas.rectangle(10, 5, 100, 20, [clock, clock, clock]);
    if parcel {
        canvas.rectangle(400, 310, 30, 20, [220, 120, 20]);
    }
    let mut encoder = Encoder::default();
    Bytes::copy_from_slice(encoder.encode_rgb(canvas.rgb(), 640, 360, 90).unwrap())
}

fn rule(name: &str) -> RuleInWords {
    RuleInWords {
        name: name.to_owned(),
        words: "a parcel lies there".to_owned(),
    }
}

fn said(answer: Answer) -> Said {
    let verdict = Verdict {
        answer,
        confidence: 0.8,
        reason: String::new(),
    };
    Said {
        verdicts: Verdicts {
            seen: String::new(),
            rules: vec![("parcel".to_owned(), Ok(verdict))],
            usage: None,
        },
        took: Duration::ZERO,
    }
}

fn mask() -> Vec<Polygon> {
    vec!["0,0 30,0 30,10 0,10".parse().unwrap()]
}

#[test]
fn a_scene_that_was_no_is_not_asked_about_again() {
    let mut says = Says::new(&mask());
    let (now, at) = (SystemTime::now(), Instant::now());
    let prepare = |says: &Says, occasion, jpeg: &Bytes| {
        let rules = vec![rule("parcel")];
        says.prepare(rules, occasion, (jpeg, now), 0, at).unwrap()
    };
    let empty = jpeg(false, 255);
    let prepared = prepare(&says, Occasion::First, &empty).unwrap();
    assert_eq!(prepared.question.pictures().len(), 1);
    says.answered(&prepared, &said(Answer::No), at);
    // The clock goes on, behind its mask.
    assert!(prepare(&says, Occasion::First, &jpeg(false, 0)).is_none());
    assert!(prepare(&says, Occasion::First, &jpeg(true, 0)).is_some());
    assert!(prepare(&says, Occasion::Confirming, &empty).is_some());
    says.answered(&prepared, &said(Answer::Unsure), at);
    assert!(prepare(&says, Occasion::First, &empty).is_some());
}

#[test]
fn a_clock_without_a_mask_makes_another_scene() {
    let mut says = Says::new(&[]);
    let (now, at) = (SystemTime::now(), Instant::now());
    let ask = |says: &Says, jpeg: &Bytes| {
        says.prepare(vec![rule("parcel")], Occasion::First, (jpeg, now), 0, at)
            .unwrap()
    };
    let prepared = ask(&says, &jpeg(false, 255)).unwrap();
    says.answered(&prepared, &said(Answer::No), at);
    assert!(ask(&says, &jpeg(false, 0)).is_some());
}

#[test]
fn a_question_has_what_was_before() {
    let mut says = Says::new(&[]);
    let start = SystemTime::now();
    for (seconds, moving_share) in [(0, 0.0), (2, 0.0), (4, 0.0), (6, 0.1)] {
        let at = Duration::from_secs(seconds);
        says.looked(Look {
            jpeg: jpeg(false, 0),
            captured: start + at,
            moving_share,
            at,
        });
    }
    let now = (&jpeg(true, 0), start + Duration::from_secs(9));
    let prepared = says
        .prepare(vec![rule("a")], Occasion::First, now, 0, Instant::now())
        .unwrap()
        .unwrap();
    let moments: Vec<Moment> = (prepared.question.pictures().iter())
        .map(|picture| picture.moment)
        .collect();
    let all = [Moment::Before, Moment::MostMovement, Moment::Now];
    assert_eq!(moments, all);
}

#[test]
fn what_is_no_picture_is_not_asked_about() {
    let says = Says::new(&[]);
    let broken = (&Bytes::from_static(b"no"), SystemTime::now());
    let prepared = says.prepare(vec![rule("a")], Occasion::First, broken, 0, Instant::now());
    assert!(prepared.is_err());
}
