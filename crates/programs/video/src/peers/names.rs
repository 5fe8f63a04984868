//! What a session is called.

use hyper::StatusCode;
use str0m::IceCreds;

use crate::signalling::Rejection;
use crate::signalling::session_id::SessionId;

/// Names a session, for HTTP and for ICE.
///
/// # Errors
/// There are no random numbers.
pub(super) fn of_session() -> Result<(SessionId, IceCreds), Rejection> {
    Ok((random()?, in_ice()?))
}

/// Names it for ICE alone. The name only tells sessions apart; its password has 128 bits (RFC 8445,
/// section 5.3).
///
/// # Errors
/// There are no random numbers.
pub(super) fn in_ice() -> Result<IceCreds, Rejection> {
    Ok(IceCreds {
        ufrag: random()?.to_string()[..16].to_owned(),
        pass: random()?.to_string(),
    })
}

fn random() -> Result<SessionId, Rejection> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let what = format!("no random numbers: {error}");
        Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, what)
    })?;
    Ok(SessionId::of(bytes))
}
