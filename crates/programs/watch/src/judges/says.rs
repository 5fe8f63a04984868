//! What a model says to a rule in words: which pictures it is asked about, and what is not asked
//! again. Who is asked is a [`Model`].

mod model;
mod moments;
mod questions;
mod shrink;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use eyelid_config::Polygon;
use eyelid_jpeg::decode_luma;
use eyelid_words::{Answer, LastNo, Moment, Picture, Question, RuleInWords, Scene, Verdict};

pub(crate) use model::{Asked, Model, Occasion, Said};
pub(crate) use moments::Look;
pub(crate) use questions::Questions;

use crate::area::contains;

use moments::Moments;
use shrink::shrink;

/// Cells across of a scene that is compared: as many as the motion judge has.
const SCENE_COLUMNS: usize = 160;

/// The words' judge of one camera.
#[derive(Debug)]
pub(crate) struct Says {
    moments: Moments,
    last_no: LastNo,
    mask: Vec<Polygon>,
}

/// What is to be asked, and what it is about.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// What the model is given.
    pub(crate) question: Question,
    scene: Arc<Scene>,
}

impl Says {
    /// One that has seen nothing yet; what `mask` covers does not make a scene another one.
    pub(crate) fn new(mask: &[Polygon]) -> Self {
        Self {
            moments: Moments::default(),
            last_no: LastNo::default(),
            mask: mask.to_vec(),
        }
    }

    /// Says whether the other one leaves out the same places.
    pub(crate) fn has_mask_of(&self, other: &Self) -> bool {
        self.mask == other.mask
    }

    /// Takes in every picture that is looked at: one of them may be what was before.
    pub(crate) fn looked(&mut self, look: Look) {
        self.moments.looked(look);
    }

    /// The camera was not looked at for a while: what was before nobody knows.
    pub(crate) fn forget(&mut self) {
        self.moments = Moments::default();
    }

    /// A rule is gone, or has other words: what was answered says nothing any more.
    pub(crate) fn forget_rule(&mut self, rule: &str) {
        self.last_no.forget(rule);
    }

    /// What to ask about `now` for these rules; nothing, where the scene looks as it did when the
    /// answer was "no" for all of them.
    ///
    /// # Errors
    /// The picture cannot be decoded, or the rules cannot be asked.
    pub(crate) fn prepare(
        &self,
        rules: Vec<RuleInWords>,
        occasion: Occasion,
        (jpeg, captured): (&Bytes, SystemTime),
        clock_ahead_of_utc_s: i32,
        at: Instant,
    ) -> anyhow::Result<Option<Prepared>> {
        let scene = Arc::new(scene(jpeg, &self.mask)?);
        // What confirms a "yes" is asked whatever the scene looks like.
        let is_asked = |rule: &RuleInWords| {
            occasion == Occasion::Confirming || !self.last_no.holds(&rule.name, &scene, at)
        };
        let rules: Vec<RuleInWords> = rules.into_iter().filter(is_asked).collect();
        if rules.is_empty() {
            return Ok(None);
        }
        let now = Picture {
            moment: Moment::Now,
            captured,
            jpeg: jpeg.clone(),
        };
        let pictures = question_pictures(self.moments.earlier_than(captured), now)?;
        let question = Question::new(pictures, rules, clock_ahead_of_utc_s)?;
        Ok(Some(Prepared { question, scene }))
    }

    /// Remembers what was answered "no", and what no longer is.
    pub(crate) fn answered(&mut self, prepared: &Prepared, said: &Said, at: Instant) {
        for (rule, verdict) in &said.verdicts.rules {
            match verdict {
                Ok(Verdict {
                    answer: Answer::No, ..
                }) => self.last_no.answered_no(rule, prepared.scene.clone(), at),
                Ok(_) => self.last_no.forget(rule),
                // No answer is not one that changes what was answered.
                Err(_) => {}
            }
        }
    }
}

/// What is asked about pictures that somebody names: in the order in which they are given, the
/// last of them now.
///
/// # Errors
/// One cannot be decoded, or there are too many.
pub(crate) fn question_of(
    pictures: Vec<(Bytes, SystemTime)>,
    rules: Vec<RuleInWords>,
    clock_ahead_of_utc_s: i32,
) -> anyhow::Result<Question> {
    let last = pictures.len().saturating_sub(1);
    let pictures = pictures.into_iter().enumerate();
    let mut pictures = pictures.map(|(index, (jpeg, captured))| Picture {
        moment: match index {
            _ if index == last => Moment::Now,
            0 => Moment::Before,
            _ => Moment::MostMovement,
        },
        captured,
        jpeg,
    });
    let now = pictures.next_back().context("no picture to ask about")?;
    let pictures = question_pictures(pictures.collect(), now)?;
    Ok(Question::new(pictures, rules, clock_ahead_of_utc_s)?)
}

/// All of them, as small as a model looks at.
fn question_pictures(earlier: Vec<Picture>, now: Picture) -> anyhow::Result<Vec<Picture>> {
    let all = earlier.into_iter().chain([now]);
    all.map(|picture| {
        let jpeg = shrink(&picture.jpeg).context("a picture that was to be asked about")?;
        Ok(Picture { jpeg, ..picture })
    })
    .collect()
}

/// What a picture looks like as brightness in cells, without what is masked.
fn scene(jpeg: &[u8], mask: &[Polygon]) -> anyhow::Result<Scene> {
    let (header, length) = eyelid_jpeg::whole(jpeg)?;
    let luma = decode_luma(&jpeg[..length], header)?;
    let (width, height) = (luma.width as usize, luma.height as usize);
    let step = width.div_ceil(SCENE_COLUMNS).max(1);
    let (columns, rows) = ((width / step).max(1), (height / step).max(1));
    let mut cells = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        for column in 0..columns {
            let lines = (row * step..(row + 1) * step).filter_map(|y| {
                let line = luma.samples.get(y * width..(y + 1) * width)?;
                line.get(column * step..((column + 1) * step).min(width))
            });
            let samples = lines.flatten().map(|sample| u32::from(*sample));
            let (sum, count) = samples.fold((0, 0), |(sum, count), it| (sum + it, count + 1));
            let is_masked = || {
                let across = (column as f32 + 0.5) / columns as f32 * 100.0;
                let down = (row as f32 + 0.5) / rows as f32 * 100.0;
                mask.iter().any(|polygon| contains(polygon, across, down))
            };
            let mean = if is_masked() {
                0
            } else {
                sum / u32::max(count, 1)
            };
            cells.push(u8::try_from(mean).unwrap_or(u8::MAX));
        }
    }
    Scene::new(columns, cells).context("a picture without pixels")
}

#[cfg(test)]
mod tests;
