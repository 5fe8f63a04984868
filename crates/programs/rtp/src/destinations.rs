//! Where cameras are sent to, as flags and file say it, and what of that does not go together.

use std::net::Ipv6Addr;
use std::path::Path;

use eyelid_config::{
    Config, ConfigError, Dscp, Fps, HostPort, Mtu, PushedRtpDestinationOptions, RtpCodec,
    RtpDestinationOptions, RtpSize, Ssrc,
};
use eyelid_slot::CameraName;

use crate::Arguments;
use crate::settings::UsageError;
use crate::stream::PacketPace;

/// Where a camera is sent to, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DestinationSettings {
    /// The camera.
    pub(crate) camera: CameraName,
    /// Where to.
    pub(crate) to: HostPort,
    /// In what it goes.
    pub(crate) codec: RtpCodec,
    /// The port that RTP is sent from.
    pub(crate) local_port: Option<u16>,
    /// How many bytes a packet may have.
    pub(crate) mtu: Mtu,
    /// How packets are marked.
    pub(crate) dscp: Dscp,
    /// The stream's SSRC, if it is not to be a random one.
    pub(crate) ssrc: Option<Ssrc>,
    /// How many routers packets may pass.
    pub(crate) ttl: Option<u8>,
    /// The interface that packets leave by: what was said of it, or the address's zone.
    pub(crate) interface: Option<String>,
    /// How many frames a second go at most.
    pub(crate) fps: Option<Fps>,
    /// Which rendition goes.
    pub(crate) size: RtpSize,
    /// It goes although no receiver reports.
    pub(crate) always: bool,
    /// A smaller rendition goes while receivers report loss.
    pub(crate) adapt: bool,
    /// How a frame's packets follow each other.
    pub(crate) pace: PacketPace,
}

/// Options of one destination that do not go together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestinationError {
    /// The address is there once for each link (RFC 4007, section 6).
    #[error(
        "to {0}: this address is one of a single link; say of which by interface, or as [{1}%INTERFACE]:{2}"
    )]
    NoInterface(HostPort, Ipv6Addr, u16),
    /// Packets cannot leave by both.
    #[error("to {to}: it says interface {zone:?}, and the option interface says {interface:?}")]
    TwoInterfaces {
        /// Where to.
        to: HostPort,
        /// What stands behind the address.
        zone: String,
        /// The option.
        interface: String,
    },
    /// The smallest is sent already.
    #[error("adapt: nothing smaller can be sent than size quarter")]
    NothingSmaller,
    /// They are for JPEGs.
    #[error("{0}: H.264 is sent as eyelid-video makes it; leave it out with codec h264")]
    OfJpeg(&'static str),
}

impl DestinationSettings {
    fn new(
        camera: CameraName,
        to: HostPort,
        options: RtpDestinationOptions,
    ) -> Result<Self, DestinationError> {
        let interface = interface(&to, options.interface)?;
        let size = options.size.unwrap_or_default();
        let adapt = options.adapt.unwrap_or_default();
        if adapt && size == RtpSize::Quarter {
            return Err(DestinationError::NothingSmaller);
        }
        let codec = options.codec.unwrap_or_default();
        let of_jpeg = [
            ("size", size != RtpSize::Current),
            ("fps", options.fps.is_some()),
            ("adapt", adapt),
        ];
        let mut of_jpeg = of_jpeg.into_iter().filter(|(_, is_said)| *is_said);
        if codec == RtpCodec::H264
            && let Some((option, _)) = of_jpeg.next()
        {
            return Err(DestinationError::OfJpeg(option));
        }
        Ok(Self {
            camera,
            to,
            codec,
            local_port: options.local_port,
            mtu: options.mtu.unwrap_or_default(),
            dscp: options.dscp.unwrap_or_default(),
            ssrc: options.ssrc,
            ttl: options.ttl,
            interface,
            fps: options.fps,
            size,
            always: options.always.unwrap_or_default(),
            adapt,
            pace: match options.burst {
                Some(true) => PacketPace::Burst,
                Some(false) | None => PacketPace::Spread,
            },
        })
    }
}

/// Says whether an address of IPv6 is there once for each link: unicast of fe80::/10, and groups of
/// an interface or a link (RFC 4291, section 2.7).
pub(crate) fn is_of_one_link(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
        || address.is_multicast() && matches!(address.octets()[1] & 0xF, 1 | 2)
}

fn interface(to: &HostPort, option: Option<String>) -> Result<Option<String>, DestinationError> {
    let Some((address, zone)) = to.ipv6() else {
        return Ok(option);
    };
    match (zone.map(str::to_owned), option) {
        (Some(zone), Some(interface)) if zone != interface => {
            Err(DestinationError::TwoInterfaces {
                to: to.clone(),
                zone,
                interface,
            })
        }
        (None, None) if is_of_one_link(address) => {
            Err(DestinationError::NoInterface(to.clone(), address, to.port))
        }
        (zone, option) => Ok(option.or(zone)),
    }
}

