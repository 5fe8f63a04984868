//! A host's word that it is there.

use super::fields::Fields;
use super::message::{self, FormatError, RequestId};
use super::name::HostName;

/// The answer to a request of [`super::Subject::Hosts`], which all hosts hear: small, for there may
/// be many. What a host shares is asked for where this says something else than before.
///
/// Only a claim: whoever may answer at all can say any name. Who answers for a host's own subject,
/// the broker sees to.
///
/// Its message is version 1, kind 7, two bytes that are zero, the request (24 bytes), instance and
/// revision (8 bytes each), and the host's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The request that this answers.
    pub id: RequestId,
    /// The host.
    pub host: HostName,
    /// The run of the program.
    pub instance: u64,
    /// Another number whenever the host shares other cameras.
    pub revision: u64,
}

impl Presence {
    /// Writes it down.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(44 + self.host.as_str().len());
        message::write_start(message::PRESENCE, self.id, &mut message);
        message.extend(self.instance.to_be_bytes());
        message.extend(self.revision.to_be_bytes());
        message.extend(self.host.as_str().bytes());
        message
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn parse(message: &[u8]) -> Result<Self, FormatError> {
        let mut fields = Fields(message);
        let id = message::read_start(message::PRESENCE, &mut fields)?;
        let (instance, revision) = (fields.u64()?, fields.u64()?);
        let host = std::str::from_utf8(fields.0).ok();
        let host = host.and_then(|host| host.parse().ok());
        Ok(Self {
            id,
            host: host.ok_or(FormatError::Host)?,
            instance,
            revision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Asker, Subject, SubjectTag};

    #[test]
    fn survives_a_round_trip_and_no_cut() {
        let presence = Presence {
            id: RequestId {
                asker: Asker(1),
                subject: SubjectTag::of(&Subject::Hosts),
                number: 2,
            },
            host: "pi-door".parse().unwrap(),
            instance: 3,
            revision: 4,
        };
        let bytes = presence.to_bytes();
        assert_eq!(Presence::parse(&bytes), Ok(presence));
        for end in 0..=44 {
            assert!(Presence::parse(&bytes[..end]).is_err(), "{end}");
        }
        let dotted = [&bytes[..], b".lan"].concat();
        assert_eq!(Presence::parse(&dotted), Err(FormatError::Host));
    }
}
