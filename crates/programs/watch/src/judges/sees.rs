//! What the detector sees: people, cars, dogs. It looks at the frame itself, as large as it is, in
//! a thread aside, for that takes a tenth of a second or more; the watcher asks it at most once a
//! second, and only while something moves or stands.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use eyelid_detector::{Detector, Label, Picture, Seen};
use eyelid_motion::Region;

use super::{Judged, MOST_BOXES, marked, rounded};
use crate::alert::Sighting;
use crate::area::Area;
use crate::rules::Answer;
use crate::settings::{CameraSettings, JudgeSettings, RuleSettings, Settings};

/// How much of a thing may lie in the camera's mask before it does not count.
const MOST_MASKED: f32 = 0.75;

/// The detector of one camera, with the rules that ask it.
pub(crate) struct Sees {
    detector: Arc<Mutex<Detector>>,
    /// Where that is from.
    source: Source,
    rules: Vec<(String, Wanted)>,
    mask: Area,
    area: Area,
    /// What none of the rules asks for is not told.
    least_confidence: f32,
}

/// A detector's file, and the library that runs it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Source {
    model: PathBuf,
    library: Option<PathBuf>,
}

/// What a rule asks for.
#[derive(Debug)]
struct Wanted {
    labels: Vec<Label>,
    area: Area,
    confidence: f64,
}

/// What the detector has seen in one picture.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    seen: Vec<Seen>,
    took: Duration,
}

impl Sees {
    /// Loads the detector, if a rule of this camera asks it. It takes some 50 MB of memory.
    ///
    /// # Errors
    /// There is none that can be used, and what to do.
    pub(crate) fn new(
        settings: &Settings,
        camera: &CameraSettings,
    ) -> anyhow::Result<Option<Self>> {
        Self::after(None, settings, camera)
    }

    /// The same, with the detector of `before` if it is the same file: it is not loaded twice.
    ///
    /// # Errors
    /// As of [`Self::new`].
    pub(crate) fn after(
        before: Option<&Self>,
        settings: &Settings,
        camera: &CameraSettings,
    ) -> anyhow::Result<Option<Self>> {
        let wanted = |rule: &RuleSettings| Some((rule.name.clone(), Wanted::of(rule)?));
        let rules: Vec<_> = camera.rules.iter().filter_map(wanted).collect();
        let Some((first, _)) = rules.first() else {
            return Ok(None);
        };
        let source = Source {
            model: settings.detector.clone(),
            library: settings.onnxruntime.clone(),
        };
        let detector = match before.filter(|before| before.source == source) {
            Some(before) => before.detector.clone(),
            None => {
                let opened = open(&source.model, source.library.as_deref());
                Arc::new(Mutex::new(
                    opened.with_context(|| format!("rule {first:?}"))?,
                ))
            }
        };
        Ok(Some(Self::with(detector, source, rules, camera)))
    }

    fn with(
        detector: Arc<Mutex<Detector>>,
        source: Source,
        rules: Vec<(String, Wanted)>,
        camera: &CameraSettings,
    ) -> Self {
        let confidences = rules.iter().map(|(_, wanted)| wanted.confidence as f32);
        Self {
            detector,
            source,
            least_confidence: confidences.fold(1.0, f32::min),
            rules,
            mask: Area::new(&camera.mask),
            area: Area::new(&camera.area),
        }
    }

    /// Looks at a picture, in a thread aside. May be dropped: it is looked at to its end then.
    ///
    /// # Errors
    /// The picture cannot be decoded, or the detector fails.
    pub(crate) fn look(
        &self,
        jpeg: Bytes,
    ) -> impl Future<Output = anyhow::Result<Look>> + Send + 'static {
        let (detector, confidence) = (Arc::clone(&self.detector), self.least_confidence);
        async move {
            let look = move || look(&detector, &jpeg, confidence);
            let looked = tokio::task::spawn_blocking(look).await;
            looked.context("the detector's thread")?
        }
    }

    /// Looks at a picture, and waits for that.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub(crate) fn look_now(&self, jpeg: &[u8]) -> anyhow::Result<Look> {
        look(&self.detector, jpeg, self.least_confidence)
    }

    /// Judges for a rule what was seen. A rule that is not there any more sees nothing.
    pub(crate) fn judge(&self, rule: &str, look: &Look) -> Judged {
        let wanted = self.rules.iter().find(|(name, _)| name == rule);
        let sightings = wanted.map_or_else(Vec::new, |(_, wanted)| {
            let seen = look.seen.iter().filter(|seen| {
                wanted.labels.contains(&seen.label)
                    && f64::from(seen.confidence) >= wanted.confidence
                    && self.counts(region(seen), wanted)
            });
            seen.take(MOST_BOXES).map(sighting).collect()
        });
        // The surest is the first.
        let answer = match sightings.first() {
            None => Answer::No,
            Some(first) => Answer::Yes {
                confidence: first.confidence,
                sightings,
            },
        };
        Judged {
            answer,
            reason: None,
            took: Some(look.took),
        }
    }

    fn counts(&self, region: Region, wanted: &Wanted) -> bool {
        let is_masked = self.mask.share(region) > MOST_MASKED;
        !is_masked && self.area.has(region) && wanted.area.has(region)
    }
}

