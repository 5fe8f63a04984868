//! Which pictures a question is about: what it looked like before, and when most of it moved.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_words::{Moment, Picture};

/// What moves is told as such a moment after it has begun to: a picture of "before" is older than
/// that by so much.
const BEFORE: Duration = Duration::from_secs(2);

/// When nothing has moved for so long, what moves next is another story.
const CALM: Duration = Duration::from_secs(10);

/// What was before says nothing about now after so long: it may be another light, another day.
const OLDEST: Duration = Duration::from_mins(15);

/// Pictures that are so close are of the same moment.
const SAME: Duration = Duration::from_millis(500);

/// A picture that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) jpeg: Bytes,
    pub(crate) captured: SystemTime,
    /// How much of it moves, 0 to 1.
    pub(crate) moving_share: f32,
    /// By a clock that nobody sets.
    pub(crate) at: Duration,
}

/// The pictures that may be asked about, of one camera.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    /// The newest of which nothing moved, and an older one.
    calm: Option<Look>,
    calmer: Option<Look>,
    story: Option<Story>,
}

/// From the first movement until all is calm again.
#[derive(Debug)]
struct Story {
    before: Option<Look>,
    most: Look,
    moved: Duration,
}

impl Moments {
    /// Takes in a picture.
    pub(crate) fn looked(&mut self, look: Look) {
        if look.moving_share > 0.0 {
            self.moved(look);
            return;
        }
        let goes_on = |story: &Story| look.at.saturating_sub(story.moved) <= CALM;
        if self.story.as_ref().is_some_and(goes_on) {
            return;
        }
        // What is calm now is what will have been before the next story. The last one stays until
        // then, for it may still be asked about.
        let is_older = |calm: &Look| look.at.saturating_sub(calm.at) >= BEFORE;
        if self.calm.as_ref().is_none_or(is_older) {
            self.calmer = self.calm.replace(look);
        }
    }

    fn moved(&mut self, look: Look) {
        match &mut self.story {
            Some(story) if look.at.saturating_sub(story.moved) <= CALM => {
                story.moved = look.at;
                if look.moving_share > story.most.moving_share {
                    story.most = look;
                }
            }
            _ => {
                let before = self.calmer.take().or(self.calm.take());
                self.calm = None;
                self.story = Some(Story {
                    before,
                    moved: look.at,
                    most: look,
                });
            }
        }
    }

    /// Those before a picture of that moment, in the order of their capture.
    pub(crate) fn earlier_than(&self, now: SystemTime) -> Vec<Picture> {
        let Some(story) = &self.story else {
            return Vec::new();
        };
        let before = story.before.as_ref().map(|look| (Moment::Before, look));
        let most = Some((Moment::MostMovement, &story.most));
        let looks = [before, most].into_iter().flatten();
        looks
            .filter(|(_, look)| {
                let age = now.duration_since(look.captured);
                age.is_ok_and(|age| (SAME..OLDEST).contains(&age))
            })
            .map(|(moment, look)| Picture {
                moment,
                captured: look.captured,
                jpeg: look.jpeg.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Pictures at these tenths of a second, each with how much of it moves, in percent; named by
    /// their times.
    fn moments(looks: &[(u64, u8)]) -> Moments {
        let mut moments = Moments::default();
        for &(tenths, percent) in looks {
            let at = Duration::from_millis(100 * tenths);
            moments.looked(Look {
                jpeg: Bytes::from(tenths.to_string()),
                captured: UNIX_EPOCH + at,
                moving_share: f32::from(percent) / 100.0,
                at,
            });
        }
        moments
    }

    fn earlier(moments: &Moments, tenths: u64) -> Vec<(Moment, String)> {
        let now = UNIX_EPOCH + Duration::from_millis(100 * tenths);
        let pictures = moments.earlier_than(now).into_iter();
        pictures
            .map(|it| (it.moment, String::from_utf8(it.jpeg.to_vec()).unwrap()))
            .collect()
    }

    fn calm(tenths: std::ops::Range<u64>) -> Vec<(u64, u8)> {
        tenths.step_by(5).map(|it| (it, 0)).collect()
    }

    #[test]
    fn what_was_before_is_older_than_the_first_movement_told() {
        let mut looks = calm(0..100);
        looks.extend([(100, 2), (102, 9), (104, 5), (106, 0)]);
        let moments = moments(&looks);
        let pictures = earlier(&moments, 110);
        assert_eq!(pictures[1], (Moment::MostMovement, "102".to_owned()));
        let (moment, name) = &pictures[0];
        assert_eq!(*moment, Moment::Before);
        let tenths: u64 = name.parse().unwrap();
        assert!((60..=80).contains(&tenths), "{tenths}");
    }

    #[test]
    fn a_pause_in_what_moves_is_no_other_story() {
        let mut looks = calm(0..50);
        looks.extend([(50, 30)]);
        looks.extend(calm(51..120));
        looks.extend([(120, 10)]);
        let pictures = earlier(&moments(&looks), 130);
        assert_eq!(pictures[1].1, "50");
        assert!(pictures[0].1.parse::<u64>().unwrap() <= 30);
    }

    #[test]
    fn after_a_calm_it_is() {
        let mut looks = calm(0..50);
        looks.extend([(50, 30)]);
        looks.extend(calm(51..400));
        looks.extend([(400, 10)]);
        let pictures = earlier(&moments(&looks), 410);
        assert_eq!(pictures[1].1, "400");
        let before: u64 = pictures[0].1.parse().unwrap();
        assert!((350..=380).contains(&before), "{before}");
    }

    #[test]
    fn nothing_is_said_twice_and_nothing_of_yesterday() {
        let looks = [calm(0..50), vec![(50, 30)]].concat();
        // The picture of the most movement is the one that is asked about.
        assert_eq!(earlier(&moments(&looks), 50).len(), 1);
        assert_eq!(earlier(&moments(&looks), 50 + 10 * 3600), []);
        assert_eq!(earlier(&moments(&calm(0..50)), 60), []);
        // The clock was put back.
        assert_eq!(earlier(&moments(&looks), 0), []);
    }
}
