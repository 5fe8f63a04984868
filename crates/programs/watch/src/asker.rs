//! Those who are asked about a camera's pictures, now and then: whom, about which rules, and what
//! came of it. While a question is under way the camera is looked at as ever.

mod answers;
mod looking;
mod prints;
mod voice;
mod words;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_config::HttpUrl;
use tokio::task::JoinSet;

use crate::alert::Judge;
use crate::earlier::Earlier;
use crate::judges::Judged;
use crate::judges::says::{Asked, Look, Occasion, Prepared};
use crate::judges::sees::{self, Sees};
use crate::moment::Moment;
use crate::rules::{CameraRules, Question, Rule};
use crate::settings::{CameraSettings, Settings};

pub(crate) use answers::{AnswerLog, Answers};

use prints::{OfPrint, PrintDone};
use words::Words;

/// All of one camera. When it is dropped, so are questions under way.
pub(crate) struct Asker {
    camera: String,
    words: Option<Words>,
    prints: Vec<OfPrint>,
    sees: Option<Sees>,
    is_looking: bool,
    under_way: JoinSet<Done>,
}

/// Who is asked. The detector always is: it is this machine's.
pub(crate) enum Whom {
    /// The model and ml_api themselves.
    Themselves {
        /// Where ml_api gets the picture, if not where the rule says.
        picture: Option<HttpUrl>,
    },
    /// Nobody, but what was said once is said again.
    Recorded(Rc<Answers>),
    /// Nobody.
    Nobody,
}

/// Rules that are to be asked about now, all of one judge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) judge: Judge,
    pub(crate) rules: Vec<String>,
    occasion: Occasion,
}

/// A picture that somebody is asked about.
#[derive(Clone, Debug)]
pub(crate) struct AskedPicture {
    pub(crate) jpeg: Bytes,
    pub(crate) captured: SystemTime,
}

/// What a question came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) judge: Judge,
    /// For blindness; nothing where it was not time to ask.
    pub(crate) came_to: Option<Question>,
    /// Why there is no answer, for people.
    pub(crate) why: Option<String>,
    /// Rules of which nobody was asked, for it was not time to, and in how long it is.
    pub(crate) put_off: Vec<(String, Duration)>,
    /// By the rules' names.
    pub(crate) answers: Vec<(String, Judged)>,
    /// What was judged.
    pub(crate) picture: AskedPicture,
    /// What a model was shown besides.
    pub(crate) earlier: Vec<Earlier>,
}

/// What a task gives back.
enum Done {
    Words(Box<(Prepared, Asked, AskedPicture, Instant)>),
    Print(Box<PrintDone>),
    Seen(Box<(Vec<String>, anyhow::Result<sees::Look>, AskedPicture)>),
}