impl Wanted {
    fn of(rule: &RuleSettings) -> Option<Self> {
        let JudgeSettings::Sees(labels) = &rule.judge else {
            return None;
        };
        Some(Self {
            labels: labels.clone(),
            area: Area::new(&rule.area),
            confidence: rule.confidence,
        })
    }
}

#[cfg(feature = "onnxruntime")]
fn open(model: &Path, library: Option<&Path>) -> anyhow::Result<Detector> {
    Ok(match library {
        Some(library) => Detector::open_with(model, library)?,
        None => Detector::open(model)?,
    })
}

#[cfg(not(feature = "onnxruntime"))]
fn open(model: &Path, library: Option<&Path>) -> anyhow::Result<Detector> {
    if let Some(library) = library {
        anyhow::bail!(
            "onnxruntime {library:?}: this eyelid-watch is built without the feature onnxruntime"
        );
    }
    Ok(Detector::open(model)?)
}

fn look(detector: &Mutex<Detector>, jpeg: &[u8], confidence: f32) -> anyhow::Result<Look> {
    let began = Instant::now();
    let (header, _) = eyelid_jpeg::whole(jpeg)?;
    let pixels = eyelid_jpeg::decode_jpeg(jpeg, header)?;
    let picture = Picture::new(pixels.width, pixels.height, &pixels.rgb)?;
    // One that panicked has left nothing behind that the next look would go by.
    let mut detector = detector.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = detector.detect(picture, confidence)?;
    Ok(Look {
        seen,
        took: began.elapsed(),
    })
}

/// Where it is, as all else here has places.
fn region(seen: &Seen) -> Region {
    Region {
        left: seen.region.left,
        top: seen.region.top,
        width: seen.region.width,
        height: seen.region.height,
    }
}

