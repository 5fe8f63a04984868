//! What a rule's machine goes by: what the configuration says, and what follows from the judge.

use std::time::Duration;

use crate::alert::Judge;

/// What a rule goes by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    /// Who looks.
    pub(crate) judge: Judge,
    /// What is asked, in words. A rule of the same name that asks for something else is another
    /// one.
    pub(crate) asked: Option<String>,
    /// So many yeses...
    pub(crate) yes: usize,
    /// ...among so many answers in a row make an alert.
    pub(crate) of: usize,
    /// A yes that is less sure is none: it counts as unsure. Does not hold where nobody says how
    /// sure.
    pub(crate) confidence: f64,
    /// What is seen again within this is the same thing.
    pub(crate) cool_down: Duration,
    /// How many alerts an hour may have.
    pub(crate) an_hour: usize,
    /// How often it is asked, whatever moves; nothing, where it is asked when something moves.
    pub(crate) every: Option<Duration>,
}

/// How long something that was left stands at most. That it was taken may have been missed: nobody
/// looked, or the light was switched at that moment.
pub(super) const LIES_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// How long a start anew takes at most: systemd waits 5 s, the detector is read, and what is known
/// of the last look may be half a minute old where the program was killed.
const A_RESTART: Duration = Duration::from_secs(60);

/// Noes in a row by which a thing that stands is gone.
pub(crate) const NOES: u32 = 2;

/// From a yes, or a first no, to the question that confirms it: long enough for another picture,
/// and short enough that who passes by is still there.
pub(crate) const CONFIRM: Duration = Duration::from_secs(3);

/// How soon a question is asked again that had no answer, and how late at most; twice as late with
/// each in a row. An endpoint that fails is left alone for as long ([`eyelid_words::Pauses`]), and
/// one that talks nonsense is not to spend the day's questions with that.
const ASK_AFTER_NONE: Duration = Duration::from_secs(15);
const ASK_AFTER_NONE_AT_MOST: Duration = Duration::from_secs(600);

/// How often it is asked what became of a thing that stands, where nothing moves. The detector
/// costs nothing but a twentieth of a second.
const ASK_AGAIN: Duration = Duration::from_secs(600);
const LOOK_AGAIN: Duration = Duration::from_secs(60);

impl Terms {
    /// Those of a judge of whom nothing else is said.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(judge: Judge) -> Self {
        let (yes, of) = match judge {
            // Each has made sure by itself, over several frames.
            Judge::Motion | Judge::Left | Judge::Still => (1, 1),
            Judge::Sees | Judge::Says | Judge::Obico => (2, 3),
        };
        Self {
            judge,
            asked: None,
            yes,
            of,
            confidence: 0.0,
            cool_down: cool_down(judge),
            an_hour: 6,
            every: None,
        }
    }

    /// Says whether one yes is enough: a model that is as sure as this is not asked again.
    pub(super) fn is_sure(&self, confidence: Option<f64>) -> bool {
        self.judge == Judge::Says
            && (self.yes, self.of) == (2, 3)
            && confidence.is_some_and(|confidence| confidence >= 0.9)
    }

    /// How things of this rule are told apart.
    pub(super) fn identity(&self) -> Identity {
        match self.judge {
            Judge::Motion | Judge::Still | Judge::Says | Judge::Obico => Identity::One,
            Judge::Sees => Identity::Label,
            Judge::Left => Identity::Place,
        }
    }

    /// How long a thing has to be out of sight before it is gone, besides the [`NOES`]. What walks
    /// stands still for a moment; a model's no is one. A printer that moves again does.
    pub(super) fn quiet_after(&self) -> Duration {
        match self.judge {
            Judge::Motion | Judge::Sees => Duration::from_secs(5),
            // Nobody can see for how long something is missing. What was left is gone when that is
            // said, and not by noes.
            Judge::Left => Duration::from_secs(60),
            Judge::Still | Judge::Says | Judge::Obico => Duration::ZERO,
        }
    }

    /// Noes by which it is gone. Stillness ends with the first movement, which is no guess.
    pub(super) fn noes(&self) -> u32 {
        match self.judge {
            Judge::Still => 1,
            _ => NOES,
        }
    }

    /// How long a yes waits for the next ones.
    pub(super) fn vote_age(&self) -> Duration {
        match (self.judge, self.every) {
            // These are asked of every frame or two.
            (Judge::Motion | Judge::Left | Judge::Still, _) => Duration::from_secs(10),
            // Each answer may take its time-out of a minute.
            (_, None) => Duration::from_secs(180),
            (_, Some(every)) => Duration::from_secs(180) + every,
        }
    }

    /// After how long without a look a thing is no longer known to be the one that stood there. Who
    /// moves is somebody else then; what lies there may well have been there all the time.
    pub(super) fn gap(&self) -> Duration {
        let least = match self.judge {
            Judge::Motion | Judge::Sees => Duration::from_secs(60),
            Judge::Left | Judge::Says | Judge::Obico => Duration::from_secs(3600),
            Judge::Still => Duration::from_secs(24 * 3600),
        };
        self.cool_down.max(least).max(ASK_AGAIN + CONFIRM)
    }

    /// How long after the last look this program may be started anew, and what stood then is there
    /// as long as nobody has looked.
    pub(super) fn restart(&self) -> Duration {
        self.cool_down.max(A_RESTART)
    }

    /// How long after a question about a thing in this state the next one is due, where something
    /// moves, and where nothing does.
    pub(super) fn pauses(&self, is_confirming: bool, is_standing: bool) -> (Duration, Duration) {
        // The detector is on this machine, and asked once a second while something moves.
        let (confirm, moving, again) = match self.judge {
            Judge::Sees => (Duration::from_secs(1), Duration::from_secs(1), LOOK_AGAIN),
            _ => (CONFIRM, Duration::from_secs(10), ASK_AGAIN),
        };
        match self.every {
            _ if is_confirming => (confirm, confirm),
            Some(every) => (every, every),
            None if is_standing => (moving, again),
            None => (moving, Duration::MAX),
        }
    }
}

/// How long after a question that had no answer it is asked again, so many in a row before having
/// had none either.
pub(super) fn retry_after(misses: u32) -> Duration {
    let doubled = ASK_AFTER_NONE.saturating_mul(1 << misses.min(16));
    doubled.min(ASK_AFTER_NONE_AT_MOST)
}

/// How things of a rule are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// There is one at a time.
    One,
    /// By what they are.
    Label,
    /// By where they are, and what: two parcels are two, wherever.
    Place,
}

/// How long after it was seen last a thing counts as the same.
///
/// Ten minutes for what is seen or asked in words, as LLM Vision has it: the visitor at the door
/// who steps aside is not another one, and neither is a parcel behind a passer-by, nor one that was
/// put down a hand's breadth away. Ten seconds for motion: there what comes cannot be told from
/// what was there, so who comes half a minute later is somebody else; the alerts of an hour bound
/// what a busy street makes of that. None for stillness, which has waited for its own time before
/// it is told.
pub(crate) fn cool_down(judge: Judge) -> Duration {
    match judge {
        Judge::Motion => Duration::from_secs(10),
        Judge::Still => Duration::ZERO,
        Judge::Left | Judge::Sees | Judge::Says | Judge::Obico => Duration::from_secs(600),
    }
}
