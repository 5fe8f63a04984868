//! What a URL of RTSP names: a camera, a rendition of it, and whether the presentation or its one
//! track.

use clap::ValueEnum;
use eyelid_config::{RtpCodec, RtpSize};
use eyelid_slot::CameraName;

/// How the track is called, in `a=control`. No camera can be: its name has no such character.
pub(crate) const TRACK: &str = "track=0";

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The camera.
    pub(crate) camera: CameraName,
    /// The rendition; of H.264, that of the frame.
    pub(crate) size: RtpSize,
    /// In what it is encoded.
    pub(crate) codec: RtpCodec,
    /// The URL is that of the track, and not that of the presentation.
    pub(crate) is_track: bool,
}

/// A URL that names nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTarget {
    /// It is no URL of RTSP.
    Malformed,
    /// It names what can be no camera.
    Camera,
    /// It names a size that there is not.
    Size,
    /// It names a codec that there is not.
    Codec,
}

/// Scheme and authority of a URL, and what follows them.
fn split(url: &str) -> Option<(&str, &str)> {
    let Some((scheme, _)) = url.split_once("://") else {
        return url.starts_with('/').then_some(("", url));
    };
    if !["rtsp", "rtspu"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let start = scheme.len() + "://".len();
    let end = url[start..]
        .find(['/', '?'])
        .map_or(url.len(), |at| start + at);
    Some(url.split_at(end))
}

impl Target {
    /// Reads a URL. Clients put the control of a track behind its base in ways of their own: behind
    /// the path, or behind all of it, the query too.
    ///
    /// # Errors
    /// See [`NoTarget`].
    pub(crate) fn parse(url: &str) -> Result<Self, NoTarget> {
        let (_, rest) = split(url).ok_or(NoTarget::Malformed)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, is_behind_path) = before_track(path);
        let (query, is_behind_query) = before_track(query);
        let is_track = is_behind_path || is_behind_query;
        Ok(Self {
            camera: camera(path.trim_start_matches('/'))?,
            size: said(query, "size=", NoTarget::Size)?.unwrap_or(RtpSize::Current),
            codec: said(query, "codec=", NoTarget::Codec)?.unwrap_or(RtpCodec::Jpeg),
            is_track,
        })
    }
}

/// What a URL names after SETUP: by then clients have put controls behind it that are other
/// servers' (`trackID=0`), or drop its query, as the base of DESCRIBE does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presentation {
    /// The camera.
    pub(crate) camera: CameraName,
    /// The rendition, where one is said.
    size: Option<RtpSize>,
    /// In what it is encoded, where that is said.
    codec: Option<RtpCodec>,
}

impl Presentation {
    /// Reads a URL, of whatever host.
    ///
    /// # Errors
    /// See [`NoTarget`].
    pub(crate) fn parse(url: &str) -> Result<Self, NoTarget> {
        let (_, rest) = split(url).ok_or(NoTarget::Malformed)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, _) = before_track(path);
        let path = path.trim_start_matches('/');
        let (before, last) = path.rsplit_once('/').unwrap_or(("", path));
        // As with `TRACK`: no camera has such a name.
        let name = if last.contains('=') { before } else { path };
        let (query, _) = before_track(query);
        let query = query.split('/').next().unwrap_or_default();
        Ok(Self {
            camera: camera(name.trim_end_matches('/'))?,
            size: said(query, "size=", NoTarget::Size)?,
            codec: said(query, "codec=", NoTarget::Codec)?,
        })
    }

    /// Says whether it is what was set up as this.
    pub(crate) fn is_of(&self, target: &Target) -> bool {
        self.camera == target.camera
            && self.size.is_none_or(|size| size == target.size)
            && self.codec.is_none_or(|codec| codec == target.codec)
    }
}

/// The camera of a path.
fn camera(path: &str) -> Result<CameraName, NoTarget> {
    match path {
        "" => Ok(CameraName::default()),
        name => name.parse().map_err(|_| NoTarget::Camera),
    }
}

