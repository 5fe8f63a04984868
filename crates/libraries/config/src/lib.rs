//! The configuration file, and the command line options that share its names.
//!
//! Every option is declared once, as a field of a [`Section`]: clap makes the flag of it, serde the
//! key in the file. A program reads its own tables and what all have in common ([`Config`]); a key
//! that no program knows is refused by all, so the options of all programs are declared here: who
//! refuses a key has to know all of them. Defaults are the programs' own.

mod address;
mod ask_on_page;
mod byte_size;
mod camera;
mod duration;
mod file;
mod flags;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod host;
mod keys;
mod name;
mod place;
mod receive;
mod relay;
mod rtp;
mod rtp_values;
mod section;
mod sections;
mod server;
mod text_or_number;
mod title;
mod values;
mod video;
mod video_values;
mod watch;
mod watch_values;
mod week_times;

pub use address::{Address, AddressError};
pub use ask_on_page::AskOnPage;
pub use byte_size::{FrameBytes, FrameBytesError};
pub use camera::CameraOptions;
pub use duration::{DurationError, parse as parse_duration};
pub use file::{CameraPlace, Config, ConfigError};
pub use host::{AllowedHost, AllowedHostError, host_name};
pub use name::{CameraNameError, camera_name, is_taken};
pub use place::{one_slot, same_slot};
pub use receive::{PushedCameraOptions, ReceiveOptions};
pub use relay::RelayOptions;
pub use rtp::{PushedRtpDestinationOptions, RtpDestinationOptions, RtpOptions};
pub use rtp_values::{Dscp, HostPort, Mtu, RtpCodec, RtpSize, RtpValueError, SessionTimeout, Ssrc};
pub use section::Section;
pub use server::{Adapt, Origin, OriginError, ServerOptions};
pub use title::{Title, TitleError};
pub use values::{
    Buffers, ControlSetting, Flip, Fps, LoginText, Quality, Rotation, Size, SourceSpec, ValueError,
};
pub use video::{PushedVideoCameraOptions, VideoCameraOptions, VideoOptions};
pub use video_values::{Bitrate, Candidate, EncoderChoice, UdpAddress, VideoValueError};
pub use watch::{
    PushedWatchCameraOptions, PushedWatchRuleOptions, WatchCameraOptions, WatchModelOptions,
    WatchNotifyOptions, WatchOptions, WatchRuleOptions,
};
pub use watch_values::{HttpUrl, Polygon, Share, StoreBytes, Votes, WatchValueError, Words};
pub use week_times::{TimeSpan, WeekTimes, WeekTimesError};

/// The environment variable that may hold one `USER:PASSWORD` for the server.
pub const PASSWORD_VARIABLE: &str = "EYELID_PASSWORD";

/// Exit status for a configuration that cannot be used (EX_CONFIG of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;
