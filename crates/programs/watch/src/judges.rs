//! What looks at a picture for a rule: `motion`, `left` and `still` at every one, by what the eye
//! has seen of it; `sees`, `says` and `obico` ask somebody else, and now and then.

mod every_picture;
pub(crate) mod obico;
pub(crate) mod says;
pub(crate) mod sees;

pub(crate) use every_picture::{EveryPicture, marked};

use std::time::Duration;

use crate::rules::Answer;

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
