//! What a request asks for: paths and queries, apart from HTTP.

use eyelid_config::{Adapt, camera_name};
use eyelid_consumer::{Largest, Wanted};
use eyelid_http::Methods;
use eyelid_slot::{CameraName, Rendition};

use crate::part::{CURRENT, HeaderTiming};

/// What a path and its query ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Route {
    /// The viewer page, of all cameras or of one.
    Viewer(Option<CameraName>),
    /// The way to the viewer page of one camera, for who left out the slash that relative links
    /// need.
    AddSlash(CameraName),
    /// A stream, and how the client asks for it to be sent.
    Stream(Which, StreamParameters),
    /// One fresh frame, of this size if the client asks for one.
    Snapshot(Which, Option<Wanted>),
    /// State of cameras and clients.
    Status,
    /// The same for Prometheus.
    Metrics,
    /// A part of the viewer page.
    Asset(Asset),
    /// Another program's to answer, for a camera where the path names one.
    Other(Program, Option<Which>),
    /// Nothing here.
    NotFound,
    /// A query with a value that makes no sense; the text says which.
    BadQuery(&'static str),
}

/// A program that takes requests over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// `eyelid-video`: WebRTC and MSE.
    Video,
    /// `eyelid-receive`: pictures that come from elsewhere.
    Receive,
    /// `eyelid-watch`: what was seen.
    Watch,
    /// `eyelid-control`: settings of cameras.
    Control,
}

impl Program {
    /// Gives its name: that of its socket, and of its package behind `eyelid-`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Receive => "receive",
            Self::Watch => "watch",
            Self::Control => "control",
        }
    }

    /// What is checked before it takes a request over.
    pub(crate) fn methods(self) -> Methods {
        match self {
            Self::Receive => Methods::Program,
            Self::Video | Self::Watch | Self::Control => Methods::All,
        }
    }

    /// Gives the program that answers what stands at `action`, below a camera or at the root.
    fn of_camera(action: &str) -> Option<Self> {
        match action {
            "whep" | "webrtc" | "mse" => Some(Self::Video),
            "push" => Some(Self::Receive),
            "controls" | "tune" => Some(Self::Control),
            _ => None,
        }
    }

    /// Gives the program that answers what stands at `action`, which no camera has.
    fn of_all(action: &str) -> Option<Self> {
        match action {
            "alerts" => Some(Self::Watch),
            "option" => Some(Self::Control),
            _ => None,
        }
    }
}

/// Which camera.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Which {
    /// By name.
    Name(CameraName),
    /// By its place in the list, as mjpg-streamer counts its inputs.
    Number(usize),
}

/// What a query says about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct StreamParameters {
    /// At most so many frames a second.
    pub(crate) fps: Option<f64>,
    /// When to send the headers of parts, whoever asks; ustreamer's `advance_headers`.
    pub(crate) header: Option<HeaderTiming>,
    /// What size its frames are to have, if it asks for one.
    pub(crate) size: Option<Wanted>,
    /// How it is to be made to fit the client's link, if it says so.
    pub(crate) adapt: Option<Adapt>,
}

/// Parts of the viewer page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    /// viewer.css
    Style,
    /// viewer.js
    Script,
    /// icon.svg
    Icon,
}

impl Route {
    /// Reads a request's path and query. Parameters come in any order; those unknown or without a
    /// name (cache busters) are ignored.
    pub(crate) fn parse(path: &str, query: Option<&str>) -> Self {
        let path = below_prefix(path);
        let path = path.strip_prefix('/').unwrap_or(path);
        let query = query.unwrap_or_default();
        match path {
            "status" => return Self::Status,
            "metrics" => return Self::Metrics,
            "viewer.css" => return Self::Asset(Asset::Style),
            "viewer.js" => return Self::Asset(Asset::Script),
            "icon.svg" => return Self::Asset(Asset::Icon),
            _ => {}
        }
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        if let Some(program) = Program::of_all(name) {
            return Self::Other(program, None);
        }
        if let Some(route) = of_camera(path, query, None) {
            return route;
        }
        match (camera_name(name), rest) {
            (Ok(name), None) => match of_camera("", query, Some(&name)) {
                Some(Self::Viewer(_)) => Self::AddSlash(name),
                action => action.unwrap_or(Self::NotFound),
            },
            (Ok(name), Some(rest)) => of_camera(rest, query, Some(&name)).unwrap_or(Self::NotFound),
            (Err(_), _) => Self::NotFound,
        }
    }
}

