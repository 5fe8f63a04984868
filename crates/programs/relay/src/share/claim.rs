//! Who may call itself by a host's name: one program at a time.

use std::time::{Duration, Instant};

use crate::wire::{Asker, Directory, HostName, Request, RequestId, Subject, SubjectTag};

/// How long another program has to answer before this one begins to. Only at the start: until then
/// nobody has been told that this one is there.
const HEARING: Duration = Duration::from_millis(500);

/// How often the question is asked again: two parts of a network may have come together.
const AGAIN: Duration = Duration::from_secs(60);

/// This program's claim to a name.
#[derive(Debug)]
pub(super) struct Claim {
    host: HostName,
    instance: u64,
    began: Instant,
    last_number: u64,
    /// Until when others are listened for, once there was a connection.
    hears_until: Option<Instant>,
    asked: Option<Instant>,
}

/// Another program of this name keeps it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "host {host:?} is shared already, by another eyelid-relay (instance {instance:016x}, for \
     {up_s} s): give each host a name of its own (--as)"
)]
pub(crate) struct NameTaken {
    host: String,
    instance: u64,
    up_s: u64,
}

impl Claim {
    pub(super) fn new(host: HostName, instance: u64, now: Instant) -> Self {
        Self {
            host,
            instance,
            began: now,
            last_number: 0,
            hears_until: None,
            asked: None,
        }
    }

    /// Gives the question who else has the name, if it is to be asked now.
    pub(super) fn ask(&mut self, now: Instant) -> Option<Request> {
        if self.asked.is_some_and(|asked| now < asked + AGAIN) {
            return None;
        }
        self.asked = Some(now);
        self.hears_until.get_or_insert(now + HEARING);
        self.last_number += 1;
        Some(Request::question(self.request_id()))
    }

    /// The last question.
    fn request_id(&self) -> RequestId {
        RequestId {
            asker: Asker(self.instance),
            subject: SubjectTag::of(&Subject::Host(self.host.clone())),
            number: self.last_number,
        }
    }

    /// The connection is another one: whoever was not heard before may be now.
    pub(super) fn connected(&mut self) {
        self.asked = None;
    }

    /// Says whether requests may be answered.
    pub(super) fn is_heard(&self, now: Instant) -> bool {
        self.hears_until.is_some_and(|until| until <= now)
    }

    /// When the name is its own, or else to ask again.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let heard = self.hears_until.filter(|until| *until > now);
        heard.or_else(|| self.asked.map(|asked| asked + AGAIN))
    }

    /// For how long this program has run, in milliseconds.
    pub(super) fn up_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    /// Somebody answers for the name. What was not asked just now may be the word of one that has
    /// ended, which a broker repeats.
    ///
    /// # Errors
    /// Another program keeps it.
    pub(super) fn answered(&self, now: Instant, other: &Directory) -> Result<(), NameTaken> {
        if other.id != self.request_id() {
            return Ok(());
        }
        let own = Directory {
            id: other.id,
            host: self.host.clone(),
            instance: self.instance,
            up_ms: self.up_ms(now),
            cameras: std::iter::empty().collect(),
        };
        if other.host != self.host || other.instance == self.instance {
            return Ok(());
        }
        if own.keeps_name_against(other) {
            log::warn!(
                "another eyelid-relay (instance {:016x}) shares host {:?}, too, and is to end",
                other.instance,
                self.host.as_str()
            );
            return Ok(());
        }
        Err(NameTaken {
            host: self.host.to_string(),
            instance: other.instance,
            up_s: other.up_ms / 1000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(instance: u64, now: Instant) -> Claim {
        Claim::new("pi".parse().unwrap(), instance, now)
    }

    fn directory(request: &Request, instance: u64, up_ms: u64) -> Directory {
        Directory {
            id: request.id,
            host: "pi".parse().unwrap(),
            instance,
            up_ms,
            cameras: std::iter::empty().collect(),
        }
    }

    #[test]
    fn the_later_one_gives_the_name_up() {
        let now = Instant::now();
        let mut claim = claim(7, now);
        let request = claim.ask(now).unwrap();
        let later = now + Duration::from_millis(100);
        assert!(claim.answered(later, &directory(&request, 7, 0)).is_ok());
        assert!(claim.answered(later, &directory(&request, 9, 50)).is_ok());
        let error = claim.answered(later, &directory(&request, 9, 60_000));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("0000000000000009, for 60 s"), "{error}");
    }

    #[test]
    fn the_word_of_one_that_has_ended_is_nothing() {
        let now = Instant::now();
        let mut claim = claim(7, now);
        let old = claim.ask(now).unwrap();
        let mut another = old;
        another.id.asker = Asker(8);
        claim.connected();
        let request = claim.ask(now).unwrap();
        for repeated in [old, another] {
            let repeated = directory(&repeated, 9, 60_000);
            assert_eq!(claim.answered(now, &repeated), Ok(()));
        }
        let said = directory(&request, 9, 60_000);
        assert!(claim.answered(now, &said).is_err());
    }

    #[test]
    fn nobody_is_answered_before_others_had_time_to_object() {
        let now = Instant::now();
        let mut claim = claim(7, now);
        assert!(!claim.is_heard(now + AGAIN), "there was no connection yet");
        claim.ask(now).unwrap();
        assert!(!claim.is_heard(now));
        assert!(claim.is_heard(now + HEARING));
        assert!(claim.ask(now + HEARING).is_none());
        claim.connected();
        assert!(claim.ask(now + HEARING).is_some());
        assert!(claim.is_heard(now + HEARING), "it has been heard once");
        assert!(claim.ask(now + HEARING + AGAIN).is_some());
    }
}
