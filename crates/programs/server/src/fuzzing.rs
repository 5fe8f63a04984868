//! What must hold whatever clients ask, and whatever is in the files of the server. The fuzz
//! targets call this, and the tests with what those found (`fuzz/README.md`).

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eyelid_config::{Adapt, AllowedHost};
use eyelid_consumer::{Deadline, Wanted};
use eyelid_http::response::{FullResponse, add_common_headers};
use eyelid_http::{Advice, Peer, ServeOptions};
use http_body_util::BodyExt;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use tokio::runtime::{Builder, Runtime};

use crate::adapter::AdaptSettings;
use crate::app::App;
use crate::part::{CURRENT, HeaderTiming};
use crate::respond::{Found, respond};
use crate::route::{Asset, Route, StreamParameters, Which};
use crate::settings::{ConfiguredCamera, Settings};

/// A request line without its version gets a proper response, whatever its method and target; and
/// there is a plain way to ask for the same.
///
/// # Panics
/// Where that does not hold.
pub fn request(line: &[u8]) {
    let Some(space) = memchr(b' ', line) else {
        return;
    };
    let (method, target) = (&line[..space], &line[space + 1..]);
    // hyper refuses by itself what is neither a method nor a target.
    let request = Request::builder().version(Version::HTTP_10);
    let Ok(request) = request.method(method).uri(target).body(()) else {
        return;
    };
    let (request, ()) = request.into_parts();
    let (path, query) = (request.uri.path(), request.uri.query());
    route(path, query);
    SERVER.with(|server| server.ask(&request));
}

fn memchr(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|other| *other == byte)
}

fn route(path: &str, query: Option<&str>) {
    let route = Route::parse(path, query);
    for noise in ["1795207369454", "&", "cacheBust=1&"] {
        let query = query.unwrap_or_default();
        for query in [format!("{query}&{noise}"), format!("{noise}&{query}")] {
            assert_eq!(Route::parse(path, Some(&query)), route, "{query:?}");
        }
    }
    if path.starts_with('/') && !path.starts_with("/webcam") {
        let prefixed = format!("/webcam{path}");
        assert_eq!(Route::parse(&prefixed, query), route, "{prefixed:?}");
    }
    if let Some((path, query)) = plain(&route) {
        assert_eq!(
            Route::parse(&path, query.as_deref()),
            route,
            "{path:?}, {query:?}"
        );
    }
}

/// The plain way to ask for it.
fn plain(route: &Route) -> Option<(String, Option<String>)> {
    let of = |which: &Which, what: &str| match which {
        Which::Name(name) => format!("/{name}/{what}"),
        Which::Number(number) => format!("/{what}_{number}"),
    };
    let path = match route {
        Route::Viewer(None) => "/".to_owned(),
        Route::Viewer(Some(name)) => format!("/{name}/"),
        Route::AddSlash(name) => format!("/{name}"),
        Route::Stream(which, parameters) => {
            let StreamParameters {
                fps,
                header,
                size,
                adapt,
            } = parameters;
            let fps = fps.map(|fps| format!("fps={fps}"));
            let header = header.map(|header| match header {
                HeaderTiming::InAdvance => "advance_headers=1".to_owned(),
                HeaderTiming::WithFrame => "advance_headers=0".to_owned(),
            });
            let adapt = adapt.map(|adapt| match adapt {
                Adapt::Off => "adapt=off".to_owned(),
                Adapt::Smooth => "adapt=smooth".to_owned(),
                Adapt::Sharp => "adapt=sharp".to_owned(),
            });
            let query = fps.into_iter().chain(header).chain(adapt);
            let query = query.chain(size.map(plain_size));
            let query: Vec<_> = query.collect();
            let query = (!query.is_empty()).then(|| query.join("&"));
            return Some((of(which, "stream"), query));
        }
        Route::Snapshot(which, size) => {
            return Some((of(which, "snapshot"), size.map(plain_size)));
        }
        Route::Status(only) => {
            let names = only.as_ref().map(|only| {
                let names: Vec<_> = only.iter().map(|name| name.as_str()).collect();
                format!("cameras={}", names.join(","))
            });
            return Some(("/status".to_owned(), names));
        }
        Route::Metrics => "/metrics".to_owned(),
        Route::Asset(Asset::Style) => "/viewer.css".to_owned(),
        Route::Asset(Asset::Script) => "/viewer.js".to_owned(),
        Route::Asset(Asset::Video) => "/video.js".to_owned(),
        Route::Asset(Asset::Icon) => "/icon.svg".to_owned(),
        Route::Other(..) | Route::NotFound | Route::BadQuery(_) => return None,
    };
    Some((path, None))
}

