//! Those who are asked about a camera's pictures, now and then: whom, about which rules, and what
//! came of it. While a question is under way the camera is looked at as ever.

mod answers;
mod looking;
mod voice;
mod words;

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use eyelid_config::HttpUrl;
use tokio::task::JoinSet;

use crate::UnaskableError;
use crate::alert::Judge;
use crate::judges::Judged;
use crate::judges::obico::Obico;
use crate::judges::says::{Asked, Look, Occasion, Prepared};
use crate::judges::sees::{self, Sees};
use crate::moment::Moment;
use crate::rules::{Answer, CameraRules, Question, Rule};
use crate::settings::{CameraSettings, JudgeSettings, Settings};

pub(crate) use answers::{AnswerLog, Answers};

use words::Words;

/// All of one camera. When it is dropped, so are questions under way.
pub(crate) struct Asker {
    camera: String,
    words: Option<Words>,
    /// By their rules; nothing while one is under way.
    obico: Vec<(String, Option<MlApi>)>,
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

/// Who looks at prints for a rule.
enum MlApi {
    Itself(Box<Obico>),
    Recorded(Rc<Answers>),
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
}

/// What a task gives back.
enum Done {
    Words(Box<(Prepared, Asked, AskedPicture, Instant)>),
    Obico(Box<ObicoDone>),
    Seen(Box<(Vec<String>, anyhow::Result<sees::Look>, AskedPicture)>),
}

/// Of a rule; no answer where nothing is said of it.
type ObicoDone = (String, MlApi, Option<anyhow::Result<Judged>>, AskedPicture);

impl Asker {
    /// Those of a camera.
    ///
    /// # Errors
    /// A key cannot be read, or would go over a wire in the clear; or there is no detector that can
    /// be used.
    pub(crate) fn new(
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<Self> {
        let words = Words::new(settings, camera, whom)?;
        let mut obico = Vec::new();
        for rule in &camera.rules {
            if let Some(judge) = ml_api(&rule.judge, whom, settings.ca_file.as_deref())? {
                obico.push((rule.name.clone(), Some(judge)));
            }
        }
        Ok(Self {
            camera: camera.name.to_string(),
            words,
            obico,
            sees: Sees::new(settings, camera)?,
            is_looking: false,
            under_way: JoinSet::new(),
        })
    }

    /// Those of a camera that is watched, or is to be.
    ///
    /// # Errors
    /// [`UnaskableError`], and why, as of [`Self::new`].
    pub(crate) fn of_camera(settings: &Settings, camera: &CameraSettings) -> anyhow::Result<Self> {
        let asker = Self::new(settings, camera, &Whom::Themselves { picture: None });
        asker.with_context(|| UnaskableError(camera.name.clone()))
    }

    /// Takes the rules of a camera of which no others have changed than those that were made on the
    /// page, which are in words. All else goes on: a question that is under way, what an endpoint
    /// does not take, how often prints were looked at.
    ///
    /// # Errors
    /// The model's key cannot be read, or would go over a wire in the clear.
    pub(crate) fn set_made_rules(
        &mut self,
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<()> {
        match &mut self.words {
            Some(words) => words.set_rules(camera),
            None => self.words = Words::new(settings, camera, whom)?,
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
        for (_, obico) in &mut self.obico {
            if let Some(MlApi::Itself(obico)) = obico {
                obico.forget();
            }
        }
    }

    /// What is to be asked now, of the rules that `looks_now`; `moves` says whether something does
    /// where a rule looks. `at` is `now` by the clock that pauses between questions count by.
    pub(crate) fn due(
        &self,
        rules: &CameraRules,
        looks_now: impl Fn(&str) -> bool,
        moves: impl Fn(&str) -> bool,
        (now, at): (Moment, Instant),
    ) -> Vec<Due> {
        let is_due = |rule: &Rule, judge: Judge| {
            let name = rule.name();
            rule.terms().judge == judge && looks_now(name) && rule.is_due(moves(name), now)
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
            let known = self.obico.iter().find(|(name, _)| name == rule.name());
            known.is_some_and(|(_, obico)| obico.is_some())
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
            Judge::Obico => self.ask_obico(due, picture),
            Judge::Sees => {
                self.ask_detector(due, picture);
                Ok(())
            }
            Judge::Motion | Judge::Left | Judge::Still => Ok(()),
        }
    }

    fn ask_obico(&mut self, due: &Due, picture: AskedPicture) -> anyhow::Result<()> {
        let (header, _) = eyelid_jpeg::whole(&picture.jpeg)?;
        for (rule, place) in &mut self.obico {
            if !due.rules.contains(rule) {
                continue;
            }
            let Some(mut judge) = place.take() else {
                continue;
            };
            let (rule, picture) = (rule.clone(), picture.clone());
            self.under_way.spawn_local(async move {
                let judged = match &mut judge {
                    MlApi::Itself(obico) => Some(obico.judge((header.width, header.height)).await),
                    MlApi::Recorded(answers) => answers.said(&rule, None).map(Ok),
                };
                Done::Obico(Box::new((rule, judge, judged, picture)))
            });
        }
        Ok(())
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
                Some(Ok(Done::Obico(done))) => return self.obico_done(*done),
                Some(Ok(Done::Seen(done))) => return self.detector_done(*done),
                Some(Err(error)) => log::error!("a question has ended early: {error}"),
            }
        }
    }

    fn obico_done(&mut self, (rule, judge, judged, picture): ObicoDone) -> Outcome {
        if let Some((_, place)) = self.obico.iter_mut().find(|(name, _)| *name == rule) {
            *place = Some(judge);
        }
        let (came_to, why, judged) = match judged {
            None => (None, None, None),
            Some(Ok(judged)) => (Some(Question::Answered), None, Some(judged)),
            Some(Err(error)) => {
                let why = format!("{error:#}");
                log::debug!("obico: no answer: {why}");
                let missing = Some(Answer::Missing.into());
                (Some(Question::Failed), Some(why), missing)
            }
        };
        Outcome {
            judge: Judge::Obico,
            came_to,
            why,
            put_off: Vec::new(),
            answers: judged.map(|judged| (rule, judged)).into_iter().collect(),
            picture,
        }
    }
}

/// Who looks for a rule of obico's, if anybody does.
fn ml_api(
    judge: &JudgeSettings,
    whom: &Whom,
    ca_file: Option<&Path>,
) -> anyhow::Result<Option<MlApi>> {
    let JudgeSettings::Obico {
        url,
        picture,
        key_file,
    } = judge
    else {
        return Ok(None);
    };
    Ok(match whom {
        Whom::Themselves { picture: lent } => {
            let picture = lent.as_ref().unwrap_or(picture);
            let obico = Obico::new(url, picture, key_file.as_deref(), ca_file)?;
            Some(MlApi::Itself(Box::new(obico)))
        }
        Whom::Recorded(answers) => Some(MlApi::Recorded(answers.clone())),
        Whom::Nobody => None,
    })
}
