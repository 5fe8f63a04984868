//! What clients say of themselves behind an offer: candidates, trickled (RFC 8840). They are
//! counted and not kept, for none is needed: this side is ICE-lite, so the client asks and is
//! answered where it asks from.

use super::CANDIDATES;
use super::offer::{Unusable, text};

/// What a fragment of a session description says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SdpFragment {
    /// The client's name in ICE. Another than before is a restart.
    pub(crate) ice_ufrag: Option<String>,
    /// The password that goes with it.
    pub(crate) ice_password: Option<String>,
    /// How many candidates it has.
    pub(crate) candidates: usize,
}

impl SdpFragment {
    /// Reads the body of a PATCH.
    ///
    /// # Errors
    /// It is none, or has too much of something.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let mut fragment = Self::default();
        for line in text(body)?.lines().filter(|line| !line.is_empty()) {
            if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                fragment.ice_ufrag = Some(ufrag.trim().to_owned());
            } else if let Some(password) = line.strip_prefix("a=ice-pwd:") {
                fragment.ice_password = Some(password.trim().to_owned());
            } else if line.starts_with("a=candidate:") {
                fragment.candidates += 1;
            } else if !line.starts_with("a=") && !line.starts_with("m=") {
                return Err(Unusable::Malformed("a fragment has only m= and a="));
            }
        }
        match fragment.candidates {
            few if few <= CANDIDATES => Ok(fragment),
            _ => Err(Unusable::TooMuch("candidates")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BODY_BYTES;
    use super::*;

    #[test]
    fn a_fragment_as_browsers_pages_write_it() {
        // By MediaMTX's page, which Fluidd has taken.
        let text = "a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlnL\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:0\r\n\
            a=candidate:1 1 udp 2113937151 5c1f.local 50000 typ host generation 0 ufrag 4ZcD\r\n";
        let fragment = SdpFragment::parse(text.as_bytes()).unwrap();
        assert_eq!(fragment.ice_ufrag.as_deref(), Some("4ZcD"));
        let password = fragment.ice_password.as_deref();
        assert_eq!(password, Some("2/1muCWoOi3uLifh0NuRHlnL"));
        assert_eq!(fragment.candidates, 1);
        assert_eq!(
            SdpFragment::parse(b"a=end-of-candidates\n").unwrap(),
            SdpFragment::default()
        );
        assert_eq!(SdpFragment::parse(b"").unwrap(), SdpFragment::default());
    }

    #[test]
    fn what_is_no_fragment_or_too_much_is_refused() {
        let candidate = "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n";
        assert!(SdpFragment::parse(candidate.repeat(32).as_bytes()).is_ok());
        let many = SdpFragment::parse(candidate.repeat(33).as_bytes());
        assert_eq!(many, Err(Unusable::TooMuch("candidates")));
        let long = "a=\n".repeat(BODY_BYTES / 3 + 1);
        assert_eq!(
            SdpFragment::parse(long.as_bytes()),
            Err(Unusable::TooMuch("bytes"))
        );
        for wrong in [&b"v=0\r\n"[..], b"{}", b"a=\xff", b"a=ice-ufrag:x\ry\n"] {
            assert!(matches!(
                SdpFragment::parse(wrong),
                Err(Unusable::Malformed(_))
            ));
        }
    }
}
