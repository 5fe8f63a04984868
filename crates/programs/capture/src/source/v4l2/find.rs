//! Which of the device nodes are cameras, and which camera is meant.
//!
//! A machine has many nodes that are none: a camera's metadata, converters of pictures, and the
//! parts of a pipeline that only libcamera can put together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use eyelid_config::Size;
use eyelid_v4l2::{Capability, Node, Queue, Span};

use crate::source::SourceError;
use crate::source::hardware::choice::{Format, Offer, Range};

/// Where device nodes are.
pub(super) const DEVICES: &str = "/dev";

/// Links to them by the cameras' names and by their places.
const LINKS: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];

const CAN_CAPTURE: u32 = 0x1;
const CAN_CAPTURE_PLANES: u32 = 0x1000;
const CONVERTS: u32 = 0x4000 | 0x8000;
const HAS_METADATA: u32 = 0x0080_0000;
const CAN_STREAM: u32 = 0x0400_0000;
/// `V4L2_CAP_IO_MC`: the node is a part of a pipeline that a media controller puts together.
const IS_A_PART: u32 = 0x2000_0000;

/// Drivers of image processors that do not say so themselves. They take pictures in and give them
/// out converted.
const PROCESSORS: [&str; 3] = ["bcm2835-isp", "pispbe", "bcm2835-codec"];

/// Sizes to name of a camera that has all in a range.
const USUAL_SIZES: [(u32, u32); 8] = [
    (320, 240),
    (640, 480),
    (800, 600),
    (1024, 768),
    (1280, 720),
    (1280, 960),
    (1920, 1080),
    (3840, 2160),
];

/// No camera names more; one that answered for ever would not end the enumeration otherwise.
const MOST: u32 = 256;

/// A camera, as its driver describes it.
#[derive(Clone, Debug)]
pub(super) struct V4l2Description {
    /// Its device node.
    pub(super) path: PathBuf,
    /// Its name.
    pub(super) card: String,
    pub(super) driver: String,
    /// Where it is plugged in.
    pub(super) bus: String,
    /// What else it is called: udev's links, and vendor and product as `046d:0825`.
    pub(super) names: Vec<String>,
    /// Formats and sizes that can be used here, with each format's four characters.
    pub(super) offers: Vec<(u32, Offer)>,
    /// The other formats.
    pub(super) others: Vec<String>,
    bits: u32,
}

impl V4l2Description {
    /// Describes what is behind an open node.
    pub(super) fn of(path: &Path, node: &Node) -> io::Result<Self> {
        let capability = node.capability()?;
        let (mut offers, mut others) = (Vec::<(u32, Offer)>::new(), Vec::new());
        for fourcc in node.formats(Queue::Capture) {
            match format(fourcc) {
                Some(format) if offers.iter().all(|(_, offer)| offer.format != format) => {
                    offers.push((fourcc, offer(node, fourcc, format)));
                }
                Some(_) => {}
                None => others.push(characters(fourcc)),
            }
        }
        offers.retain(|(_, offer)| !offer.sizes.is_empty());
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
        };
        let Capability {
            card,
            driver,
            bus_info,
            ..
        } = &capability;
        Ok(Self {
            path: path.to_owned(),
            card: text(card),
            driver: text(driver),
            bus: text(bus_info),
            names: names(path),
            offers,
            others,
            bits: capability.bits(),
        })
    }

    /// The four characters of a format that it offers.
    pub(super) fn fourcc(&self, format: Format) -> u32 {
        let offer = self.offers.iter().find(|(_, offer)| offer.format == format);
        offer.map_or(0, |(fourcc, _)| *fourcc)
    }

    /// Why it gives no pictures at all.
    pub(super) fn gives_nothing(&self) -> Option<&'static str> {
        if self.bits & CAN_CAPTURE == 0 {
            return Some(if self.bits & CAN_CAPTURE_PLANES != 0 {
                "it gives pictures in several planes of memory only, which Eyelid does not take"
            } else if self.bits & HAS_METADATA != 0 {
                "it gives a camera's metadata, not its pictures; take the camera's other /dev/video*"
            } else {
                "it is no camera"
            });
        }
        (self.bits & CAN_STREAM == 0)
            .then_some("it has no streaming I/O, which is all Eyelid takes")
    }

    /// Says whether it is a camera that may be taken without having been named.
    fn is_camera(&self) -> bool {
        self.gives_nothing().is_none()
            && self.bits & (CONVERTS | IS_A_PART) == 0
            && !PROCESSORS.contains(&self.driver.as_str())
            && !self.offers.is_empty()
    }

    fn is_called(&self, part: &str) -> bool {
        let part = part.to_ascii_lowercase();
        let mut names = self.names.iter().chain([&self.card, &self.bus]);
        names.any(|name| name.to_ascii_lowercase().contains(&part))
    }
}

