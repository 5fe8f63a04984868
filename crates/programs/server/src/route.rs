//! What a request asks for: paths and queries, apart from HTTP.

use std::collections::BTreeSet;

use clap::ValueEnum;
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
    /// State of cameras and clients; only of these, if the client names any.
    Status(Option<BTreeSet<CameraName>>),
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
    /// All of them, by name.
    pub(crate) const ALL: [Self; 4] = [Self::Control, Self::Receive, Self::Video, Self::Watch];

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
    /// video.js
    Video,
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
            "status" => return status(query),
            "metrics" => return Self::Metrics,
            "viewer.css" => return Self::Asset(Asset::Style),
            "viewer.js" => return Self::Asset(Asset::Script),
            "video.js" => return Self::Asset(Asset::Video),
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

/// What a query says of which cameras are told of. How many a client can name bounds the size of a
/// request's header.
fn status(query: &str) -> Route {
    let Some(names) = parameter(query, "cameras") else {
        return Route::Status(None);
    };
    let names = names.split(',').filter(|name| !name.is_empty());
    match names.map(camera_name).collect() {
        Ok(names) => Route::Status(Some(names)),
        Err(_) => Route::BadQuery("cameras: use names of cameras, with commas between them"),
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
    let adapt = match parameter(query, "adapt").map(|how| Adapt::from_str(how, false)) {
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
mod tests;
