//! What a slot's `state.json` is to say, and whether that is what was put there: to compare the
//! whole of it for each frame costs as much as to look at the frame.

use eyelid_slot::State;

/// A state, and whether the slot has it.
#[derive(Debug)]
pub(crate) struct ToldState {
    state: State,
    is_news: bool,
}

impl ToldState {
    /// Begins with a state that the slot does not have.
    pub(crate) fn new(state: State) -> Self {
        Self {
            state,
            is_news: true,
        }
    }

    /// The state.
    pub(crate) fn get(&self) -> &State {
        &self.state
    }

    /// Sets one field.
    pub(crate) fn set<T: PartialEq>(&mut self, field: impl FnOnce(&mut State) -> &mut T, value: T) {
        let field = field(&mut self.state);
        if *field != value {
            *field = value;
            self.is_news = true;
        }
    }

    /// Gives the state, to be changed.
    pub(crate) fn change(&mut self) -> &mut State {
        self.is_news = true;
        &mut self.state
    }

    /// The slot has it.
    pub(crate) fn published(&mut self) {
        self.is_news = false;
    }

    /// Says whether it has changed since the slot had it.
    pub(crate) fn is_news(&self) -> bool {
        self.is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_slot::Phase;
    use std::time::SystemTime;

    #[test]
    fn what_is_set_to_what_it_was_is_no_news() {
        let mut told = ToldState::new(State::new(Phase::Asleep, SystemTime::UNIX_EPOCH));
        assert!(told.is_news(), "the slot has nothing");
        told.published();
        told.set(|state| &mut state.waiting, None);
        told.set(|state| &mut state.state, Phase::Asleep);
        assert!(!told.is_news());
        told.set(|state| &mut state.state, Phase::Awake);
        assert!(told.is_news());
        assert_eq!(told.get().state, Phase::Awake);
    }
}