/// Gives the destinations of the flags, or else those of the file.
///
/// # Errors
/// Why they do not go together.
pub(crate) fn all(
    file: &Config,
    arguments: &Arguments,
) -> anyhow::Result<Vec<DestinationSettings>> {
    let all = if arguments.to.is_empty() {
        of_file(file, arguments)?
    } else {
        of_flags(arguments)?
    };
    refuse_shared_ports(&all)?;
    refuse_shared_destinations(&all)?;
    Ok(all)
}

fn of_file(file: &Config, arguments: &Arguments) -> anyhow::Result<Vec<DestinationSettings>> {
    // Tables are in the file alone, so there is one.
    let path = arguments.config.as_deref().unwrap_or(Path::new(""));
    let mut all = Vec::new();
    for name in file.cameras.keys() {
        let tables = file.list_of_camera::<RtpDestinationOptions>(name)?;
        let found = of_camera(name, tables);
        all.extend(found.map_err(|what| ConfigError::camera(path, name, Some("rtp"), what))?);
    }
    for name in file.pushed_cameras.keys() {
        let tables = file.list_of_camera::<PushedRtpDestinationOptions>(name)?;
        let found = of_camera(name, tables.into_iter().map(|table| table.0));
        all.extend(found.map_err(|what| ConfigError::pushed_camera(path, name, "rtp", what))?);
    }
    Ok(all)
}

fn of_camera(
    name: &CameraName,
    tables: impl IntoIterator<Item = RtpDestinationOptions>,
) -> Result<Vec<DestinationSettings>, String> {
    let destination = |options: RtpDestinationOptions| {
        let missing = || "to is missing: where this camera is sent, as HOST:PORT".to_owned();
        let to = options.to.clone().ok_or_else(missing)?;
        DestinationSettings::new(name.clone(), to, options).map_err(|error| error.to_string())
    };
    tables.into_iter().map(destination).collect()
}

fn of_flags(arguments: &Arguments) -> Result<Vec<DestinationSettings>, UsageError> {
    let (names, to) = (&arguments.name, &arguments.to);
    if names.len() > 1 && names.len() != to.len() {
        return Err(UsageError::Names {
            names: names.len(),
            destinations: to.len(),
        });
    }
    let destinations = to.iter().enumerate().map(|(number, to)| {
        let name = names.get(number).or(names.first()).cloned();
        let options = arguments.destination.clone();
        DestinationSettings::new(name.unwrap_or_default(), to.clone(), options)
    });
    Ok(destinations.collect::<Result<_, _>>()?)
}

/// Refuses destinations that are to be sent to from one port.
fn refuse_shared_ports(all: &[DestinationSettings]) -> Result<(), UsageError> {
    for (number, second) in all.iter().enumerate() {
        let Some(port) = second.local_port else {
            continue;
        };
        let mut before = all[..number].iter();
        if let Some(first) = before.find(|first| {
            first
                .local_port
                .is_some_and(|other| other.abs_diff(port) <= 1)
        }) {
            return Err(UsageError::LocalPort {
                port,
                first: first.to.clone(),
                second: second.to.clone(),
            });
        }
    }
    Ok(())
}

