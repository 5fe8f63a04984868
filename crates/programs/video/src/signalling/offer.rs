//! What a client's session description (SDP) says of what matters here: whether it can be sent
//! H.264, in which payload type, and whether it is one at all. This is known before a camera wakes,
//! and before anything else reads it.

use hyper::StatusCode;

use super::{BODY_BYTES, CANDIDATES, Rejection};

/// Most media sections. Browsers' offers have one for each track that the page asks for.
const SECTIONS: usize = 16;

/// Most formats of one section: payload types have seven bits.
const FORMATS: usize = 128;

/// A session description that can be answered with H.264, or answers with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// The whole.
    pub(crate) text: String,
    /// The payload type to send.
    pub(crate) h264: H264Format,
    /// How many candidates it has.
    pub(crate) candidates: usize,
    /// The client's name in ICE.
    pub(crate) ice_ufrag: String,
}

/// A payload type for H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct H264Format {
    /// The payload type.
    pub(crate) payload_type: u8,
    /// That of retransmissions (RFC 4588).
    pub(crate) retransmission: Option<u8>,
    /// Profile, constraints and level as in `profile-level-id`.
    pub(crate) profile_level_id: u32,
}

/// Why a session description cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// It has more bytes, sections or candidates than any has.
    #[error("the session description has more {0} than are read")]
    TooMuch(&'static str),
    /// It is no session description of WebRTC.
    #[error("this is no session description of WebRTC: {0}")]
    Malformed(&'static str),
    /// Nothing could be sent.
    #[error("{0}")]
    NothingToSend(&'static str),
}

impl From<Unusable> for Rejection {
    fn from(unusable: Unusable) -> Self {
        let status = match unusable {
            Unusable::TooMuch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unusable::Malformed(_) => StatusCode::BAD_REQUEST,
            Unusable::NothingToSend(_) => StatusCode::NOT_ACCEPTABLE,
        };
        Self::new(status, unusable.to_string())
    }
}

/// Gives the text of a session description, or of a fragment of one. Its lines end with CR LF or
/// LF, and have neither CR nor NUL within them (RFC 8866, section 9).
///
/// # Errors
/// It is none, or too long.
pub(super) fn text(body: &[u8]) -> Result<&str, Unusable> {
    if body.len() > BODY_BYTES {
        return Err(Unusable::TooMuch("bytes"));
    }
    let text = str::from_utf8(body).map_err(|_| Unusable::Malformed("it is no UTF-8"))?;
    if text.lines().any(|line| line.contains(['\r', '\0'])) {
        return Err(Unusable::Malformed("a line of it has CR or NUL within it"));
    }
    Ok(text)
}

impl Description {
    /// Reads a client's offer or answer.
    ///
    /// # Errors
    /// Why there is nothing to send to the one who sent it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Unusable> {
        let text = text(body)?;
        let mut lines = text.lines();
        if lines.next() != Some("v=0") {
            return Err(Unusable::Malformed("it does not begin with v=0"));
        }
        let mut reading = Reading::default();
        for line in lines {
            reading.line(line)?;
        }
        let ice_ufrag = reading.transport()?;
        let h264 = reading.h264()?;
        Ok(Self {
            text: text.to_owned(),
            h264,
            candidates: reading.candidates,
            ice_ufrag,
        })
    }
}

/// What has been read of a session description.
#[derive(Default)]
struct Reading {
    sections: Vec<Section>,
    candidates: usize,
    /// What is said of the transport, in whichever section: all share one (RFC 9143).
    ice_ufrag: Option<String>,
    has_password: bool,
    has_fingerprint: bool,
}

/// A media section.
#[derive(Default)]
struct Section {
    is_video: bool,
    /// Its port is 0: there is nothing of it.
    is_rejected: bool,
    /// The client receives nothing in it.
    only_sends: bool,
    /// In the order of preference.
    formats: Vec<Format>,
}

/// A payload type, and what is said of it.
struct Format {
    payload_type: u8,
    is_h264: bool,
    parameters: Parameters,
    /// It carries retransmissions of this one.
    repairs: Option<u8>,
}

/// The parameters of H.264 (RFC 6184, section 8.1).
#[derive(Clone, Copy)]
struct Parameters {
    packetization_mode: u8,
    profile_level_id: u32,
}

impl Default for Parameters {
    /// What holds where nothing is said: whole NAL units, Baseline at level 1.
    fn default() -> Self {
        Self {
            packetization_mode: 0,
            profile_level_id: 0x42_00_0a,
        }
    }
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), Unusable> {
        if let Some(media) = line.strip_prefix("m=") {
            if self.sections.len() == SECTIONS {
                return Err(Unusable::TooMuch("media sections"));
            }
            self.sections.push(Section::parse(media)?);
        } else if let Some(attribute) = line.strip_prefix("a=") {
            self.attribute(attribute)?;
        }
        Ok(())
    }

    fn attribute(&mut self, attribute: &str) -> Result<(), Unusable> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        match name {
            "candidate" => {
                self.candidates += 1;
                if self.candidates > CANDIDATES {
                    return Err(Unusable::TooMuch("candidates"));
                }
            }
            "ice-ufrag" => self.ice_ufrag = Some(value.trim().to_owned()),
            "ice-pwd" => self.has_password = true,
            "fingerprint" => self.has_fingerprint = true,
            _ => {
                if let Some(section) = self.sections.last_mut() {
                    section.attribute(name, value);
                }
            }
        }
        Ok(())
    }

    /// Gives the client's name in ICE, if it can be connected to at all.
    fn transport(&self) -> Result<String, Unusable> {
        if self.sections.is_empty() {
            return Err(Unusable::Malformed("it has no media section"));
        }
        if !self.has_password || !self.has_fingerprint {
            let what = "it has no ice-ufrag, ice-pwd or fingerprint";
            return Err(Unusable::Malformed(what));
        }
        let ufrag = self.ice_ufrag.clone();
        ufrag.ok_or(Unusable::Malformed("it has no ice-ufrag"))
    }

    fn h264(&self) -> Result<H264Format, Unusable> {
        let mut videos = self.sections.iter().filter(|section| section.is_video);
        let Some(video) = videos.find(|section| !section.is_rejected && !section.only_sends) else {
            let what = "the client receives no video: a section recvonly or sendrecv is needed";
            return Err(Unusable::NothingToSend(what));
        };
        if !video.formats.iter().any(|format| format.is_h264) {
            let what = "the client takes no H.264, and there is nothing else \
                (Firefox has it after its OpenH264 plugin was downloaded)";
            return Err(Unusable::NothingToSend(what));
        }
        let best = video.h264().min_by_key(|(distance, _)| *distance);
        let what = "the client takes H.264 only in a way that is not sent: \
            packetization-mode=1 and the profile Baseline, Main or High are needed";
        best.map(|(_, format)| format)
            .ok_or(Unusable::NothingToSend(what))
    }
}

