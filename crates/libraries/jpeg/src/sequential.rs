//! The parts of a JPEG whose whole picture is in one scan, for those who send its entropy-coded
//! bytes without its headers and have the receiver write headers of its own (RFC 2435).

use crate::kind::{
    JpegKind, JpegProcess, has_standard_tables, has_whole_colours, scan_components, tables_in_use,
};
use crate::markers::RESTART_INTERVAL;
use crate::segments::{Segment, head_of};
use crate::walk::{Header, JpegError, Progress, Walker};

/// A sequential JPEG (SOF0, SOF1) of 8 bits a sample, with all components in its first scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequential<'a> {
    /// Its size.
    pub header: Header,
    /// What it is. The components have the sampling factors that `kind.sampling` names, and no
    /// multiples of these, if `has_whole_colours` is set.
    pub kind: JpegKind,
    /// Both colours have the sampling factors 1 and 1.
    pub has_whole_colours: bool,
    /// The quantisation table of the first component, in the order of the file (zigzag). `None` if
    /// it is missing or has 16 bits.
    pub brightness_table: Option<&'a [u8; 64]>,
    /// The one of all other components. `None` if there are none, if it is missing or has 16 bits,
    /// or if they have different ones.
    pub colour_table: Option<&'a [u8; 64]>,
    /// The Huffman tables are the standard ones, or left out.
    pub has_standard_tables: bool,
    /// MCUs between two restart markers; 0: there are none.
    pub restart_interval: u16,
    /// The bytes of the scan, with its stuffed zeros and restart markers, without EOI.
    pub entropy_coded: &'a [u8],
}

/// Why a JPEG is no [`Sequential`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSequential {
    /// Its markers are broken.
    #[error(transparent)]
    Markers(#[from] JpegError),
    /// Its head does not say what it is.
    #[error("broken JPEG (its head)")]
    Head,
    /// It is coded in another way.
    #[error("{0} JPEG")]
    Process(JpegProcess),
    /// Other than 8 bits a sample.
    #[error("JPEG of {0} bits a sample")]
    Bits(u8),
    /// Not all of its components are in the first scan.
    #[error("JPEG of several scans")]
    SeveralScans,
}

impl<'a> Sequential<'a> {
    /// Takes a whole JPEG apart. Bytes behind its end do not matter.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn of(jpeg: &'a [u8]) -> Result<Self, NotSequential> {
        let mut walker = Walker::default();
        let progress = walker.feed(jpeg)?;
        let (Progress::Done(_), Some(header), Some(end)) =
            (progress, walker.header(), walker.first_scan_end())
        else {
            return Err(JpegError::CutOff(jpeg.len()).into());
        };
        let head = head_of(jpeg);
        let kind = JpegKind::of_head(&head).ok_or(NotSequential::Head)?;
        match kind.process {
            JpegProcess::Baseline | JpegProcess::Extended => {}
            other => return Err(NotSequential::Process(other)),
        }
        if kind.bits != 8 {
            return Err(NotSequential::Bits(kind.bits));
        }
        let in_scan = scan_components(&head).map(<[_]>::len);
        if in_scan != Some(usize::from(header.components)) {
            return Err(NotSequential::SeveralScans);
        }
        let start = head.last().map_or(end, |scan| behind(jpeg, scan));
        let entropy_coded = jpeg.get(start..end).ok_or(NotSequential::Head)?;
        let components = JpegKind::frame_components(&head).ok_or(NotSequential::Head)?;
        let [brightness_table, colour_table] =
            tables_in_use(components, &head).ok_or(NotSequential::Head)?;
        Ok(Self {
            header,
            kind,
            has_whole_colours: has_whole_colours(components),
            brightness_table,
            colour_table,
            has_standard_tables: has_standard_tables(&head),
            restart_interval: restart_interval(&head),
            entropy_coded: without_fill(entropy_coded),
        })
    }
}

