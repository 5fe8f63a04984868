//! What a far camera says of itself, and when it is asked: when it wakes, once a minute after that,
//! and once a second while its frames do not come as they should.

use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Phase, Rendition, RenditionSet, State};

use crate::wire::{Asker, FarState, Request, RequestId, SubjectTag};

/// How often it is asked while all is well.
const WELL: Duration = Duration::from_secs(60);

/// How often it is asked while frames do not come.
const TROUBLE: Duration = Duration::from_secs(1);

/// What is offered of a camera that has not said yet what it offers: what all producers do.
const USUAL: [Rendition; 3] = [Rendition::Low, Rendition::Half, Rendition::Quarter];

/// What it has said last.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) phase: Phase,
    pub(super) error: Option<String>,
    pub(super) waiting: Option<String>,
    pub(super) fps: Option<f64>,
    pub(super) settling: bool,
}

/// What is known of it.
#[derive(Debug)]
pub(super) struct FarTold {
    offers: RenditionSet,
    full_size: Option<(u32, u32)>,
    said: Option<Box<Said>>,
    /// When that came.
    at: Option<Instant>,
    asked: Option<Instant>,
    number: u64,
}

impl Default for FarTold {
    fn default() -> Self {
        Self {
            offers: USUAL.into_iter().collect(),
            full_size: None,
            said: None,
            at: None,
            asked: None,
            number: 0,
        }
    }
}

impl FarTold {
    /// What it offers beside its frames.
    pub(super) fn offers(&self) -> RenditionSet {
        self.offers
    }

    /// The size of its full pictures.
    pub(super) fn full_size(&self) -> Option<(u32, u32)> {
        self.full_size
    }

    /// What it has said last.
    pub(super) fn said(&self) -> Option<&Said> {
        self.said.as_deref()
    }

    /// The same, if it has said it since then.
    pub(super) fn said_since(&self, moment: Instant) -> Option<&Said> {
        self.said().filter(|_| self.at >= Some(moment))
    }

    /// A rendition is not there after all.
    pub(super) fn has_not(&mut self, rendition: Rendition) {
        self.offers.remove(rendition);
        self.full_size = self.full_size.filter(|_| rendition != Rendition::Full);
    }

    /// The camera wakes: what it is doing may be anything.
    pub(super) fn woke(&mut self) {
        self.asked = None;
    }

    /// When to ask.
    pub(super) fn ask_at(&self, now: Instant, is_in_trouble: bool) -> Instant {
        let pause = if is_in_trouble { TROUBLE } else { WELL };
        self.asked.map_or(now, |asked| asked + pause)
    }

    /// Gives a request, which is sent now.
    pub(super) fn request(&mut self, now: Instant, asker: Asker, subject: SubjectTag) -> Request {
        self.asked = Some(now);
        self.number += 1;
        Request::question(RequestId {
            asker,
            subject,
            number: self.number,
        })
    }

    /// Takes an answer, if it is to the last request. Says whether it is.
    pub(super) fn take(&mut self, now: Instant, wall: SystemTime, answer: FarState) -> bool {
        if answer.id.number != self.number || self.at >= self.asked {
            return false;
        }
        self.at = Some(now);
        let state = answer.into_state(wall);
        (self.offers, self.full_size) = offered(&state);
        self.said = Some(Box::new(Said {
            phase: state.state,
            error: state.error,
            waiting: state.waiting,
            fps: state.fps.filter(|fps| fps.is_finite() && *fps > 0.0),
            settling: state.settling,
        }));
        true
    }
}

/// What a state offers that can be fetched: planes are larger than any link is for.
fn offered(state: &State) -> (RenditionSet, Option<(u32, u32)>) {
    let full = state.rendition(Rendition::Full);
    let full_size = full.and_then(|full| full.width.zip(full.height));
    let is_offered = |rendition: &Rendition| match rendition {
        Rendition::Y4m => false,
        Rendition::Full => full_size.is_some(),
        other => state.rendition(*other).is_some(),
    };
    (
        Rendition::ALL.into_iter().filter(is_offered).collect(),
        full_size,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_slot::RenditionSize;

    fn answer(number: u64, state: State) -> FarState {
        let id = RequestId {
            asker: Asker(1),
            subject: SubjectTag::of(&"eyelid.v1.pi.door.state".parse().unwrap()),
            number,
        };
        FarState::new(id, state, SystemTime::UNIX_EPOCH + WELL)
    }

    #[test]
    fn it_is_asked_seldom_while_all_is_well() {
        let start = Instant::now();
        let tag = answer(1, State::new(Phase::Awake, SystemTime::UNIX_EPOCH))
            .id
            .subject;
        let mut told = FarTold::default();
        assert_eq!(told.ask_at(start, false), start);
        assert_eq!(told.request(start, Asker(1), tag).id.number, 1);
        assert_eq!(told.ask_at(start, false), start + WELL);
        assert_eq!(told.ask_at(start, true), start + TROUBLE);
        told.woke();
        assert_eq!(told.ask_at(start, false), start);
    }

    #[test]
    fn only_the_answer_to_the_last_request_counts_and_that_once() {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let failed = || State::failed("unplugged".into(), SystemTime::UNIX_EPOCH);
        let tag = answer(1, failed()).id.subject;
        let mut told = FarTold::default();
        told.request(start, Asker(1), tag);
        told.request(start + TROUBLE, Asker(1), tag);
        let now = start + TROUBLE * 2;
        assert!(!told.take(now, wall, answer(1, failed())), "an old one");
        assert!(told.take(now, wall, answer(2, failed())));
        assert!(!told.take(now, wall, answer(2, failed())), "a replay");
        assert_eq!(told.said().unwrap().error.as_deref(), Some("unplugged"));
        assert!(told.said_since(now).is_some());
        assert!(told.said_since(now + TROUBLE).is_none());
    }

    #[test]
    fn what_it_offers_is_offered_here_but_planes() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut told = FarTold::default();
        assert!(
            told.offers().contains(Rendition::Quarter),
            "as long as nobody knows"
        );
        let mut state = State::new(Phase::Awake, SystemTime::UNIX_EPOCH);
        let size = RenditionSize {
            width: Some(4608),
            height: Some(2592),
            ..RenditionSize::default()
        };
        for rendition in [Rendition::Half, Rendition::Full, Rendition::Y4m] {
            state
                .renditions
                .insert(rendition.name().into(), size.clone());
        }
        told.request(now, Asker(1), answer(1, state.clone()).id.subject);
        assert!(told.take(now, wall, answer(1, state)));
        let offered: Vec<_> = told.offers().iter().collect();
        assert_eq!(offered, [Rendition::Half, Rendition::Full]);
        assert_eq!(told.full_size(), Some((4608, 2592)));
        told.has_not(Rendition::Full);
        assert_eq!(told.full_size(), None);
    }
}