/// What was found by looking at every device node.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) cameras: Vec<V4l2Description>,
    /// Nodes that could not be opened.
    pub(super) closed: Vec<(PathBuf, io::Error)>,
}

/// Looks at every device node, in the order of their numbers.
pub(super) fn all() -> Found {
    let mut found = Found::default();
    for path in nodes(Path::new(DEVICES)) {
        match Node::open(&path) {
            Ok(node) => {
                let description = V4l2Description::of(&path, &node).ok();
                found
                    .cameras
                    .extend(description.filter(V4l2Description::is_camera));
            }
            Err(error) => found.closed.push((path, error)),
        }
    }
    found
}

fn nodes(directory: &Path) -> Vec<PathBuf> {
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("video")?.parse::<u32>().ok()
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut nodes: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((number(&entry.path())?, entry.path())))
        .collect();
    nodes.sort_unstable();
    nodes.into_iter().map(|(_, path)| path).collect()
}

/// Chooses the first camera, or the one with a part of its name.
///
/// # Errors
/// That there is none, or more than one.
pub(super) fn pick<'a>(
    found: &'a Found,
    part: Option<&str>,
) -> Result<&'a V4l2Description, SourceError> {
    let Some(part) = part else {
        return found.cameras.first().ok_or_else(|| none(found));
    };
    let like = || found.cameras.iter().filter(|camera| camera.is_called(part));
    let Some(first) = like().next() else {
        if found.cameras.is_empty() {
            return Err(none(found));
        }
        return Err(SourceError::V4l2 {
            what: format!(
                "no camera {part:?}: there is {}",
                listed(found.cameras.iter())
            ),
        });
    };
    // One camera may have several nodes, the first of which is the one to take.
    if like().any(|camera| (&camera.bus, &camera.card) != (&first.bus, &first.card)) {
        return Err(SourceError::Unsuitable {
            id: part.to_owned(),
            what: format!(
                "several cameras have that in their name, place or id: {}; take a part that only one has",
                listed(like())
            ),
        });
    }
    Ok(first)
}

fn listed<'a>(cameras: impl Iterator<Item = &'a V4l2Description>) -> String {
    let cameras: Vec<String> = cameras
        .map(|c| format!("{:?} ({}, at {})", c.card, c.path.display(), c.bus))
        .collect();
    cameras.join(", ")
}

/// Says that there is no camera, and what may be the reason.
pub(super) fn none(found: &Found) -> SourceError {
    let closed: Vec<String> = found
        .closed
        .iter()
        .filter(|(_, error)| error.kind() == io::ErrorKind::PermissionDenied)
        .map(|(path, _)| path.display().to_string())
        .collect();
    let what = if closed.is_empty() {
        "no camera found; is it plugged in? (a camera on a Raspberry Pi's connector is libcamera's: docs/raspberry-pi.md)"
            .to_owned()
    } else {
        format!(
            "no camera found; this user may not open {}: add it to group video",
            closed.join(", ")
        )
    };
    SourceError::V4l2 { what }
}