/// How many directories a path is below the viewer page: where links to that lead.
pub(crate) fn depth(path: &str) -> usize {
    below_prefix(path).matches('/').count().saturating_sub(1)
}

/// Takes off what proxies put before.
fn below_prefix(path: &str) -> &str {
    path.strip_prefix("/webcam")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        .unwrap_or(path)
}

/// What `path` asks of one camera, or of the server where no camera is named.
fn of_camera(path: &str, query: &str, camera: Option<&CameraName>) -> Option<Route> {
    let named = || Which::Name(camera.cloned().unwrap_or_default());
    // What is below such a path is that program's, too: sessions, for one (WHEP).
    let first = path.split('/').next().unwrap_or_default();
    if let Some(program) = Program::of_camera(first) {
        return Some(Route::Other(program, Some(named())));
    }
    let which = |number: Option<usize>| match (number, camera) {
        (Some(number), None) => Which::Number(number),
        _ => named(),
    };
    let action = match path {
        "" => match parameter(query, "action") {
            None => return Some(Route::Viewer(camera.cloned())),
            Some(action) => action,
        },
        "stream.mjpg" => "stream",
        "snapshot.jpg" => "snapshot",
        path => path,
    };
    let (action, number) = match action.split_once('_') {
        Some((action, number)) => (action, Some(number.parse().ok()?)),
        None => (action, None),
    };
    match action {
        "stream" => Some(match stream_parameters(query) {
            Ok(parameters) => Route::Stream(which(number), parameters),
            Err(what) => Route::BadQuery(what),
        }),
        "snapshot" => Some(match size(query, Largest::Full) {
            Ok(size) => Route::Snapshot(which(number), size),
            Err(what) => Route::BadQuery(what),
        }),
        _ => None,
    }
}

fn stream_parameters(query: &str) -> Result<StreamParameters, &'static str> {
    let fps = match parameter(query, "fps").map(str::parse::<f64>) {
        None => None,
        Some(Ok(fps)) if (0.01..=1000.0).contains(&fps) => Some(fps),
        Some(_) => return Err("fps: use a number of frames per second, 0.01 or more"),
    };
    let header = match parameter(query, "advance_headers") {
        None => None,
        Some("1") => Some(HeaderTiming::InAdvance),
        Some("0") => Some(HeaderTiming::WithFrame),
        Some(_) => return Err("advance_headers: use 1 or 0"),
    };
    let size = size(query, Largest::Frame)?;
    let adapt = match parameter(query, "adapt").map(str::parse) {
        None => None,
        Some(Ok(adapt)) => Some(adapt),
        Some(Err(_)) => return Err("adapt: use smooth, sharp or off"),
    };
    if size.is_some() && adapt.is_some_and(|adapt| adapt != Adapt::Off) {
        return Err("size and adapt: use one of the two");
    }
    Ok(StreamParameters {
        fps,
        header,
        size,
        adapt,
    })
}

