//! What Obico's ml_api says of a print: the user's own container looks for prints that have failed.
//!
//! It is given a URL and gets the picture there itself, so that has to be one that the container
//! reaches: this camera's `/snapshot`. What it finds is weighed as Obico's own server does
//! ([`Score`]), for single pictures are wrong too often.

mod score;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_config::HttpUrl;
use eyelid_http_client::{Client, Limits, Method, Request, Url};
use serde::Deserialize;

use super::{Judged, MOST_BOXES, client, key};
use crate::alert::Sighting;
use crate::rules::Answer;

pub(crate) use score::Score;

/// The container answers within a second or so where it has a GPU, and ten on a Pi.
const LIMITS: Limits = Limits {
    time_out: Duration::from_secs(30),
    largest_answer: 64 << 10,
};

/// Who looks at prints.
pub(crate) struct Obico {
    client: Client,
    request: Request,
    /// Shared with the one that goes on after this one.
    score: Rc<Cell<Score>>,
    is_of_frame: bool,
}

/// What ml_api answers: `{"detections": [["failure", 0.53, [XC, YC, W, H]], ...]}`, the places in
/// pixels from the picture's upper left corner.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    detections: Vec<(String, f64, [f64; 4])>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detections.is_empty() {
            writeln!(f, "found: nothing")?;
        }
        for (label, certainty, [x, y, ..]) in self.detections.iter().take(MOST_BOXES) {
            writeln!(f, "found: {} ({certainty}) around {x}, {y}", plain(label))?;
        }
        Ok(())
    }
}

/// A label that can be shown.
fn plain(label: &str) -> String {
    label.chars().filter(|c| !c.is_control()).take(40).collect()
}

impl Obico {
    /// One rule's; `picture` is where the container gets the picture.
    ///
    /// # Errors
    /// There is no such key.
    pub(crate) fn new(
        url: &HttpUrl,
        picture: &HttpUrl,
        key_file: Option<&std::path::Path>,
        ca_file: Option<&std::path::Path>,
    ) -> anyhow::Result<Self> {
        let url: Url = url.as_str().parse().context("obico")?;
        // The slash belongs to it: without one it redirects.
        let asked = format!("p/?img={}", percent_encoded(picture.as_str()));
        let url = url.join(&asked).context("obico")?;
        Ok(Self {
            client: client(ca_file)?,
            request: Request {
                key: key(key_file, "obico")?,
                ..Request::new(Method::GET, url)
            },
            score: Rc::default(),
            is_of_frame: is_of_frame(picture.as_str()),
        })
    }

    /// Has the container look once. The frame's size, in pixels, says where in the picture places
    /// are; where the container gets a picture of another size, nobody says how large that is.
    /// Takes at most half a minute.
    ///
    /// # Errors
    /// Why it has not looked.
    pub(crate) async fn judge(&self, frame: (u32, u32)) -> anyhow::Result<Judged> {
        let (found, took) = self.look().await?;
        Ok(Judged {
            answer: self.weigh(&found, frame),
            reason: None,
            took: Some(took),
        })
    }

    /// Has the container look, and weighs nothing.
    ///
    /// # Errors
    /// Why it has not looked.
    pub(crate) async fn look(&self) -> anyhow::Result<(Found, Duration)> {
        let started = Instant::now();
        let answer = self.client.send(&self.request, LIMITS).await?;
        let url = &self.request.url;
        if !answer.status.is_success() {
            anyhow::bail!("{url}: {} (can it reach the picture?)", answer.status);
        }
        let found: Found = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{url}: is no answer of ml_api"))?;
        Ok((found, started.elapsed()))
    }

    /// A print has ended, or was paused: what was found in it says nothing of the next one.
    pub(crate) fn forget(&self) {
        self.score.take();
    }

    /// Says whether the other one has the same container look at the same picture.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.request.url == other.request.url
    }

    /// Goes on with what that one has found so far, if it is the same that is looked at.
    pub(crate) fn go_on_after(&mut self, before: &Self) {
        if self.is_at(before) {
            self.score = before.score.clone();
        }
    }

    fn weigh(&self, found: &Found, frame: (u32, u32)) -> Answer {
        let certainties = found.detections.iter().map(|(_, certainty, _)| *certainty);
        let sum: f64 = certainties.filter(|it| (0.0..=1.0).contains(it)).sum();
        let mut score = self.score.get();
        let weighed = score.next(sum);
        self.score.set(score);
        match weighed {
            None => Answer::Unsure,
            Some(score) if !score.is_failing => Answer::No,
            Some(score) => Answer::Yes {
                sightings: if self.is_of_frame {
                    sightings(found, frame)
                } else {
                    Vec::new()
                },
                confidence: Some(score.confidence),
            },
        }
    }
}

fn sightings(found: &Found, (width, height): (u32, u32)) -> Vec<Sighting> {
    let share = |pixels: f64, side: u32| (pixels / f64::from(side.max(1))).clamp(0.0, 1.0);
    let boxes = found.detections.iter().take(MOST_BOXES);
    boxes
        .map(|(label, certainty, [x, y, w, h])| Sighting {
            label: Some(plain(label)),
            confidence: Some(certainty.clamp(0.0, 1.0)),
            left: share(x - w / 2.0, width),
            top: share(y - h / 2.0, height),
            width: share(*w, width),
            height: share(*h, height),
        })
        .collect()
}

