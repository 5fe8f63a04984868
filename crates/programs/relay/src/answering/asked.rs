//! What each asker has had of each camera, and which of its requests was the last.
//!
//! It is forgotten after a minute: by then what was sent has come or is lost, and the next request
//! says what its asker has. Where there are too many, who has not asked for longest is forgotten.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::wire::{Asker, RequestId, SubjectTag};

/// How long an asker that asks no more is remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// How many are remembered: twice as many as can be held, at some 200 bytes each.
const MAX_REMEMBERED: usize = 8_192;

type Key = (Asker, SubjectTag);

/// What is known of one asker and one camera.
#[derive(Clone, Copy, Debug)]
struct Memory {
    last_number: u64,
    had: u64,
    heard: Instant,
}

/// All that is remembered.
#[derive(Debug, Default)]
pub(super) struct Asked {
    memories: HashMap<Key, Memory>,
    /// By when they were heard of last.
    oldest: BTreeSet<(Instant, Key)>,
}

impl Asked {
    /// A request came, whose asker says that it has the frame of this number, or 0 for none. Gives
    /// the number of the newest that it has had; `None` where a later request came before.
    pub(super) fn request(
        &mut self,
        now: Instant,
        id: RequestId,
        have: u64,
        is_alone: bool,
    ) -> Option<u64> {
        self.forget(now);
        let key = (id.asker, id.subject);
        let before = self.memories.get(&key);
        if before.is_some_and(|before| before.last_number >= id.number) {
            return None;
        }
        let sent = before.map_or(0, |before| before.had);
        let had = if is_alone { have } else { have.max(sent) };
        let memory = Memory {
            last_number: id.number,
            had,
            heard: now,
        };
        self.remember(key, memory);
        Some(had)
    }

    /// A frame goes to the asker.
    pub(super) fn sent(&mut self, now: Instant, id: RequestId, sequence: u64) {
        let key = (id.asker, id.subject);
        let before = self.memories.get(&key).copied();
        let memory = Memory {
            last_number: before.map_or(id.number, |before| before.last_number),
            had: before.map_or(0, |before| before.had).max(sequence),
            heard: now,
        };
        self.remember(key, memory);
    }

    /// The number of the newest frame that an asker has had; 0 for none.
    pub(super) fn had(&self, id: RequestId) -> u64 {
        let memory = self.memories.get(&(id.asker, id.subject));
        memory.map_or(0, |memory| memory.had)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.memories.len()
    }

    fn remember(&mut self, key: Key, memory: Memory) {
        if let Some(before) = self.memories.insert(key, memory) {
            self.oldest.remove(&(before.heard, key));
        }
        self.oldest.insert((memory.heard, key));
        if self.memories.len() > MAX_REMEMBERED {
            self.forget_oldest();
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((heard, _)) = self.oldest.first()
            && now.saturating_duration_since(*heard) >= MEMORY
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.oldest.pop_first() {
            self.memories.remove(&key);
        }
    }
}
