//! What a session is called in URLs and messages. Who knows it can end the session, so it cannot be
//! guessed.

use std::fmt;
use std::str::FromStr;

/// 128 bits of chance, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(u128);

impl SessionId {
    /// Makes one of random bytes.
    pub(crate) fn of(random: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(random))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    /// Its beginning, which is enough to tell sessions apart in a log and too little to end one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", self.0 >> 96)
    }
}

impl FromStr for SessionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(());
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_not_shown_whole_in_logs() {
        let id = SessionId::of(*b"\x00\xff0123456789abcd");
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(format!("{id:?}"), text[..8]);
        for wrong in [
            "",
            "7f",
            &text[1..],
            &text.to_uppercase(),
            &format!("+{}", &text[1..]),
        ] {
            assert_eq!(wrong.parse::<SessionId>(), Err(()), "{wrong}");
        }
    }
}