impl Asker {
    /// Those of a camera.
    ///
    /// # Errors
    /// A key cannot be read, or there is no detector that can be used.
    pub(crate) fn new(
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<Self> {
        Self::after(None, settings, camera, whom)
    }

    /// Those of a camera, to [take over](Self::take_over) from those `before`: the detector, the
    /// scores of prints and what an endpoint does not take are those of before, if it is the same
    /// detector, ml_api or endpoint. Keys are read again.
    ///
    /// # Errors
    /// As of [`Self::new`]. Nothing has changed.
    pub(crate) fn after(
        before: Option<&Self>,
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<Self> {
        let words = before.and_then(|before| before.words.as_ref());
        let prints = before.map_or(&[][..], |before| &before.prints[..]);
        let sees = before.and_then(|before| before.sees.as_ref());
        Ok(Self {
            camera: camera.name.to_string(),
            words: Words::new(settings, camera, whom, words)?,
            prints: OfPrint::all(settings, camera, whom, prints)?,
            sees: Sees::after(sees, settings, camera)?,
            is_looking: false,
            under_way: JoinSet::new(),
        })
    }

    /// Goes on in the place of the one `before`, with its questions. Gives the rules whose
    /// questions are dropped: those who were asked are not asked any more.
    pub(crate) fn take_over(&mut self, before: Self) -> Vec<String> {
        (self.under_way, self.is_looking) = (before.under_way, before.is_looking);
        let mut dropped = OfPrint::take_over(&mut self.prints, before.prints);
        if let Some(before) = before.words {
            dropped.extend(before.hand_over(self.words.as_mut()));
        }
        dropped
    }

    /// Takes the rules of a camera of which no others have changed than those that were made on the
    /// page, which are in words. All else goes on: a question that is under way, what an endpoint
    /// does not take, how often prints were looked at.
    ///
    /// # Errors
    /// The model's key cannot be read.
    pub(crate) fn set_made_rules(
        &mut self,
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<()> {
        match &mut self.words {
            Some(words) => words.set_rules(camera),
            None => self.words = Words::new(settings, camera, whom, None)?,
        }
        Ok(())
    }

    /// Takes in a picture that was looked at: one of them may be asked about, later.
    pub(crate) fn looked(&mut self, look: Look) {
        if let Some(words) = &mut self.words {
            words.says.looked(look);
        }
    }

    /// The camera was not looked at for a while.
    pub(crate) fn forget(&mut self) {
        if let Some(words) = &mut self.words {
            words.says.forget();
        }
        self.prints.iter().for_each(OfPrint::forget);
    }

    /// What is to be asked now, of the rules that `looks_now`. `at` is `now` by the clock that
    /// pauses between questions count by.
    pub(crate) fn due(
        &self,
        rules: &CameraRules,
        looks_now: impl Fn(&str) -> bool,
        (now, at): (Moment, Instant),
    ) -> Vec<Due> {
        let is_due = |rule: &Rule, judge: Judge| {
            let name = rule.name();
            rule.terms().judge == judge && looks_now(name) && rule.is_due(now)
        };
        let mut due = Vec::new();
        if let Some(words) = &self.words {
            let in_words = rules.rules().iter();
            let in_words = in_words.filter(|it| is_due(it, Judge::Says));
            due.extend(words.due(in_words, &self.camera, at));
        }
        let of_obico = rules.rules().iter();
        let of_obico = of_obico.filter(|it| is_due(it, Judge::Obico));
        let is_free = |rule: &&Rule| {
            let known = self.prints.iter().find(|it| it.rule == rule.name());
            known.is_some_and(OfPrint::is_free)
        };
        due.extend(of_obico.filter(is_free).map(|rule| Due {
            judge: Judge::Obico,
            rules: vec![rule.name().to_owned()],
            occasion: Occasion::First,
        }));
        let of_detector = rules.rules().iter();
        let of_detector = of_detector.filter(|it| is_due(it, Judge::Sees));
        due.extend(self.due_of_detector(of_detector));
        due
    }

    /// Asks what is due about a picture of now. What comes of it is the next [`Asker::outcome`];
    /// nothing does where the scene is one that was answered before.
    ///
    /// # Errors
    /// The picture cannot be asked about.
    pub(crate) fn ask(
        &mut self,
        due: &Due,
        rules: &CameraRules,
        picture: AskedPicture,
        clock_ahead_of_utc_s: i32,
        at: Instant,
    ) -> anyhow::Result<()> {
        match due.judge {
            Judge::Says => self.ask_in_words(due, rules, picture, clock_ahead_of_utc_s, at),
            Judge::Obico => self.ask_of_prints(due, picture),
            Judge::Sees => {
                self.ask_detector(due, picture);
                Ok(())
            }
            Judge::Motion | Judge::Left | Judge::Still => Ok(()),
        }
    }

    /// Says whether a question is under way.
    pub(crate) fn is_asking(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Waits for what the next question came to; for ever, while none is under way. May be dropped
    /// at any time.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        loop {
            match self.under_way.join_next().await {
                None => std::future::pending().await,
                Some(Ok(Done::Words(done))) => return self.words_done(*done),
                Some(Ok(Done::Print(done))) => return self.print_done(*done),
                Some(Ok(Done::Seen(done))) => return self.detector_done(*done),
                // It was dropped.
                Some(Err(error)) if error.is_cancelled() => {}
                Some(Err(error)) => log::error!("a question has ended early: {error}"),
            }
        }
    }
}