fn names(path: &Path) -> Vec<String> {
    let links = LINKS.iter().flat_map(|directory| {
        let links = fs::read_dir(directory).into_iter().flatten().flatten();
        links.filter(|link| fs::canonicalize(link.path()).is_ok_and(|target| target == path))
    });
    let mut names: Vec<String> = links
        .map(|link| link.file_name().to_string_lossy().into_owned())
        .collect();
    let node = path.file_name().unwrap_or_default();
    let about = Path::new("/sys/class/video4linux").join(node);
    names.extend(
        fs::read_to_string(about.join("device/modalias"))
            .ok()
            .and_then(|alias| usb_id(&alias)),
    );
    names
}

/// Reads vendor and product out of an alias as `usb:v046Dp0825d0012...`: `046d:0825`.
fn usb_id(alias: &str) -> Option<String> {
    let rest = alias.strip_prefix("usb:v")?;
    let (vendor, product) = (rest.get(..4)?, rest.get(4..)?.strip_prefix('p')?.get(..4)?);
    Some(format!("{vendor}:{product}").to_ascii_lowercase())
}

/// The format that a driver means, if it can be used here.
fn format(fourcc: u32) -> Option<Format> {
    match &fourcc.to_le_bytes() {
        b"MJPG" | b"JPEG" => Some(Format::Mjpeg),
        b"YU12" => Some(Format::Yuv420),
        b"NV12" => Some(Format::Nv12),
        b"YUYV" => Some(Format::Yuyv),
        _ => None,
    }
}

