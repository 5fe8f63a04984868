//! Pictures as fragments of MP4, one each, for one viewer's Media Source.
//!
//! Browsers drop everything up to the next keyframe where decode times leave a gap of more than two
//! pictures (Media Source Extensions, coded frame processing), and a camera leaves gaps: it wakes,
//! it fails, a slow link misses pictures. So the time of a fragment is the end of the one before,
//! whatever has happened, and it lasts as long as the time between both pictures. The viewer's
//! clock then runs with the camera's but for pauses, in which nothing plays.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_h264::{ParameterSets, SpsError, length_prefixed};
use mp4_atom::{
    Avc1, Avcc, Codec, Dinf, Dref, Encode, Ftyp, Hdlr, Mdhd, Mdia, Mfhd, Minf, Moof, Moov, Mvex,
    Mvhd, Stbl, Stco, Stsd, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, TrunSamples, Url,
    Visual, Vmhd,
};
use serde::Serialize;

use crate::coded::Coded;

/// Ticks a second of all times here: H.264's own clock in RTP and MPEG, in which frame rates are
/// whole.
const TICKS: u32 = 90_000;

const TRACK: u32 = 1;

/// How long the first picture lasts, of which nothing is known, and one whose clock was set back.
const FIRST: Duration = Duration::from_millis(33);

/// Gaps up to this long are kept: those of a camera with 10 pictures a second. A longer one may be
/// twice as long as the one before, so that slower cameras are found out in a few pictures.
const KEPT_GAP: Duration = Duration::from_millis(100);

/// Sample flags (ISO/IEC 14496-12, section 8.8.3.1): depends on no other and is a sync sample; and
/// depends on others and is none.
const KEY_FLAGS: u32 = 0x0200_0000;
const OTHER_FLAGS: u32 = 0x0101_0000;

/// `ProducerReferenceTimeBox` (section 8.16.5) of version 1, and its flags: when it was captured.
const PRFT_BYTES: usize = 32;
const PRFT_VERSION_AND_FLAGS: u32 = 1 << 24 | 24;

/// From NTP's first second to Unix's (RFC 5905, figure 4).
const NTP_EPOCH_SECONDS: u64 = 2_208_988_800;

/// Makes fragments for one viewer.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    sets: Option<ParameterSets>,
    sequence: u32,
    /// Where the next one begins.
    end_ticks: u64,
    last: Option<Last>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    captured: SystemTime,
    lasted: Duration,
}

/// What a viewer gets for a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    /// What it needs to know first, if it does not know.
    pub(crate) init: Option<Init>,
    /// The picture.
    pub(crate) bytes: Bytes,
}

/// What a viewer's decoder has to know before a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    /// What the page has to know.
    pub(crate) described: Described,
    /// The initialisation segment.
    pub(crate) bytes: Bytes,
}

