//! Whose a STUN message is: the name in it, as far as it is needed to find the session. Whether it
//! is true is for the session to say, which knows the password.

/// What each message has besides its attributes (RFC 8489, section 5).
const HEADER_BYTES: usize = 20;
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The attribute that names who is asked and who asks.
const USERNAME: u16 = 0x0006;

/// Says whether a datagram is STUN, and not DTLS or SRTP (RFC 7983).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4) && datagram.get(4..8) == Some(&MAGIC)
}

/// Says whether a datagram is of DTLS (RFC 7983).
pub(crate) fn is_dtls(datagram: &[u8]) -> bool {
    datagram
        .first()
        .is_some_and(|first| (20..64).contains(first))
}

/// What an answer repeats of what it answers.
pub(crate) type Transaction = [u8; 12];

/// Gives a message's transaction.
pub(crate) fn transaction(message: &[u8]) -> Option<Transaction> {
    message.get(8..HEADER_BYTES)?.try_into().ok()
}

/// Gives the name of who is asked.
pub(crate) fn asked_ufrag(message: &[u8]) -> Option<&str> {
    let mut attributes = message.get(HEADER_BYTES..)?;
    while let Some((header, rest)) = attributes.split_at_checked(4) {
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if kind == USERNAME {
            let name = str::from_utf8(rest.get(..length)?).ok()?;
            return name.split_once(':').map(|(asked, _)| asked);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0];
        message.extend(MAGIC);
        message.extend([7; 12]);
        for (kind, value) in attributes {
            message.extend(kind.to_be_bytes());
            message.extend((value.len() as u16).to_be_bytes());
            message.extend(*value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    #[test]
    fn the_name_of_who_is_asked_is_found_behind_others() {
        let found = message(&[
            (0x802a, &[1; 8]),
            (0x0024, &[1; 5]),
            (USERNAME, b"ours:their"),
        ]);
        assert!(is_stun(&found) && !is_dtls(&found));
        assert_eq!(asked_ufrag(&found), Some("ours"));
        for none in [
            message(&[]),
            message(&[(USERNAME, b"ours")]),
            message(&[(USERNAME, b"\xff:x")]),
            message(&[(0x802a, &[1; 8])]),
        ] {
            assert_eq!(asked_ufrag(&none), None);
        }
    }

    #[test]
    fn what_ends_too_early_has_no_name() {
        let whole = message(&[(0x802a, &[1; 8]), (USERNAME, b"ours:the")]);
        for end in 0..whole.len() {
            assert_eq!(asked_ufrag(&whole[..end]), None, "{end}");
        }
        assert!(!is_stun(&whole[..7]) && !is_stun(&[]) && !is_dtls(&[]));
        assert!(is_dtls(&[22, 254, 253]) && !is_stun(&[0; 30]));
    }
}