impl Section {
    fn parse(media: &str) -> Result<Self, Unusable> {
        let malformed = Unusable::Malformed("a media section is not complete");
        let mut words = media.split_ascii_whitespace();
        let kind = words.next().ok_or(malformed.clone())?;
        let port = words.next().ok_or(malformed.clone())?;
        let _protocol = words.next().ok_or(malformed)?;
        // Those of data channels are no numbers.
        let formats = words.take(FORMATS).filter_map(|word| word.parse().ok());
        Ok(Self {
            is_video: kind == "video",
            is_rejected: port == "0",
            formats: formats.map(Format::new).collect(),
            ..Self::default()
        })
    }

    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "sendonly" | "inactive" => self.only_sends = true,
            "rtpmap" => self.of_format(value, Format::map),
            "fmtp" => self.of_format(value, Format::parameters),
            _ => {}
        }
    }

    fn of_format(&mut self, value: &str, say: impl FnOnce(&mut Format, &str)) {
        let Some((payload_type, what)) = value.split_once(' ') else {
            return;
        };
        let Ok(payload_type) = payload_type.parse::<u8>() else {
            return;
        };
        let mut formats = self.formats.iter_mut();
        if let Some(format) = formats.find(|format| format.payload_type == payload_type) {
            say(format, what);
        }
    }

    /// Gives the formats in which H.264 can be sent, with how far each is from what is sent; of
    /// equals the first is the client's choice.
    fn h264(&self) -> impl Iterator<Item = (u8, H264Format)> {
        self.formats.iter().filter_map(|format| {
            let parameters = format.parameters;
            // Pictures are larger than packets, so they are sent in pieces.
            if !format.is_h264 || parameters.packetization_mode != 1 {
                return None;
            }
            let distance = distance(parameters.profile_level_id)?;
            let mut others = self.formats.iter();
            let repair = others.find(|other| other.repairs == Some(format.payload_type));
            let format = H264Format {
                payload_type: format.payload_type,
                retransmission: repair.map(|repair| repair.payload_type),
                profile_level_id: parameters.profile_level_id,
            };
            Some((distance, format))
        })
    }
}

impl Format {
    fn new(payload_type: u8) -> Self {
        Self {
            payload_type,
            is_h264: false,
            parameters: Parameters::default(),
            repairs: None,
        }
    }

    fn map(&mut self, encoding: &str) {
        self.is_h264 = encoding.trim().eq_ignore_ascii_case("H264/90000");
    }

    fn parameters(&mut self, parameters: &str) {
        for parameter in parameters.split(';') {
            let Some((name, value)) = parameter.trim().split_once('=') else {
                continue;
            };
            match name {
                "packetization-mode" => {
                    self.parameters.packetization_mode = value.parse().unwrap_or(u8::MAX);
                }
                "profile-level-id" => {
                    let id = u32::from_str_radix(value, 16);
                    self.parameters.profile_level_id = id.unwrap_or(0);
                }
                "apt" => self.repairs = value.parse().ok(),
                _ => {}
            }
        }
    }
}

/// Says how far a profile is from Constrained Baseline, which is what is sent: decoders of all
/// these take it (ITU-T H.264, Annex A.2).
fn distance(profile_level_id: u32) -> Option<u8> {
    let constrained = profile_level_id & 0x40_00 != 0;
    match (profile_level_id >> 16, constrained) {
        (0x42, true) => Some(0),
        (0x42, false) => Some(1),
        (0x4d, _) => Some(2),
        (0x64, _) => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