fn characters(fourcc: u32) -> String {
    let bytes = fourcc.to_le_bytes();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn offer(node: &Node, fourcc: u32, format: Format) -> Offer {
    let size = |(width, height)| Size { width, height };
    let mut offer = Offer {
        format,
        sizes: Vec::new(),
        range: None,
    };
    for span in (0..MOST).map_while(|index| node.size(fourcc, index)) {
        match span {
            Span::One(one) => offer.sizes.push(size(one)),
            Span::Range { min, max, step } => {
                let range = Range {
                    min: size(min),
                    max: size(max),
                    step: (step.0.max(1), step.1.max(1)),
                };
                offer.sizes = named(&range);
                offer.range = Some(range);
                // A range is the only answer there is.
                break;
            }
        }
    }
    if offer.sizes.is_empty() {
        // A driver that does not list sizes has one: the one that it is set to.
        let now = node.format().ok().filter(|now| now.fourcc == fourcc);
        offer
            .sizes
            .extend(now.map(|now| size((now.width, now.height))));
    }
    offer
}

fn named(range: &Range) -> Vec<Size> {
    let mut sizes: Vec<Size> = USUAL_SIZES
        .iter()
        .map(|&(width, height)| Size { width, height })
        .filter(|size| range.contains(*size))
        .collect();
    for end in [range.min, range.max] {
        if !sizes.contains(&end) {
            sizes.push(end);
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: u32 = CAN_CAPTURE | CAN_STREAM;

    fn camera(number: u32, card: &str, bus: &str) -> V4l2Description {
        V4l2Description {
            path: format!("/dev/video{number}").into(),
            card: card.to_owned(),
            driver: "uvcvideo".to_owned(),
            bus: bus.to_owned(),
            names: vec![format!("usb-{}-video-index0", card.replace(' ', "_"))],
            offers: vec![(
                u32::from_le_bytes(*b"MJPG"),
                Offer {
                    format: Format::Mjpeg,
                    sizes: vec!["640x480".parse().unwrap()],
                    range: None,
                },
            )],
            others: Vec::new(),
            bits: CAMERA,
        }
    }

    fn found() -> Found {
        Found {
            cameras: vec![
                camera(0, "HD Webcam C525", "usb-1.2"),
                camera(2, "HD Webcam C525", "usb-1.2"),
                camera(4, "Arducam", "usb-1.3"),
                camera(6, "Arducam", "usb-1.4"),
            ],
            closed: Vec::new(),
        }
    }

    #[test]
    fn nodes_that_are_no_cameras_are_passed_over() {
        assert!(camera(0, "C525", "usb").is_camera());
        let with = |change: &dyn Fn(&mut V4l2Description)| {
            let mut node = camera(1, "x", "y");
            change(&mut node);
            node
        };
        for (node, why) in [
            (with(&|n| n.bits = HAS_METADATA | CAN_STREAM), "metadata"),
            (
                with(&|n| n.bits = CAN_CAPTURE_PLANES | CAN_STREAM),
                "planes",
            ),
            (with(&|n| n.bits = 2 | CAN_STREAM), "no camera"),
            (with(&|n| n.bits = CAN_CAPTURE), "streaming"),
        ] {
            assert!(!node.is_camera());
            assert!(node.gives_nothing().unwrap().contains(why), "{why}");
        }
        // Whoever names these may have them.
        for node in [
            with(&|n| n.bits |= 0x8000),
            with(&|n| n.bits |= IS_A_PART),
            with(&|n| n.driver = "bcm2835-isp".to_owned()),
            with(&|n| n.offers.clear()),
        ] {
            assert!(!node.is_camera() && node.gives_nothing().is_none());
        }
    }

    #[test]
    fn a_camera_is_meant_by_a_part_of_what_it_is_called() {
        let found = found();
        for (part, path) in [
            (None, "/dev/video0"),
            (Some("c525"), "/dev/video0"),
            (Some("usb-HD_Webcam"), "/dev/video0"),
            (Some("usb-1.4"), "/dev/video6"),
        ] {
            let picked = pick(&found, part).unwrap();
            assert_eq!(picked.path, Path::new(path), "{part:?}");
        }
        let error = pick(&found, Some("arducam")).unwrap_err();
        assert!(error.is_setup() && error.to_string().contains("/dev/video6, at usb-1.4"));
        let error = pick(&found, Some("C920")).unwrap_err();
        assert!(!error.is_setup(), "it may be plugged in later");
        assert!(
            error
                .to_string()
                .contains("\"HD Webcam C525\" (/dev/video0"),
            "{error}"
        );
    }

    #[test]
    fn without_a_camera_it_says_what_may_be_wrong() {
        let mut found = Found::default();
        let error = pick(&found, None).unwrap_err().to_string();
        assert!(error.contains("plugged in"), "{error}");
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        found.closed.push(("/dev/video0".into(), denied));
        let error = pick(&found, Some("x")).unwrap_err().to_string();
        assert!(
            error.contains("open /dev/video0: add it to group video"),
            "{error}"
        );
    }

    #[test]
    fn nodes_come_in_the_order_of_their_numbers() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["video10", "video2", "video", "videos", "media0", "video0"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<String> = nodes(directory.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["video0", "video2", "video10"]);
        assert!(nodes(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn a_usb_id_is_as_lsusb_prints_it() {
        let alias = "usb:v046Dp0825d0012dcEFdsc02dp01ic0Eisc01ip00in00\n";
        assert_eq!(usb_id(alias).as_deref(), Some("046d:0825"));
        for other in ["", "usb:v046D", "usb:v046Dp08", "pci:v00008086d0000"] {
            assert_eq!(usb_id(other), None);
        }
    }

    #[test]
    fn a_range_names_the_usual_sizes_in_it() {
        let size = |text: &str| text.parse::<Size>().unwrap();
        let range = Range {
            min: size("160x120"),
            max: size("1600x1200"),
            step: (16, 8),
        };
        let names: Vec<String> = named(&range).iter().map(Size::to_string).collect();
        let expected = [
            "320x240", "640x480", "800x600", "1024x768", "1280x720", "1280x960",
        ];
        assert_eq!(names[..6], expected);
        assert_eq!(names[6..], ["160x120", "1600x1200"]);
    }
}