/// The plain way to ask for this size.
fn plain_size(size: Wanted) -> String {
    match size {
        Wanted::Frame => format!("size={CURRENT}"),
        Wanted::Rendition(rendition) => format!("size={rendition}"),
        Wanted::AtLeastWide { width, .. } => format!("width={width}"),
    }
}

/// A server without frames, and what it runs on.
struct Server {
    app: App,
    runtime: Runtime,
}

/// What a server is told that has two cameras and asks nobody for a password.
pub(crate) fn settings(slots: PathBuf) -> Settings {
    Settings {
        listen: Vec::new(),
        slots,
        cameras: ["default", "front"]
            .iter()
            .filter_map(|name| Some((name.parse().ok()?, ConfiguredCamera::default())))
            .collect(),
        doors: PathBuf::from("/dev/null/no-doors"),
        advice: Advice {
            program: "eyelid-server".to_owned(),
            has_file: true,
        },
        deadline: Deadline {
            timeout: Duration::ZERO,
            max_age: Duration::from_secs(2),
        },
        adapt: AdaptSettings::default(),
        turns: true,
        log_looks: true,
        serve: ServeOptions {
            allow_host: vec![AllowedHost::Any],
            allow_origin: "*".parse().ok(),
            max_clients: 1,
            ..ServeOptions::default()
        },
    }
}

thread_local! {
    static SERVER: Rc<Server> = Rc::new(Server::new());
}

impl Server {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("{error}"));
        let settings = settings(PathBuf::from("/dev/null/no-slots"));
        let app = App::new(settings, 1024).unwrap_or_else(|error| panic!("{error}"));
        Self { app, runtime }
    }

    fn ask(&self, request: &Parts) {
        let Some(response) = self.response(request) else {
            assert_eq!(request.method, Method::GET, "a stream");
            return;
        };
        let headers = response.headers();
        let has = |name, words: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            assert!(
                value.is_some_and(|value| value.contains(words)),
                "{response:?}"
            );
        };
        has(CACHE_CONTROL, "no-store");
        has(X_CONTENT_TYPE_OPTIONS, "nosniff");
        match (&request.method, response.status()) {
            // A target whose host is none, whatever the method.
            (_, StatusCode::BAD_REQUEST) => self.explains(response),
            // Another program's path, whatever the method.
            (_, StatusCode::NOT_FOUND) => self.explains(response),
            (&Method::OPTIONS, StatusCode::NO_CONTENT) => has(ALLOW, "GET"),
            (&Method::GET | &Method::HEAD, StatusCode::OK) => has(CONTENT_TYPE, "/"),
            (&Method::GET | &Method::HEAD, StatusCode::PERMANENT_REDIRECT) => {}
            (&Method::GET, StatusCode::SERVICE_UNAVAILABLE) => self.explains(response),
            (&Method::OPTIONS | &Method::GET | &Method::HEAD, _) => panic!("{response:?}"),
            (_, status) => {
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
                has(ALLOW, "GET");
                self.explains(response);
            }
        }
    }

    fn response(&self, request: &Parts) -> Option<FullResponse> {
        let responding = respond(&self.app, request, Peer::Unknown);
        match self.runtime.block_on(responding) {
            Found::Response(mut response) => {
                add_common_headers(response.headers_mut(), None);
                Some(response)
            }
            Found::Stream(_) | Found::HandOver(..) => None,
        }
    }

    fn explains(&self, response: FullResponse) {
        let Ok(body) = self.runtime.block_on(response.into_body().collect());
        let reason = serde_json::from_slice::<serde_json::Value>(&body.to_bytes());
        assert!(reason.is_ok_and(|reason| reason["error"].is_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_corpus() {
        eyelid_replay::replay("request", request);
    }
}