fn sighting(seen: &Seen) -> Sighting {
    Sighting {
        confidence: Some(rounded(seen.confidence)),
        ..marked(region(seen), Some(seen.label.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_config::Polygon;
    use eyelid_detector::{Answer as Said, Runtime, RuntimeError};

    /// Sees the same in every picture: a person on the left (0.88), who is nearly all of its
    /// height, and a dog in the middle (0.5).
    struct Always;

    /// Where the classes of an anchor begin among the scores.
    const CLASSES: usize = 24;

    impl Runtime for Always {
        fn run(&mut self, _: &[f32]) -> Result<Said, RuntimeError> {
            let mut said = Said {
                boxes: vec![0.0; 1917 * 4],
                scores: vec![-9.0; 1917 * CLASSES],
            };
            // The anchor of all of the picture, moved to the left and made narrow.
            said.scores[1911 * CLASSES + 4] = 2.0;
            said.boxes[1911 * 4..][..4].copy_from_slice(&[0.0, -4.0, 0.0, -8.0]);
            // The one in the middle of the finest grid, of a tenth each way.
            said.scores[540 * CLASSES + 20] = 0.0;
            Ok(said)
        }
    }

    fn rule(name: &str, labels: &[&str], area: &[&str], confidence: f64) -> RuleSettings {
        let labels = labels.iter().map(|label| label.parse().unwrap());
        RuleSettings {
            name: name.to_owned(),
            judge: JudgeSettings::Sees(labels.collect()),
            area: polygons(area),
            confidence,
            ..RuleSettings::motion()
        }
    }

    fn polygons(texts: &[&str]) -> Vec<Polygon> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn sees(mask: &[&str], area: &[&str], rules: Vec<RuleSettings>) -> Sees {
        let camera = CameraSettings {
            name: "door".parse().unwrap(),
            slot: None,
            fps: 2.0,
            mask: polygons(mask),
            area: polygons(area),
            at: None,
            follow: false,
            rules,
        };
        let wanted = camera.rules.iter();
        let wanted = wanted.map(|rule| (rule.name.clone(), Wanted::of(rule).unwrap()));
        let detector = Arc::new(Mutex::new(Detector::new(Box::new(Always))));
        Sees::with(detector, Source::default(), wanted.collect(), &camera)
    }

    fn jpeg() -> Vec<u8> {
        let mut encoder = eyelid_picture::Encoder::default();
        let rgb = vec![99; 64 * 48 * 3];
        encoder.encode_rgb(&rgb, 64, 48, 90).unwrap().to_vec()
    }

    fn labels(judged: &Judged) -> Vec<&str> {
        match &judged.answer {
            Answer::Yes { sightings, .. } => {
                let labels = sightings.iter().map(|sighting| sighting.label.as_deref());
                labels.map(|label| label.unwrap()).collect()
            }
            Answer::No => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_rule_is_told_of_what_it_asks_for_and_of_nothing_else() {
        let sees = sees(
            &[],
            &[],
            vec![
                rule("people", &["person"], &[], 0.4),
                rule("cars", &["car", "vehicle"], &[], 0.4),
                rule("both", &["dog", "person"], &[], 0.4),
                rule("sure", &["dog", "person"], &[], 0.6),
                rule("right", &["person"], &["50,0 100,0 100,100 50,100"], 0.4),
            ],
        );
        let look = sees.look_now(&jpeg()).unwrap();
        for (name, expected) in [
            ("people", &["person"][..]),
            ("cars", &[]),
            ("both", &["person", "dog"]),
            ("sure", &["person"]),
            ("right", &[]),
            ("nobody", &[]),
        ] {
            let judged = sees.judge(name, &look);
            assert_eq!(labels(&judged), expected, "{name}");
            assert_eq!(judged.took, Some(look.took));
        }
        let judged = sees.judge("both", &look);
        let Answer::Yes {
            sightings,
            confidence,
        } = judged.answer
        else {
            panic!("{:?}", judged.answer);
        };
        assert_eq!(confidence, Some(0.881));
        let person = &sightings[0];
        assert_eq!(person.confidence, Some(0.881));
        assert!((person.left + person.width / 2.0 - 0.12).abs() < 0.002);
        assert!(person.height > 0.9 && person.width < 0.2, "{person:?}");
    }

    #[test]
    fn what_the_camera_masks_does_not_count() {
        let rules = || vec![rule("both", &["dog", "person"], &[], 0.4)];
        let left = "0,0 30,0 30,100 0,100";
        for (mask, area, expected) in [
            (&[][..], &[][..], &["person", "dog"][..]),
            (&[left], &[], &["dog"]),
            (&[], &[left], &["person"]),
            // A third of the person is masked.
            (&["0,0 30,0 30,33 0,33"], &[], &["person", "dog"]),
        ] {
            let sees = sees(mask, area, rules());
            let look = sees.look_now(&jpeg()).unwrap();
            assert_eq!(labels(&sees.judge("both", &look)), expected, "{mask:?}");
        }
    }

    #[tokio::test]
    async fn looks_aside_and_says_what_is_wrong_with_a_picture() {
        let sees = sees(&[], &[], vec![rule("people", &["person"], &[], 0.4)]);
        let look = sees.look(jpeg().into()).await.unwrap();
        assert_eq!(labels(&sees.judge("people", &look)), ["person"]);
        assert!(sees.look(Bytes::from_static(b"no JPEG")).await.is_err());
        let cut = jpeg();
        let cut = Bytes::copy_from_slice(&cut[..cut.len() / 2]);
        assert!(sees.look(cut).await.is_err());
        assert!(sees.look(jpeg().into()).await.is_ok());
    }

    #[test]
    fn the_same_detector_is_not_loaded_twice() {
        let before = sees(&[], &[], vec![rule("people", &["person"], &[], 0.4)]);
        let mut settings = Settings::new(
            &crate::Place::default(),
            &Default::default(),
            &eyelid_config::Config::default(),
        )
        .unwrap();
        // There is none, so it cannot be loaded.
        settings.detector = PathBuf::new();
        let camera = CameraSettings {
            rules: vec![rule("dogs", &["dog"], &[], 0.4)],
            ..CameraSettings::of("door")
        };
        let after = Sees::after(Some(&before), &settings, &camera)
            .unwrap()
            .unwrap();
        let look = after.look_now(&jpeg()).unwrap();
        assert_eq!(labels(&after.judge("dogs", &look)), ["dog"]);
        settings.detector = "/nowhere".into();
        assert!(Sees::after(Some(&before), &settings, &camera).is_err());
    }
}
