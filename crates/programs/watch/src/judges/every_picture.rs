//! The judges that need nothing but what the eye has seen, and say something of every picture.

use std::time::Duration;

use eyelid_motion::{Change, ChangeKind};

use super::{Judged, MOST_BOXES, marked};
use crate::alert::{LEFT, Sighting, TAKEN};
use crate::area::Area;
use crate::eye::Seen;
use crate::rules::Answer;
use crate::settings::{JudgeSettings, RuleSettings};

/// One of them, of one rule.
#[derive(Debug)]
pub(crate) struct EveryPicture {
    kind: Kind,
    area: Area,
}

#[derive(Debug)]
enum Kind {
    Motion,
    Left,
    Still {
        /// For so long nothing is to move.
        wanted: Duration,
        /// From when on nothing has moved there, as far as that is known.
        since: Option<Duration>,
        /// What ended at that moment was movement; else nobody looked before.
        has_moved: bool,
    },
}

impl EveryPicture {
    /// The judge of a rule; `None` where that asks somebody else.
    pub(crate) fn of(rule: &RuleSettings) -> Option<Self> {
        let kind = match rule.judge {
            JudgeSettings::Motion => Kind::Motion,
            JudgeSettings::Left => Kind::Left,
            JudgeSettings::Still(wanted) => Kind::Still {
                wanted,
                since: None,
                has_moved: false,
            },
            _ => return None,
        };
        Some(Self {
            kind,
            area: Area::new(&rule.area),
        })
    }

    /// Judges a picture of that moment. While the view is being learned nothing can be told.
    pub(crate) fn judge(&mut self, seen: &Seen, at: Duration) -> Judged {
        let area = &self.area;
        match &mut self.kind {
            Kind::Motion if seen.is_learning => Answer::Unsure.into(),
            Kind::Motion => {
                let here = seen.moving.iter().filter(|region| area.has(**region));
                yes_if_any(here.map(|region| marked(*region, None)))
            }
            Kind::Left => {
                let here = seen.changed.iter().filter(|change| area.has(change.region));
                yes_if_any(here.map(change_box))
            }
            Kind::Still {
                wanted,
                since,
                has_moved,
            } => {
                // A printer's head becomes noise to what tells movement, and stirs for ever.
                let mut stirring = seen.moving.iter().chain(&seen.stirring);
                let moves = !seen.is_learning && stirring.any(|region| area.has(*region));
                if moves || seen.is_learning {
                    (*since, *has_moved) = (Some(at), moves);
                }
                let still = at.saturating_sub(*since.get_or_insert(at));
                if moves || (still < *wanted && *has_moved) {
                    return Answer::No.into();
                }
                // What stood still before nobody looked may do so all the time.
                if seen.is_learning || still < *wanted {
                    return Answer::Unsure.into();
                }
                let still = humantime::format_duration(Duration::from_secs(still.as_secs()));
                Judged {
                    answer: yes(Vec::new()),
                    reason: Some(format!("nothing has moved for {still}")),
                    took: None,
                }
            }
        }
    }

    /// Finds what was told, at these places, in another picture of about that moment; nothing where
    /// it is not there. Of what was left that is said no more: it is there, or missing, where
    /// nothing moves in front of it.
    pub(crate) fn find_again(&self, told: &[Sighting], seen: &Seen) -> Option<Vec<Sighting>> {
        let here = seen.moving.iter().filter(|region| self.area.has(**region));
        let mut moving = here.map(|region| marked(*region, None)).take(MOST_BOXES);
        if seen.is_learning {
            return None;
        }
        match self.kind {
            Kind::Motion => Some(moving.collect()).filter(|found: &Vec<_>| !found.is_empty()),
            Kind::Left => {
                let hides = |moving: Sighting| told.iter().any(|it| it.overlap(&moving) > 0.0);
                (!moving.any(hides)).then(|| told.to_vec())
            }
            Kind::Still { .. } => moving.next().is_none().then(Vec::new),
        }
    }

    /// Goes on where another one was that looked at the same place.
    pub(crate) fn take_over(&mut self, before: &Self) {
        if let (
            Kind::Still {
                since, has_moved, ..
            },
            Kind::Still {
                since: since_before,
                has_moved: had_moved,
                ..
            },
        ) = (&mut self.kind, &before.kind)
            && self.area == before.area
        {
            (*since, *has_moved) = (*since_before, *had_moved);
        }
    }

    /// The camera was not looked at for a while: what moved meanwhile nobody knows.
    pub(crate) fn forget(&mut self) {
        if let Kind::Still {
            since, has_moved, ..
        } = &mut self.kind
        {
            (*since, *has_moved) = (None, false);
        }
    }
}

fn yes_if_any(places: impl Iterator<Item = Sighting>) -> Judged {
    let places: Vec<_> = places.take(MOST_BOXES).collect();
    if places.is_empty() {
        Answer::No.into()
    } else {
        yes(places).into()
    }
}

fn yes(sightings: Vec<Sighting>) -> Answer {
    Answer::Yes {
        sightings,
        confidence: None,
    }
}

