//! What a WebRTC connection is set up with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use str0m::bwe::Bitrate;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::format::{Codec, FormatParams};
use str0m::media::{Frequency, Pt};
use str0m::rtp::{Extension, ExtensionMap};
use str0m::{IceCreds, RtcConfig};

use crate::signalling::offer::H264Format;

/// What a path is taken to carry until it is known. The first keyframe is paced at it: 10 KB of
/// 720p take 80 ms then, and a path of 500 kbit/s has a queue of half of it.
const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(1_000);

/// How often the client's clock hears of ours, which tells it how old pictures are.
const REPORTS: Duration = Duration::from_secs(1);

/// What a connection is made of.
#[derive(Clone, Debug)]
pub(crate) struct SetUp {
    /// What encrypts.
    pub(crate) crypto: Arc<CryptoProvider>,
    /// Who this side is in DTLS.
    pub(crate) certificate: DtlsCert,
    /// Who this side is in ICE.
    pub(crate) credentials: IceCreds,
    /// Where the client is told to send to.
    pub(crate) candidates: Vec<SocketAddr>,
    /// The encoder's largest bitrate.
    pub(crate) bitrate_bps: u64,
}

impl SetUp {
    /// Gives it in str0m's terms, for pictures in this format.
    pub(super) fn config(&self, format: H264Format) -> RtcConfig {
        let mut extensions = ExtensionMap::empty();
        for (id, extension) in [
            (3, Extension::TransportSequenceNumber),
            (4, Extension::RtpMid),
            (5, Extension::PlayoutDelay),
            (7, Extension::AbsoluteCaptureTime),
            (10, Extension::RtpStreamId),
            (11, Extension::RepairedRtpStreamId),
        ] {
            extensions.set(id, extension);
        }
        let mut config = RtcConfig::new()
            .set_crypto_provider(self.crypto.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_local_ice_credentials(self.credentials.clone())
            .set_ice_lite(true)
            .clear_codecs()
            .set_extension_map(extensions)
            // Pictures come in packets (`connection::packets`).
            .set_rtp_mode(true)
            // Nothing else tells which packets a client lacks; it costs a copy of each, and 21,000
            // instructions for a picture of 7 kB.
            .enable_raw_packets(true)
            .set_stats_interval(Some(REPORTS))
            .set_rtcp_report_interval_video(REPORTS)
            .enable_bwe(Some(FIRST_ESTIMATE));
        config.codec_config().add_config(
            format.payload_type.into(),
            format.retransmission.map(Pt::from),
            Codec::H264,
            Frequency::NINETY_KHZ,
            None,
            FormatParams {
                level_asymmetry_allowed: Some(true),
                packetization_mode: Some(1),
                profile_level_id: Some(format.profile_level_id),
                ..FormatParams::default()
            },
        );
        config
    }
}
