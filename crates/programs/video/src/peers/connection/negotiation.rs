//! How a connection is agreed upon: what is offered, answered and begun anew, as session
//! descriptions (RFC 3264, RFC 8829).

use std::time::Instant;

use hyper::StatusCode;
use str0m::IceCreds;
use str0m::change::{SdpAnswer, SdpOffer};
use str0m::media::{Direction, MediaKind};

use super::{Connection, KEEP_ALIVE};
use crate::peers::answer::complete;
use crate::peers::set_up::SetUp;
use crate::signalling::Rejection;
use crate::signalling::credentials::Credentials;
use crate::signalling::json::KeepAlive;
use crate::signalling::offer::{Description, H264Format};

/// What is offered: Constrained Baseline at level 3.1, in pieces.
const OFFERED: H264Format = H264Format {
    payload_type: 102,
    retransmission: Some(103),
    profile_level_id: 0x42_e0_1f,
};

impl Connection {
    /// Answers an offer.
    ///
    /// # Errors
    /// What is wrong with the offer.
    pub(crate) fn answer(
        set_up: &SetUp,
        offer: &Description,
        now: Instant,
    ) -> Result<(Self, String), Rejection> {
        let mut connection = Self::new(set_up, offer.h264, now);
        let read = SdpOffer::from_sdp_string(&offer.text);
        let read = read.map_err(|error| unusable(&error))?;
        let answer = connection.rtc.sdp_api().accept_offer(read);
        let answer = answer.map_err(|error| unusable(&error))?;
        connection.offer = Some(offer.text.clone());
        Ok((connection, complete(&answer.to_sdp_string(), &offer.text)))
    }

    /// Offers.
    ///
    /// # Errors
    /// None is known.
    pub(crate) fn offer(
        set_up: &SetUp,
        keep_alive: KeepAlive,
        now: Instant,
    ) -> Result<(Self, String), Rejection> {
        let mut connection = Self::new(set_up, OFFERED, now);
        let mut changes = connection.rtc.sdp_api();
        let (video, sends) = (MediaKind::Video, Direction::SendOnly);
        let stream = Some("eyelid".to_owned());
        connection.mid = Some(changes.add_media(video, sends, stream, None, None));
        if keep_alive == KeepAlive::Pings {
            changes.add_channel(KEEP_ALIVE.to_owned());
        }
        let Some((offer, pending)) = changes.apply() else {
            let what = "there is nothing to offer";
            return Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, what));
        };
        connection.pending = Some(pending);
        Ok((connection, offer.to_sdp_string()))
    }

    /// Takes the answer to what this side has offered.
    ///
    /// # Errors
    /// What is wrong with it; or there was no offer, or another answer to it.
    pub(crate) fn accept(&mut self, answer: &Description) -> Result<(), Rejection> {
        let Some(pending) = self.pending.take() else {
            let what = "this session has its answer already";
            return Err(Rejection::new(StatusCode::CONFLICT, what));
        };
        let read = SdpAnswer::from_sdp_string(&answer.text);
        let read = read.map_err(|error| unusable(&error))?;
        let accepted = self.rtc.sdp_api().accept_answer(pending, read);
        accepted.map_err(|error| unusable(&error))?;
        self.format = answer.h264;
        Ok(())
    }

    /// Begins ICE anew (RFC 8445, section 9), each side with another name and password; pictures go
    /// on to where they went until the client has chosen another way. Gives what the client has to
    /// know, as a fragment of a session description.
    ///
    /// # Errors
    /// The client has offered nothing that this could be for.
    pub(crate) fn restart(
        &mut self,
        ours: IceCreds,
        theirs: &Credentials,
    ) -> Result<String, Rejection> {
        let Some(offer) = &self.offer else {
            let what = "this session was not opened by an offer";
            return Err(Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, what));
        };
        // To str0m it is the same offer by another name. Where the client can be is forgotten: its
        // first check says it.
        let read = SdpOffer::from_sdp_string(&theirs.put_into(offer));
        let read = read.map_err(|error| unusable(&error))?;
        let answer = self.rtc.sdp_api().accept_offer(read);
        let answer = answer.map_err(|error| unusable(&error))?.to_sdp_string();
        // It calls itself by four letters, which another session may be called, too.
        let mut direct = self.rtc.direct_api();
        direct.set_local_ice_credentials(ours.clone());
        self.is_restarting = true;
        Ok(restart_fragment(&ours, &answer))
    }
}

/// Tells a client of this side's new name, and its addresses, which are the old ones.
fn restart_fragment(ours: &IceCreds, answer: &str) -> String {
    let mut fragment = format!(
        "a=ice-lite\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n",
        ours.ufrag, ours.pass
    );
    let is_section = |line: &&str| line.starts_with("m=") || line.starts_with("a=mid:");
    let is_address = |line: &&str| line.starts_with("a=candidate:");
    let sections = answer.lines().filter(is_section).take(2);
    let addresses = answer.lines().filter(is_address);
    // In the answer they have its name, which is not the one that holds.
    let addresses = addresses.filter_map(|line| line.split(" ufrag ").next());
    for line in sections.chain(addresses) {
        fragment.extend([line, "\r\n"]);
    }
    fragment.push_str("a=end-of-candidates\r\n");
    fragment
}

fn unusable(error: &dyn std::fmt::Display) -> Rejection {
    let what = format!("this session description cannot be used: {error}");
    Rejection::new(StatusCode::BAD_REQUEST, what)
}