fn change_box(change: &Change) -> Sighting {
    let what = match change.kind {
        ChangeKind::Left => LEFT,
        ChangeKind::Taken => TAKEN,
    };
    marked(change.region, Some(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_config::Polygon;
    use eyelid_motion::Region;

    const HERE: Region = Region {
        left: 0.1,
        top: 0.1,
        width: 0.1,
        height: 0.2,
    };

    fn judge(kind: JudgeSettings, area: &[&str]) -> EveryPicture {
        let area = area.iter().map(|text| text.parse::<Polygon>().unwrap());
        EveryPicture::of(&RuleSettings {
            judge: kind,
            area: area.collect(),
            ..RuleSettings::motion()
        })
        .unwrap()
    }

    fn seen(moving: &[Region]) -> Seen {
        Seen {
            moving: moving.to_vec(),
            ..Seen::default()
        }
    }

    fn places(judged: &Judged) -> &[Sighting] {
        match &judged.answer {
            Answer::Yes { sightings, .. } => sightings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_moves_is_told_with_its_place_where_the_rule_looks() {
        let at = Duration::from_secs(9);
        let mut everywhere = judge(JudgeSettings::Motion, &[]);
        let judged = everywhere.judge(&seen(&[HERE]), at);
        let place = &places(&judged)[0];
        assert_eq!((place.left, place.height, &place.label), (0.1, 0.2, &None));
        assert_eq!(everywhere.judge(&seen(&[]), at).answer, Answer::No);
        let mut elsewhere = judge(JudgeSettings::Motion, &["50,0 100,0 100,100 50,100"]);
        assert_eq!(elsewhere.judge(&seen(&[HERE]), at).answer, Answer::No);
        let learning = Seen {
            is_learning: true,
            ..Seen::default()
        };
        assert_eq!(everywhere.judge(&learning, at).answer, Answer::Unsure);
        let flock = seen(&[HERE; 100]);
        assert_eq!(places(&everywhere.judge(&flock, at)).len(), MOST_BOXES);
    }

    #[test]
    fn what_was_left_is_told_with_its_place() {
        let mut left = judge(JudgeSettings::Left, &[]);
        let parcel = Seen {
            changed: vec![Change {
                kind: ChangeKind::Left,
                region: HERE,
            }],
            ..Seen::default()
        };
        let judged = left.judge(&parcel, Duration::ZERO);
        assert_eq!(places(&judged)[0].label.as_deref(), Some("left"));
        assert_eq!(left.judge(&seen(&[]), Duration::ZERO).answer, Answer::No);
    }

    #[test]
    fn still_counts_from_the_last_movement_where_the_rule_looks() {
        let minute = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut still = judge(JudgeSettings::Still(minute(5)), &[]);
        for (moving, at, answer) in [
            (&[][..], 1, Answer::Unsure),
            (&[HERE][..], 4, Answer::No),
            (&[][..], 8, Answer::No),
        ] {
            assert_eq!(still.judge(&seen(moving), minute(at)).answer, answer);
        }
        let judged = still.judge(&seen(&[]), minute(9));
        assert!(places(&judged).is_empty());
        assert_eq!(judged.reason.as_deref(), Some("nothing has moved for 5m"));
        // Nobody looked for an hour: nobody knows.
        still.forget();
        let learning = Seen {
            is_learning: true,
            ..seen(&[HERE])
        };
        for (seen, at) in [(&learning, 70), (&seen(&[]), 71), (&seen(&[]), 74)] {
            assert_eq!(still.judge(seen, minute(at)).answer, Answer::Unsure);
        }
        assert!(places(&still.judge(&seen(&[]), minute(75))).is_empty());
        let right = &["50,0 100,0 100,100 50,100"];
        let mut there = judge(JudgeSettings::Still(minute(5)), right);
        there.judge(&seen(&[]), minute(1));
        assert!(places(&there.judge(&seen(&[HERE]), minute(6))).is_empty());
    }

    #[test]
    fn what_was_told_is_found_in_another_picture_of_that_moment() {
        let elsewhere = Region { left: 0.6, ..HERE };
        let told = [marked(HERE, Some(LEFT))];
        let (empty, both) = (seen(&[]), seen(&[HERE, elsewhere]));
        let (there, learning) = (
            seen(&[elsewhere]),
            Seen {
                is_learning: true,
                ..seen(&[])
            },
        );
        let left = judge(JudgeSettings::Left, &[]);
        assert_eq!(left.find_again(&told, &empty), Some(told.to_vec()));
        assert_eq!(left.find_again(&told, &there), Some(told.to_vec()));
        assert_eq!(left.find_again(&told, &both), None);
        assert_eq!(left.find_again(&told, &learning), None);
        let motion = judge(JudgeSettings::Motion, &[]);
        assert_eq!(motion.find_again(&told, &empty), None);
        assert_eq!(motion.find_again(&told, &both).unwrap().len(), 2);
        let mut still = judge(JudgeSettings::Still(Duration::from_secs(60)), &[]);
        still.judge(&seen(&[]), Duration::ZERO);
        assert_eq!(still.find_again(&[], &there), None);
        assert_eq!(still.find_again(&[], &empty), Some(Vec::new()));
        // What was found in it makes nothing begin anew.
        let judged = still.judge(&seen(&[]), Duration::from_secs(60));
        assert!(places(&judged).is_empty());
    }

    #[test]
    fn what_has_become_noise_by_going_to_and_fro_is_not_still() {
        let minute = |minutes: u64| Duration::from_secs(60 * minutes);
        let head = Seen {
            stirring: vec![HERE],
            ..Seen::default()
        };
        let left = &["0,0 50,0 50,100 0,100"];
        let right = &["50,0 100,0 100,100 50,100"];
        for (area, is_still) in [(&[][..], false), (left, false), (right, true)] {
            let mut still = judge(JudgeSettings::Still(minute(5)), area);
            let judged = (0..60).map(|at| still.judge(&head, minute(at))).last();
            let is_yes = matches!(judged.unwrap().answer, Answer::Yes { .. });
            assert_eq!(is_yes, is_still, "{area:?}");
        }
    }
}