/// Says whether the picture at this URL of the server is as large as the frame.
fn is_of_frame(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    query.split('&').all(|pair| match pair.split_once('=') {
        Some(("size", size)) => matches!(size, "current" | "low"),
        Some(("width", _)) => false,
        _ => true,
    })
}

/// A text as the value of a query (RFC 3986): all but unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obico() -> Obico {
        let url = "http://127.0.0.1:3333".parse().unwrap();
        let picture = "http://192.0.2.10:8080/printer/snapshot?size=half&x=1";
        let picture = picture.parse().unwrap();
        Obico::new(&url, &picture, None, None).unwrap()
    }

    #[test]
    fn asks_for_the_picture_by_its_url() {
        assert_eq!(
            obico().request.url.secret(),
            "http://127.0.0.1:3333/p/?img=http%3A%2F%2F192.0.2.10%3A8080%2Fprinter%2Fsnapshot\
             %3Fsize%3Dhalf%26x%3D1"
        );
    }

    #[tokio::test]
    async fn sends_no_token_in_the_clear() {
        let directory = tempfile::tempdir().unwrap();
        let token = directory.path().join("token");
        std::fs::write(&token, "secret").unwrap();
        let picture = "http://192.0.2.10/snapshot".parse().unwrap();
        // The settings have refused it before; nothing is sent all the same.
        let url = "http://192.0.2.11:3333".parse().unwrap();
        let obico = Obico::new(&url, &picture, Some(&token), None).unwrap();
        let refused = obico.look().await.unwrap_err().to_string();
        assert!(refused.contains("would go there in the clear"), "{refused}");
    }

    #[test]
    fn tells_where_in_the_picture() {
        let answer = r#"{"detections": [["failure", 0.53, [320.0, 180.0, 64.0, 36.0]],
            ["failure", 0.4, [640.0, 0.0, 64.0, 36.0]]]}"#;
        let found: Found = serde_json::from_str(answer).unwrap();
        let boxes = sightings(&found, (640, 360));
        assert_eq!((boxes[0].left, boxes[0].top), (0.45, 0.45));
        assert_eq!((boxes[0].width, boxes[0].height), (0.1, 0.1));
        assert_eq!((boxes[1].left, boxes[1].top), (0.95, 0.0));
    }

    #[test]
    fn a_picture_of_another_size_has_no_places() {
        let of_frame = [
            "http://192.0.2.10:8080/printer/snapshot",
            "http://192.0.2.10:8080/printer/snapshot?size=low&x=1",
            "http://192.0.2.10:8080/printer/snapshot?x=1#size=half",
        ];
        let other = [
            "http://192.0.2.10:8080/printer/snapshot?size=half",
            "http://192.0.2.10:8080/printer/snapshot?x=1&size=full",
            "http://192.0.2.10:8080/printer/snapshot?width=640",
        ];
        let found = Found {
            detections: vec![("failure".to_owned(), 1.0, [320.0, 180.0, 64.0, 36.0])],
        };
        for (pictures, boxes) in [(of_frame, 1), (other, 0)] {
            for picture in pictures {
                let url = "http://127.0.0.1:3333".parse().unwrap();
                let obico = Obico::new(&url, &picture.parse().unwrap(), None, None).unwrap();
                let none = Found {
                    detections: Vec::new(),
                };
                for _ in 0..40 {
                    obico.weigh(&none, (1280, 720));
                }
                let answer = (0..40).map(|_| obico.weigh(&found, (1280, 720))).last();
                let Some(Answer::Yes { sightings, .. }) = answer else {
                    panic!("{answer:?}");
                };
                assert_eq!(sightings.len(), boxes, "{picture}");
            }
        }
    }

    #[test]
    fn is_unsure_at_first_and_sure_of_what_lasts() {
        let obico = obico();
        let found = |certainty| Found {
            detections: vec![("failure".to_owned(), certainty, [1.0; 4])],
        };
        assert_eq!(obico.weigh(&found(0.9), (1, 1)), Answer::Unsure);
        let mut answers = (0..40).map(|_| obico.weigh(&found(0.9), (1, 1)));
        assert!(answers.any(|answer| matches!(answer, Answer::Unsure)));
        let none = Found {
            detections: Vec::new(),
        };
        obico.forget();
        for _ in 0..40 {
            obico.weigh(&none, (1, 1));
        }
        assert_eq!(obico.weigh(&none, (1, 1)), Answer::No);
        let answer = (0..40).map(|_| obico.weigh(&found(1.0), (1, 1))).last();
        assert!(matches!(answer, Some(Answer::Yes { .. })), "{answer:?}");
    }

    #[test]
    fn other_settings_go_on_with_what_was_found_of_the_same_picture() {
        let none = Found {
            detections: Vec::new(),
        };
        let before = obico();
        (0..40).for_each(|_| drop(before.weigh(&none, (1, 1))));
        let mut same = obico();
        same.go_on_after(&before);
        assert_eq!(same.weigh(&none, (1, 1)), Answer::No);
        let url = "http://127.0.0.1:3333".parse().unwrap();
        let picture = "http://192.0.2.10:8080/other/snapshot".parse().unwrap();
        let mut other = Obico::new(&url, &picture, None, None).unwrap();
        other.go_on_after(&before);
        assert_eq!(other.weigh(&none, (1, 1)), Answer::Unsure);
    }
}