/// Where what follows a segment starts.
fn behind(jpeg: &[u8], segment: &Segment<'_>) -> usize {
    segment.bytes.as_ptr().addr() - jpeg.as_ptr().addr() + segment.bytes.len()
}

/// What fills up before a marker is no data: in these, each 0xFF has a zero or a marker behind it.
fn without_fill(mut entropy_coded: &[u8]) -> &[u8] {
    while let [rest @ .., 0xFF] = entropy_coded {
        entropy_coded = rest;
    }
    entropy_coded
}

/// That of the last DRI segment, as the last one counts.
fn restart_interval(head: &[Segment<'_>]) -> u16 {
    let mut intervals = head.iter().filter(|s| s.code == RESTART_INTERVAL);
    match intervals.next_back().map(|segment| segment.payload) {
        Some(&[high, low, ..]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Sampling;
    use eyelid_replay::case;

    #[test]
    fn takes_apart_what_cameras_send() {
        for (jpeg, sampling, standard, interval) in [
            (case!("jpeg-420"), Sampling::Yuv420, true, 0),
            (
                case!("jpeg-of-a-usb-camera-without-tables"),
                Sampling::Yuv420,
                true,
                0,
            ),
            (case!("jpeg-422-by-cjpeg"), Sampling::Yuv422, true, 1),
            (case!("jpeg-422-restarts"), Sampling::Yuv422, false, 1),
            (case!("jpeg-444-optimised"), Sampling::Yuv444, false, 0),
        ] {
            let parts = Sequential::of(jpeg).unwrap();
            assert_eq!(parts.kind.sampling, sampling);
            assert_eq!(parts.has_standard_tables, standard, "{sampling:?}");
            assert_eq!(parts.restart_interval, interval, "{sampling:?}");
            assert!(parts.has_whole_colours);
            let end = jpeg.len() - 2;
            assert_eq!(jpeg[end..], [0xFF, 0xD9]);
            let start = end - parts.entropy_coded.len();
            assert_eq!(&jpeg[start..end], parts.entropy_coded);
            // Before it lies the scan's header: its last three bytes are those of all such scans.
            assert_eq!(jpeg[start - 3..start], [0, 63, 0]);
            assert!(parts.brightness_table.is_some() && parts.colour_table.is_some());
        }
    }

    #[test]
    fn says_why_another_is_none() {
        for (jpeg, why) in [
            (case!("jpeg-progressive"), "progressive JPEG"),
            (case!("jpeg-in-three-scans"), "JPEG of several scans"),
            (case!("jpeg-12-bits"), "JPEG of 12 bits a sample"),
            (case!("jpeg-arithmetic"), "arithmetic JPEG"),
            (case!("jpeg-cut-off"), "JPEG cut off after 516 bytes"),
            (&b"GIF89a"[..], "not a JPEG (no FF D8 at its start)"),
        ] {
            let error = Sequential::of(jpeg).unwrap_err();
            assert_eq!(error.to_string(), why);
        }
    }

    #[test]
    fn tables_that_no_receiver_could_be_told_are_none() {
        let parts = Sequential::of(case!("jpeg-three-quantisation-tables")).unwrap();
        assert!(parts.brightness_table.is_some());
        assert_eq!(parts.colour_table, None);
        let units = Sequential::of(case!("jpeg-422-in-large-units")).unwrap();
        assert!(!units.has_whole_colours);
    }

    #[test]
    fn what_lies_behind_the_scan_is_not_of_it() {
        let plain = case!("jpeg-420");
        let (data, end) = plain.split_at(plain.len() - 2);
        let expected = Sequential::of(plain).unwrap();
        for behind in [&b"\xFF\xFF"[..], b"\xFF\xFE\0\x04hi"] {
            let jpeg = [data, behind, end, b"after"].concat();
            assert_eq!(Sequential::of(&jpeg).unwrap(), expected);
        }
    }
}