/// Refuses two streams to one port: no receiver of JPEG tells them apart.
fn refuse_shared_destinations(all: &[DestinationSettings]) -> Result<(), UsageError> {
    let place = |it: &DestinationSettings| (it.to.clone(), it.interface.clone());
    for (number, second) in all.iter().enumerate() {
        let mut before = all[..number].iter();
        if let Some(first) = before.find(|first| place(first) == place(second)) {
            return Err(UsageError::Twice {
                to: second.to.clone(),
                first: first.camera.to_string(),
                second: second.camera.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    const TWO: &str = "[[cameras.door.rtp]]\nto = \"192.0.2.1:5000\"\ndscp = \"EF\"\nssrc = \"0x12345678\"\nsize = \"half\"\n\
        [[cameras.door.rtp]]\nto = \"[ff15::1]:5002\"\nttl = 3\nalways = true\n";

    #[test]
    fn a_camera_has_any_number_of_destinations() {
        let settings = settings(TWO, &[]).unwrap();
        let [first, second] = &settings.destinations[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(first.to.to_string(), "192.0.2.1:5000");
        assert_eq!((first.dscp.bits(), first.size), (46, RtpSize::Half));
        assert_eq!(first.ssrc.map(Ssrc::bits), Some(0x1234_5678));
        assert_eq!((first.mtu.bytes(), first.always), (1400, false));
        assert_eq!((second.ttl, second.always), (Some(3), true));
        let door: CameraName = "door".parse().unwrap();
        assert!(settings.cameras.contains_key(&door));
    }

    #[test]
    fn so_has_one_that_pushes_its_frames() {
        let text = "[[receive.cameras.gate.rtp]]\nto = \"h:5000\"\nfps = 5\n\
            [[receive.cameras.gate.rtp]]\nto = \"h:5002\"\n";
        let settings = settings(text, &[]).unwrap();
        let cameras = settings.destinations.iter().map(|it| it.camera.as_str());
        assert_eq!(cameras.collect::<Vec<_>>(), ["gate", "gate"]);
        assert_eq!(settings.destinations[0].fps, "5".parse().ok());
    }

    #[test]
    fn flags_suffice_and_replace_the_files_destinations() {
        let flags = [
            "--to=h:5000",
            "--mtu=900",
            "--always",
            "--size=quarter",
            "--burst",
        ];
        let settings = settings(TWO, &flags).unwrap();
        let [only] = &settings.destinations[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(only.camera, CameraName::default());
        assert_eq!(
            (only.mtu.bytes(), only.always, only.size, only.pace),
            (900, true, RtpSize::Quarter, PacketPace::Burst)
        );
    }

    #[test]
    fn names_are_one_for_all_or_one_for_each() {
        let to = ["--to=h:2", "--to=h:4"];
        let names = |names: &[&str]| {
            let flags: Vec<&str> = to.iter().chain(names).copied().collect();
            let settings = settings("", &flags)?;
            let names = settings.destinations.into_iter();
            Ok::<_, String>(names.map(|to| to.camera.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(&["--name=a", "--name=b"]).unwrap(), ["a", "b"]);
        assert_eq!(names(&["--name=a"]).unwrap(), ["a", "a"]);
        let error = names(&["--name=a", "--name=b", "--name=c"]).unwrap_err();
        assert!(error.contains("3 --name for 2 --to"), "{error}");
    }

    #[test]
    fn two_destinations_have_not_one_port() {
        let flags = ["--to=h:2", "--to=i:4", "--local-port=6000"];
        let error = settings("", &flags).unwrap_err();
        assert!(error.contains("local-port 6000"), "{error}");
        assert!(error.ends_with("h:2 and i:4"), "{error}");
        // RTCP has the next one.
        let text = "[[cameras.a.rtp]]\nto = \"h:2\"\nlocal-port = 6000\n\
            [[cameras.b.rtp]]\nto = \"h:4\"\nlocal-port = ";
        assert!(settings(&format!("{text}6001\n"), &[]).is_err());
        assert!(settings(&format!("{text}6002\n"), &[]).is_ok());
    }

    #[test]
    fn one_port_takes_one_stream() {
        let error = settings("", &["--to=h:2", "--to=h:2", "--name=a", "--name=b"]).unwrap_err();
        assert!(error.starts_with("to h:2: two streams"), "{error}");
        assert!(error.contains("\"a\" and \"b\""), "{error}");
        // A group may be sent to on two networks.
        let text = "[[cameras.a.rtp]]\nto = \"239.0.0.1:2\"\ninterface = \"one\"\n\
            [[cameras.a.rtp]]\nto = \"239.0.0.1:2\"\ninterface = \"two\"\n";
        assert!(settings(text, &[]).is_ok());
    }

    #[test]
    fn addresses_of_one_link_say_which() {
        let interface = |flags: &[&str]| {
            let settings = settings("", flags)?;
            Ok::<_, String>(settings.destinations[0].interface.clone())
        };
        let eth0 = Ok(Some("eth0".to_owned()));
        assert_eq!(interface(&["--to=[ff02::1%eth0]:2"]), eth0);
        assert_eq!(interface(&["--to=[ff02::1]:2", "--interface=eth0"]), eth0);
        assert_eq!(
            interface(&["--to=[fe80::1%eth0]:2", "--interface=eth0"]),
            eth0
        );
        assert_eq!(interface(&["--to=[ff05::1]:2"]), Ok(None));
        for one_link in ["fe80::1", "ff02::1", "ff11::2"] {
            let error = interface(&[&format!("--to=[{one_link}]:2")]).unwrap_err();
            assert!(
                error.ends_with(&format!("[{one_link}%INTERFACE]:2")),
                "{error}"
            );
        }
        let error = interface(&["--to=[ff02::1%eth0]:2", "--interface=eth1"]).unwrap_err();
        assert!(
            error.contains("\"eth0\"") && error.contains("\"eth1\""),
            "{error}"
        );
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, line, words) in [
            ("[[cameras.a.rtp]]\nmtu = 20\n", 2, "256 to 9000"),
            ("[[cameras.a.rtp]]\nto = \"h:5001\"\n", 2, "even port"),
            ("[[cameras.a.rtp]]\nttl = 3\n", 1, "to is missing"),
            (
                "[receive]\n[[receive.cameras.a.rtp]]\nttl = 3\n",
                2,
                "to is missing",
            ),
            (
                "[[cameras.a.rtp]]\nto = \"[ff02::1]:2\"\n",
                1,
                "say of which by interface",
            ),
            (
                "[[cameras.a.rtp]]\nto = \"h:2\"\nadapt = true\nsize = \"quarter\"\n",
                1,
                "nothing smaller",
            ),
            (
                "[[cameras.a.rtp]]\ndscp = \"XX\"\n",
                2,
                "use a name such as EF",
            ),
            ("[[cameras.a.rtp]]\nfsp = 3\n", 2, "did you mean `fps`"),
            (
                "[[receive.cameras.a.rtp]]\nfsp = 3\n",
                2,
                "did you mean `fps`",
            ),
        ] {
            let error = settings(text, &[]).unwrap_err();
            assert!(error.contains(&format!("line {line}, key ")), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