/// What size is asked for, by name or by a width for which `largest` is the largest.
fn size(query: &str, largest: Largest) -> Result<Option<Wanted>, &'static str> {
    let width = parameter(query, "width").map(str::parse::<u32>);
    match (parameter(query, "size"), width) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("size and width: use one of the two"),
        (Some(CURRENT), None) => Ok(Some(Wanted::Frame)),
        (Some(name), None) => match name.parse() {
            Ok(Rendition::Y4m) | Err(_) => Err("size: use low, half, quarter, full or current"),
            Ok(rendition) => Ok(Some(Wanted::Rendition(rendition))),
        },
        (None, Some(Ok(width))) if width > 0 => Ok(Some(Wanted::AtLeastWide { width, largest })),
        (None, Some(_)) => Err("width: use a number of pixels, 1 or more"),
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        pair.split_once('=')
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(target: &str) -> Route {
        match target.split_once('?') {
            Some((path, query)) => Route::parse(path, Some(query)),
            None => Route::parse(target, None),
        }
    }

    fn name(name: &str) -> CameraName {
        name.parse().unwrap()
    }

    #[test]
    fn every_way_to_a_stream_leads_to_it() {
        let stream = |which| Route::Stream(which, StreamParameters::default());
        let default = stream(Which::Name(CameraName::default()));
        for target in [
            "/stream",
            "/stream.mjpg",
            "/?action=stream",
            "/?action=stream&1795207369454",
            "/?timestamp=1795207369454&action=stream",
            "/webcam/?action=stream",
            "/webcam?action=stream",
            "/webcam/stream",
            "/stream?cacheBust=1",
            "/default/stream",
        ] {
            assert_eq!(parse(target), default, "{target}");
        }
        assert_eq!(
            parse("/front/?action=stream"),
            stream(Which::Name(name("front")))
        );
        assert_eq!(
            parse("/webcam/front/stream.mjpg"),
            stream(Which::Name(name("front")))
        );
        assert_eq!(parse("/?action=stream_1"), stream(Which::Number(1)));
        assert_eq!(parse("/stream_0"), stream(Which::Number(0)));
    }

    #[test]
    fn a_stream_comes_as_the_client_wants_it() {
        for (query, fps, header) in [
            ("x=1&fps=2.5", Some(2.5), None),
            ("advance_headers=1", None, Some(HeaderTiming::InAdvance)),
            (
                "advance_headers=0&fps=1000",
                Some(1000.0),
                Some(HeaderTiming::WithFrame),
            ),
        ] {
            assert_eq!(
                parse(&format!("/stream?{query}")),
                Route::Stream(
                    Which::Name(name("default")),
                    StreamParameters {
                        fps,
                        header,
                        size: None,
                        adapt: None,
                    }
                )
            );
        }
        let no = ["fps=0", "fps=-1", "fps=nan", "fps=inf", "fps=fast", "fps="];
        for query in no
            .iter()
            .chain(&["advance_headers=yes", "advance_headers="])
        {
            assert!(
                matches!(parse(&format!("/stream?{query}")), Route::BadQuery(_)),
                "{query}"
            );
        }
    }

    #[test]
    fn every_way_to_a_picture_takes_a_size() {
        let both = |wanted| (wanted, wanted);
        let named = |rendition| both(Wanted::Rendition(rendition));
        let wide = |largest| Wanted::AtLeastWide {
            width: 640,
            largest,
        };
        for (query, (streams, snapshots)) in [
            ("size=current", both(Wanted::Frame)),
            ("1795207369454&size=low", named(Rendition::Low)),
            ("size=half", named(Rendition::Half)),
            ("size=quarter&x=1", named(Rendition::Quarter)),
            ("size=full", named(Rendition::Full)),
            ("width=640", (wide(Largest::Frame), wide(Largest::Full))),
        ] {
            let parameters = StreamParameters {
                size: Some(streams),
                ..StreamParameters::default()
            };
            let (front, second) = (|| Which::Name(name("front")), || Which::Number(1));
            for (path, which) in [
                ("/front/stream?", front()),
                ("/front/?action=stream&", front()),
                ("/webcam/front/stream.mjpg?", front()),
                ("/?action=stream_1&", second()),
                ("/stream_1?", second()),
            ] {
                let target = format!("{path}{query}");
                assert_eq!(parse(&target), Route::Stream(which, parameters), "{target}");
            }
            for (path, which) in [
                ("/front/snapshot?", front()),
                ("/front?action=snapshot&", front()),
                ("/webcam/front/snapshot.jpg?", front()),
                ("/?action=snapshot_1&", second()),
                ("/snapshot_1?", second()),
            ] {
                let target = format!("{path}{query}");
                let snapshot = Route::Snapshot(which, Some(snapshots));
                assert_eq!(parse(&target), snapshot, "{target}");
            }
        }
        let sizes = [
            "size=",
            "size=y4m",
            "size=Half",
            "size=big",
            "size=half.jpg",
        ];
        let widths = [
            "width=",
            "width=0",
            "width=-1",
            "width=1e3",
            "width=4294967296",
        ];
        for query in sizes
            .into_iter()
            .chain(widths)
            .chain(["width=640&size=half"])
        {
            for path in ["/stream?", "/?action=snapshot&", "/front/snapshot.jpg?"] {
                let target = format!("{path}{query}");
                assert!(matches!(parse(&target), Route::BadQuery(_)), "{target}");
            }
        }
        assert_eq!(parse("/?size=big"), Route::Viewer(None), "no picture");
    }

    #[test]
    fn a_stream_is_adapted_as_the_client_says() {
        for (query, adapt) in [
            ("adapt=smooth", Some(Adapt::Smooth)),
            ("1699999999999&adapt=sharp", Some(Adapt::Sharp)),
            ("adapt=off", Some(Adapt::Off)),
            ("adapted=smooth", None),
        ] {
            let parameters = StreamParameters {
                adapt,
                ..StreamParameters::default()
            };
            for path in ["/front/stream?", "/front/?action=stream&"] {
                let target = format!("{path}{query}");
                let stream = Route::Stream(Which::Name(name("front")), parameters);
                assert_eq!(parse(&target), stream, "{target}");
            }
        }
        for query in [
            "adapt=",
            "adapt=1",
            "adapt=Smooth",
            "adapt=half",
            "adapt=smooth&size=half",
            "width=640&adapt=sharp",
        ] {
            let target = format!("/stream?{query}");
            assert!(matches!(parse(&target), Route::BadQuery(_)), "{target}");
        }
        let both = parse("/stream?size=half&adapt=off");
        assert!(matches!(both, Route::Stream(..)), "{both:?}");
    }

    #[test]
    fn the_rest_of_the_paths() {
        let default = Route::Snapshot(Which::Name(CameraName::default()), None);
        for target in [
            "/snapshot",
            "/snapshot.jpg",
            "/?action=snapshot&bypassCache=1",
            "/webcam/?action=snapshot",
        ] {
            assert_eq!(parse(target), default, "{target}");
        }
        assert_eq!(parse("/"), Route::Viewer(None));
        assert_eq!(parse("/?x"), Route::Viewer(None));
        assert_eq!(parse("/webcam/"), Route::Viewer(None));
        assert_eq!(parse("/front"), Route::AddSlash(name("front")));
        assert_eq!(parse("/front/"), Route::Viewer(Some(name("front"))));
        assert_eq!(parse("/status"), Route::Status);
        assert_eq!(parse("/webcam/status?1"), Route::Status);
        assert_eq!(parse("/metrics"), Route::Metrics);
        assert_eq!(parse("/viewer.js"), Route::Asset(Asset::Script));
    }

    #[test]
    fn what_other_programs_answer_is_theirs_with_all_below_it() {
        let front = || Some(Which::Name(name("front")));
        let default = || Some(Which::Name(CameraName::default()));
        for (target, program, camera) in [
            ("/front/whep", Program::Video, front()),
            ("/front/whep/7f3a?x=1", Program::Video, front()),
            ("/webcam/webrtc", Program::Video, default()),
            ("/front/mse", Program::Video, front()),
            ("/front/push", Program::Receive, front()),
            ("/alerts", Program::Watch, None),
            ("/alerts/1/picture.jpg", Program::Watch, None),
            ("/front/controls", Program::Control, front()),
            ("/tune", Program::Control, default()),
            ("/option?key=focus&value=2", Program::Control, None),
        ] {
            assert_eq!(parse(target), Route::Other(program, camera), "{target}");
        }
        for target in [
            "/front/whepx",
            "/alertsx/",
            "/front/alerts",
            "/front/option",
        ] {
            assert!(!matches!(parse(target), Route::Other(..)), "{target}");
        }
    }

    #[test]
    fn everything_else_is_not_there() {
        for target in [
            "/../etc/passwd",
            "/%2e%2e/x",
            "/front/../stream",
            "/front/status",
            "/a/b/stream",
            "/?action=command",
            "/favicon.ico",
            "//stream",
            "/front%00/",
        ] {
            assert_eq!(parse(target), Route::NotFound, "{target}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(path in ".*", query in proptest::option::of(".*")) {
            Route::parse(&path, query.as_deref());
        }
    }
}