/// An initialisation segment in the page's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Described {
    pub(crate) mime: String,
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Why a picture is none that can be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FragmentError {
    /// It is the first, and lacks what it is decoded by.
    #[error("a picture without parameter sets comes first")]
    NoParameterSets,
    /// These say something that cannot be.
    #[error("the parameter sets: {0}")]
    Sps(#[from] SpsError),
    /// It is larger than can be said.
    #[error("mp4: {0}")]
    Mp4(#[from] mp4_atom::Error),
}

impl Fragments {
    /// Makes one of the next picture that the viewer gets.
    pub(crate) fn next(&mut self, coded: &Coded) -> Result<Fragment, FragmentError> {
        let mut init = None;
        if coded.is_key {
            let sets = ParameterSets::of(&coded.annex_b);
            if let Some(sets) = sets.filter(|sets| self.sets.as_ref() != Some(sets)) {
                init = Some(Init::of(&sets)?);
                self.sets = Some(sets);
            }
        }
        if self.sets.is_none() {
            return Err(FragmentError::NoParameterSets);
        }
        let lasts = self.lasts(coded.captured);
        let sequence = self.sequence.wrapping_add(1);
        let (start, ticks) = (self.end_ticks, ticks(lasts));
        let bytes = fragment(coded, sequence, start, ticks)?;
        self.sequence = sequence;
        self.end_ticks += u64::from(ticks);
        self.last = Some(Last {
            captured: coded.captured,
            lasted: lasts,
        });
        Ok(Fragment { init, bytes })
    }

    /// How long a picture lasts that was captured then.
    fn lasts(&self, captured: SystemTime) -> Duration {
        let Some(last) = self.last else {
            return FIRST;
        };
        match captured.duration_since(last.captured) {
            Ok(gap) if !gap.is_zero() => gap.min(KEPT_GAP.max(last.lasted * 2)),
            _ => FIRST,
        }
    }
}

/// At least one: a sample of none is no sample.
fn ticks(lasts: Duration) -> u32 {
    let ticks = lasts.as_secs_f64() * f64::from(TICKS);
    (ticks.round() as u32).max(1)
}

impl Init {
    fn of(sets: &ParameterSets) -> Result<Self, FragmentError> {
        let sps = sets.parse()?;
        let codec = format!("avc1.{}", sets.profile_level_id());
        let mut bytes = Vec::new();
        let ftyp = Ftyp {
            major_brand: b"iso5".into(),
            minor_version: 0,
            compatible_brands: vec![b"iso5".into(), b"iso6".into(), b"avc1".into()],
        };
        ftyp.encode(&mut bytes)?;
        // No more can be said of it; browsers take the picture's size from the parameter sets.
        let pixels = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        moov(sets, pixels(sps.width), pixels(sps.height))?.encode(&mut bytes)?;
        Ok(Self {
            described: Described {
                mime: format!("video/mp4; codecs=\"{codec}\""),
                codec,
                width: sps.width,
                height: sps.height,
            },
            bytes: bytes.into(),
        })
    }
}

/// What there is of the whole: one track, all of whose samples are in fragments.
fn moov(sets: &ParameterSets, width: u16, height: u16) -> Result<Moov, mp4_atom::Error> {
    let dref = Dref {
        entries: vec![Url::default().into()],
    };
    let mdia = Mdia {
        mdhd: Mdhd {
            timescale: TICKS,
            language: "und".to_owned(),
            ..Mdhd::default()
        },
        hdlr: Hdlr {
            handler: b"vide".into(),
            name: String::new(),
        },
        minf: Minf {
            vmhd: Some(Vmhd::default()),
            dinf: Dinf { dref },
            stbl: sample_table(sets, width, height)?,
            ..Minf::default()
        },
    };
    let tkhd = Tkhd {
        track_id: TRACK,
        enabled: true,
        in_movie: true,
        width: width.into(),
        height: height.into(),
        ..Tkhd::default()
    };
    Ok(Moov {
        // Of no duration: browsers then know it as live, and keep few pictures before they play.
        mvhd: Mvhd {
            timescale: TICKS,
            rate: 1.into(),
            next_track_id: TRACK + 1,
            ..Mvhd::default()
        },
        mvex: Some(Mvex {
            mehd: None,
            trex: vec![Trex {
                track_id: TRACK,
                default_sample_description_index: 1,
                ..Trex::default()
            }],
        }),
        trak: vec![Trak {
            tkhd,
            mdia,
            ..Trak::default()
        }],
        ..Moov::default()
    })
}

/// What all samples have in common.
fn sample_table(sets: &ParameterSets, width: u16, height: u16) -> Result<Stbl, mp4_atom::Error> {
    let visual = Visual {
        data_reference_index: 1,
        width,
        height,
        ..Visual::default()
    };
    let avc1 = Avc1 {
        visual,
        avcc: Avcc::new(sets.sps(), sets.pps())?,
        btrt: None,
        colr: None,
        pasp: None,
        taic: None,
        fiel: None,
        spatial: None,
    };
    Ok(Stbl {
        stsd: Stsd {
            codecs: vec![Codec::Avc1(avc1)],
        },
        // Empty, but Firefox refuses a track without it.
        stco: Some(Stco::default()),
        ..Stbl::default()
    })
}

/// A picture between `start` and so many ticks later.
fn fragment(
    coded: &Coded,
    sequence: u32,
    start: u64,
    ticks: u32,
) -> Result<Bytes, mp4_atom::Error> {
    let mut sample = Vec::with_capacity(coded.annex_b.len() + 16);
    length_prefixed(&coded.annex_b, &mut sample);
    let size = u32::try_from(sample.len()).map_err(|_| mp4_atom::Error::OutOfBounds)?;
    let moof = |data_offset| Moof {
        mfhd: Mfhd {
            sequence_number: sequence,
        },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: TRACK,
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt {
                base_media_decode_time: start,
            }),
            trun: vec![Trun {
                data_offset: Some(data_offset),
                samples: TrunSamples::Explicit(vec![TrunEntry {
                    duration: Some(ticks),
                    size: Some(size),
                    flags: Some(if coded.is_key { KEY_FLAGS } else { OTHER_FLAGS }),
                    cts: None,
                }]),
            }],
            ..Traf::default()
        }],
    };
    let mut bytes = Vec::with_capacity(PRFT_BYTES + 128 + sample.len());
    reference_time(&mut bytes, coded.captured, start);
    // Its length does not depend on the offset, which is that of the picture behind it and the head
    // of its box.
    moof(0).encode(&mut bytes)?;
    let offset = bytes.len() - PRFT_BYTES + MDAT_HEAD_BYTES;
    bytes.truncate(PRFT_BYTES);
    moof(offset as i32).encode(&mut bytes)?;
    let mdat = u32::try_from(sample.len() + MDAT_HEAD_BYTES);
    let mdat = mdat.map_err(|_| mp4_atom::Error::OutOfBounds)?;
    bytes.extend_from_slice(&mdat.to_be_bytes());
    bytes.extend_from_slice(b"mdat");
    bytes.extend_from_slice(&sample);
    Ok(bytes.into())
}

/// The head of a box: its length and its name.
const MDAT_HEAD_BYTES: usize = 8;

/// Says when the picture that begins at `start` was captured. Always of version 1, so that pages
/// find it at the same place.
fn reference_time(into: &mut Vec<u8>, captured: SystemTime, start: u64) {
    into.extend_from_slice(&(PRFT_BYTES as u32).to_be_bytes());
    into.extend_from_slice(b"prft");
    into.extend_from_slice(&PRFT_VERSION_AND_FLAGS.to_be_bytes());
    into.extend_from_slice(&TRACK.to_be_bytes());
    into.extend_from_slice(&ntp(captured).to_be_bytes());
    into.extend_from_slice(&start.to_be_bytes());
}

/// Seconds since 1900, and their fraction, in 32 bits each.
fn ntp(time: SystemTime) -> u64 {
    let since_1970 = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = since_1970.as_secs().wrapping_add(NTP_EPOCH_SECONDS) & 0xFFFF_FFFF;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

#[cfg(test)]
mod tests;
