//! What looks at a picture for a rule: `motion`, `left` and `still` at every one, by what the eye
//! has seen of it; `sees`, `says` and `obico` ask somebody else, and now and then.

mod every_picture;
pub(crate) mod obico;
pub(crate) mod says;
pub(crate) mod sees;

pub(crate) use every_picture::EveryPicture;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use eyelid_http_client::{Client, Key, Trust};
use eyelid_motion::Region;

use crate::alert::Sighting;
use crate::rules::Answer;

/// How many boxes an alert has at most; more are a crowd or a flock, and no longer places.
const MOST_BOXES: usize = 20;

/// What a judge says, and what is told of that besides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) answer: Answer,
    /// Why, in the judge's words. Strangers' text.
    pub(crate) reason: Option<String>,
    /// How long it took, where it was asked.
    pub(crate) took: Option<Duration>,
}

impl From<Answer> for Judged {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            reason: None,
            took: None,
        }
    }
}

/// A place of the picture, as alerts have it.
pub(crate) fn marked(region: Region, label: Option<&str>) -> Sighting {
    Sighting {
        label: label.map(str::to_owned),
        confidence: None,
        left: rounded(region.left),
        top: rounded(region.top),
        width: rounded(region.width),
        height: rounded(region.height),
    }
}

/// Three decimals are a pixel of a thousand.
fn rounded(share: f32) -> f64 {
    (f64::from(share) * 1000.0).round() / 1000.0
}

/// Who asks: by https it believes whom the system believes, and whoever shows a certificate of this
/// file, or has one by an authority of it.
///
/// # Errors
/// There is no certificate in it.
pub(crate) fn client(ca_file: Option<&Path>) -> anyhow::Result<Client> {
    let trust = ca_file.map(Trust::with_certificates).transpose();
    let trust = trust.context("ca-file in [watch]")?;
    Ok(Client::with(trust.unwrap_or_default(), None))
}

/// The key of this file, if there is one; `place` names the configuration's. The settings have seen
/// to it that it goes over no wire in the clear.
///
/// # Errors
/// It cannot be read.
fn key(file: Option<&Path>, place: &'static str) -> anyhow::Result<Option<Key>> {
    file.map(Key::read).transpose().context(place)
}