/// What precedes the control of the track, and whether there is one.
fn before_track(text: &str) -> (&str, bool) {
    let at = text.find(TRACK);
    let before = at.map_or(text, |at| &text[..at]);
    (before.trim_end_matches(['/', '?']), at.is_some())
}

/// What a query says behind this, if it does; `none` where there is no such value.
fn said<T: ValueEnum>(query: &str, key: &str, none: NoTarget) -> Result<Option<T>, NoTarget> {
    let value = query
        .split('&')
        .find_map(|parameter| parameter.strip_prefix(key));
    let value = value.map(|value| T::from_str(value, false));
    value.transpose().map_err(|_| none)
}

/// What DESCRIBE says of URLs: the base, which ends with `/`, and the control of the track, which
/// is to be put behind it. The query goes with the control, for many clients drop that of the base.
pub(crate) fn base_and_control(url: &str) -> (String, String) {
    let (origin, rest) = split(url).unwrap_or(("", "/"));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let base = format!("{}{}/", without_user(origin), path.trim_end_matches('/'));
    let control = match query.trim_end_matches('/') {
        "" => TRACK.to_owned(),
        query => format!("{TRACK}?{query}"),
    };
    (base, control)
}

/// Some clients say their user and password in the URL, too; no response repeats them.
fn without_user(origin: &str) -> String {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return origin.to_owned();
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

/// What follows the host.
pub(crate) fn path_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else {
        return url;
    };
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// The URL of the track, for `RTP-Info`.
pub(crate) fn track_url(url: &str) -> String {
    let (base, control) = base_and_control(url);
    let base = base.trim_end_matches('/');
    let base = base.strip_suffix(TRACK).unwrap_or(base);
    format!("{}/{control}", base.trim_end_matches('/'))
}

/// The URL of the presentation that a track is of, as [`base_and_control`] says it: what precedes
/// the control. Another URL is as it is.
pub(crate) fn presentation_url(url: &str) -> &str {
    let before = url.find(TRACK).map_or(url, |at| &url[..at]);
    if before.is_empty() { url } else { before }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(camera: &str, size: RtpSize, is_track: bool) -> Target {
        Target {
            camera: camera.parse().unwrap(),
            size,
            codec: RtpCodec::Jpeg,
            is_track,
        }
    }

    #[test]
    fn a_url_may_ask_for_h264_and_for_nothing_that_there_is_not() {
        let video = Target {
            codec: RtpCodec::H264,
            ..target("door", RtpSize::Current, true)
        };
        for url in [
            "rtsp://h/door/track=0?codec=h264",
            "rtsp://h/door?codec=h264/track=0",
            "rtsp://h/door/?codec=h264/track=0/",
        ] {
            assert_eq!(Target::parse(url).as_ref(), Ok(&video), "{url}");
        }
        for (url, lacks) in [
            ("/door?codec=h265", NoTarget::Codec),
            ("/door?codec=", NoTarget::Codec),
            ("/door?codec=h264&size=x", NoTarget::Size),
            ("/a/b?codec=h265", NoTarget::Camera),
        ] {
            assert_eq!(Target::parse(url), Err(lacks), "{url}");
        }
        let named = |url| Presentation::parse(url).map(|named| named.is_of(&video));
        assert_eq!(named("rtsp://h/door/"), Ok(true));
        assert_eq!(named("rtsp://h/door?codec=h264"), Ok(true));
        assert_eq!(named("rtsp://h/door?codec=jpeg"), Ok(false));
    }

    #[test]
    fn urls_name_cameras_however_the_control_is_put_behind_them() {
        let default = target("default", RtpSize::Current, false);
        for url in [
            "rtsp://h",
            "rtsp://h:8554/",
            "RTSP://u:p@h//",
            "/",
            "rtsp://h?x=1",
        ] {
            assert_eq!(Target::parse(url), Ok(default.clone()), "{url}");
        }
        for url in ["rtsp://h/track=0", "rtsp://h//track=0/", "/track=0"] {
            let track = target("default", RtpSize::Current, true);
            assert_eq!(Target::parse(url), Ok(track), "{url}");
        }
        for url in [
            "rtsp://h/door?size=half",
            "rtsp://h/door/?size=half/",
            "/door?a&size=half",
        ] {
            let half = target("door", RtpSize::Half, false);
            assert_eq!(Target::parse(url), Ok(half), "{url}");
        }
        for url in [
            "rtsp://h/door/track=0?size=half",
            "rtsp://h/door?size=half/track=0",
            "rtsp://h/door/?size=half/track=0/",
            "rtsp://h/doortrack=0?size=half",
        ] {
            let half = target("door", RtpSize::Half, true);
            assert_eq!(Target::parse(url), Ok(half), "{url}");
        }
        for url in ["rtsp://h/a/b", "rtsp://h/%2e%2e", "/stream=0"] {
            assert_eq!(Target::parse(url), Err(NoTarget::Camera), "{url}");
        }
        assert_eq!(
            Target::parse("rtsp://h/door?size=huge"),
            Err(NoTarget::Size)
        );
        for url in ["*", "http://h/", "door", "rtsp//h"] {
            assert_eq!(Target::parse(url), Err(NoTarget::Malformed), "{url}");
        }
    }

    #[test]
    fn what_is_set_up_is_named_in_many_ways_and_nothing_else_is() {
        let half = target("door", RtpSize::Half, true);
        let named = |url| Presentation::parse(url).map(|named| named.is_of(&half));
        for url in [
            "rtsp://h/door?size=half",
            "rtsp://h/door/?size=half",
            "rtsp://h/door?size=half/",
            // The Content-Base, and that without its slash.
            "rtsp://h/door/",
            "rtsp://h/door",
            "RTSP://u:p@192.0.2.1:1234//door//",
            "/door",
            // The control that DESCRIBE gives, however it is joined.
            "rtsp://h/door/track=0?size=half",
            "rtsp://h/doortrack=0?size=half",
            "rtsp://h/door?size=half/track=0?size=half",
            "rtsp://h/door/track=0/",
            // Those of other servers.
            "rtsp://h/door/trackID=0",
            "rtsp://h/door/streamid=0/",
            "rtsp://h/door?size=half/stream=0",
        ] {
            assert_eq!(named(url), Ok(true), "{url}");
        }
        for url in ["/bed", "/", "rtsp://h/trackID=0", "/door?size=low"] {
            assert_eq!(named(url), Ok(false), "{url}");
        }
        for url in ["/door/a", "/door/a/track=0", "/a=1/b"] {
            assert_eq!(named(url), Err(NoTarget::Camera), "{url}");
        }
        assert_eq!(named("/door?size=huge"), Err(NoTarget::Size));
        for url in ["*", "door", "http://h/door"] {
            assert_eq!(named(url), Err(NoTarget::Malformed), "{url}");
        }
        let default = target("default", RtpSize::Current, true);
        for url in ["rtsp://h", "rtsp://h/trackID=0", "/streamid=0", "/default/"] {
            assert!(Presentation::parse(url).unwrap().is_of(&default), "{url}");
        }
    }

    #[test]
    fn base_and_control_lead_back_to_the_target() {
        for url in [
            "rtsp://u:p@host:8554/door?size=half",
            "rtsp://[::1]:8554/door/",
            "rtsp://h",
            "/door?size=low/",
        ] {
            let described = Target::parse(url).unwrap();
            let (base, control) = base_and_control(url);
            assert!(base.ends_with('/') && !base.contains('@'), "{base}");
            let track = Target {
                is_track: true,
                ..described
            };
            assert_eq!(
                Target::parse(&format!("{base}{control}")),
                Ok(track.clone())
            );
            assert_eq!(Target::parse(&track_url(url)), Ok(track.clone()));
            // The base and the control as clients join them that do not know the RFC.
            let joined = format!("{}/{control}", url.trim_end_matches('/'));
            assert_eq!(Target::parse(&joined).map(|t| t.camera), Ok(track.camera));
        }
        let url = "rtsp://h/door/track=0?size=half";
        assert_eq!(track_url(url), url);
    }
}
