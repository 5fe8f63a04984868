//! Numbers that nobody can guess: identifiers of sessions, nonces, and where a stream begins (RFC
//! 3550, section 5.1).

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Gives 32 random bits.
///
/// # Errors
/// What the system said.
pub(crate) fn bits() -> io::Result<u32> {
    Ok(getrandom::u32()?)
}

/// Gives 96 random bits as 16 characters: as many as a CNAME should have (RFC 7022, section 5).
///
/// # Errors
/// What the system said.
pub(crate) fn word() -> io::Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Gives 16 random hexadecimal digits: clients are known that stumble over other characters in the
/// identifier of a session.
///
/// # Errors
/// What the system said.
pub(crate) fn digits() -> io::Result<String> {
    Ok(format!("{:016X}", getrandom::u64()?))
}
