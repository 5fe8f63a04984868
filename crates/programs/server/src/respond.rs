//! From a request to its response. Streams are the exception: they take the connection over
//! ([`StreamRequest`]).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use eyelid_config::Adapt;
use eyelid_consumer::{Camera, Freshness, Wanted};
use eyelid_http::hand_over::{ConnectError, Known, Recipient};
use eyelid_http::response::{FullResponse, problem, typed, unavailable};
use eyelid_http::{Checked, ClientAddress, Methods, Peer, client_address};
use eyelid_looks::Looker;
use eyelid_slot::CameraName;
use hyper::header::{HeaderValue, LAST_MODIFIED, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};

use crate::app::App;
use crate::metrics::{self, CountedNow, SnapshotOutcome};
use crate::part::{self, HeaderTiming, PartHeaders, RenditionHeader};
use crate::problem;
use crate::route::{Asset, Program, Route, Which};
use crate::stream_head;
use crate::viewer::{self, Card, Page};

/// How many cameras a response names that is not the list of them.
const LISTED: usize = 16;

/// A request for a stream that is to be granted.
pub(crate) struct StreamRequest {
    /// The camera to show.
    pub(crate) camera: Rc<Camera>,
    /// Who looks at it.
    pub(crate) looker: Looker,
    /// At most so many frames a second.
    pub(crate) fps: Option<f64>,
    /// What size its frames are to have.
    pub(crate) wanted: Wanted,
    /// How it is made to fit the client's link.
    pub(crate) adapt: Adapt,
    /// Which headers of parts the client gets.
    pub(crate) headers: PartHeaders,
}

/// What a request comes to.
pub(crate) enum Found {
    /// A response.
    Response(FullResponse),
    /// A stream.
    Stream(StreamRequest),
    /// Another program, which takes the connection over with what is known of it.
    HandOver(Recipient, Known),
}

/// Responds to a request. `HEAD` gets the header of `GET` and wakes no camera; nothing else changes
/// anything either.
pub(crate) async fn respond(app: &App, request: &Parts, peer: Peer) -> Found {
    let route = Route::parse(request.uri.path(), request.uri.query());
    let methods = match route {
        Route::Other(program, _) => program.methods(),
        _ => Methods::ReadOnly,
    };
    let found = match app.door.check(request, peer, methods).await {
        Checked::Rejected(response) => Found::Response(response),
        Checked::Admitted(user) => match route {
            Route::Other(program, which) => other(app, program, which.as_ref(), peer, user),
            route => own(app, request, route, peer, user).await,
        },
    };
    let Found::Response(mut response) = found else {
        return found;
    };
    problem::as_page_for_people(request, &mut response);
    Found::Response(response)
}

/// What this server answers itself.
async fn own(app: &App, request: &Parts, route: Route, peer: Peer, user: Option<String>) -> Found {
    let head_only = request.method == Method::HEAD;
    let looker = |camera: &Camera| looker(camera, request, peer, user);
    Found::Response(match route {
        Route::Stream(which, parameters) => match camera(app, &which) {
            None => no_camera(app, &which, "stream"),
            Some(_) if head_only => stream_head::response(),
            Some(camera) => {
                let by_client = || HeaderTiming::of_client(&request.headers);
                // Who asks for a size gets that.
                let configured = match parameters.size {
                    Some(_) => Adapt::Off,
                    None => app.adapt().adapt,
                };
                let adapt = parameters.adapt.unwrap_or(configured);
                return Found::Stream(StreamRequest {
                    looker: looker(&camera),
                    camera,
                    fps: parameters.fps,
                    wanted: parameters.size.unwrap_or_default(),
                    adapt,
                    headers: PartHeaders {
                        timing: parameters.header.unwrap_or_else(by_client),
                        rendition: match (parameters.size, adapt) {
                            (None, Adapt::Off) => RenditionHeader::LeftOut,
                            _ => RenditionHeader::Sent,
                        },
                    },
                });
            }
        },
        Route::Snapshot(which, size) => match camera(app, &which) {
            None => no_camera(app, &which, "snapshot"),
            Some(_) if head_only => typed(Bytes::new(), "image/jpeg"),
            Some(camera) => {
                let looker = looker(&camera);
                snapshot(app, camera, size, &looker).await
            }
        },
        Route::Viewer(None) => {
            let names = app.names().into_iter();
            page(app, &Page::All(names.map(|name| card(app, name)).collect()))
        }
        Route::Viewer(Some(name)) => match app.cameras.camera(&name) {
            None => no_camera(app, &Which::Name(name), ""),
            Some(_) => page(app, &Page::One(card(app, name))),
        },
        Route::AddSlash(name) => match app.cameras.camera(&name) {
            None => no_camera(app, &Which::Name(name), ""),
            Some(_) => add_slash(&name),
        },
        Route::Status(only) => status(app, only.as_ref()).await,
        Route::Metrics => metrics(app).await,
        Route::Asset(part) => asset(part),
        Route::NotFound | Route::Other(..) => problem(
            StatusCode::NOT_FOUND,
            "nothing here; see / for what there is",
        ),
        Route::BadQuery(what) => problem(StatusCode::BAD_REQUEST, what),
    })
}

/// Has another program take the connection over, if there is such a camera and such a program.
fn other(
    app: &App,
    program: Program,
    which: Option<&Which>,
    peer: Peer,
    user: Option<String>,
) -> Found {
    let camera = match which.map(|which| camera(app, which).ok_or(which)) {
        None => None,
        Some(Ok(camera)) => Some(camera.name().clone()),
        Some(Err(which)) => return Found::Response(no_camera(app, which, "")),
    };
    let name = program.name();
    Found::Response(match app.recipients.connect(name) {
        Ok(recipient) => {
            let known = Known {
                peer,
                camera,
                user,
                allow_origin: app.door.live().options.allow_origin.clone(),
            };
            return Found::HandOver(recipient, known);
        }
        Err(ConnectError::Missing) => problem(
            StatusCode::NOT_FOUND,
            &format!(
                "eyelid-{name} answers this, and does not run here: package eyelid-{name} has it"
            ),
        ),
        Err(ConnectError::Closed(error)) => {
            app.log_closed(&error);
            unavailable(&format!(
                "eyelid-{name} takes no connection now; try again later"
            ))
        }
    })
}

fn card(app: &App, name: CameraName) -> Card {
    let title = app.title(&name);
    Card { name, title }
}

fn camera(app: &App, which: &Which) -> Option<Rc<Camera>> {
    match which {
        Which::Name(name) => app.cameras.camera(name),
        Which::Number(number) => app.cameras.camera(app.names().get(*number)?),
    }
}

/// Who asks to look at a camera, as far as that is known.
fn looker(camera: &Camera, request: &Parts, peer: Peer, user: Option<String>) -> Looker {
    let ClientAddress { address, proxy } = client_address(&request.headers, peer);
    Looker {
        camera: camera.name().clone(),
        user,
        address,
        proxy,
    }
}

/// One frame captured after the request arrived, of this size if one was asked for.
async fn snapshot(
    app: &App,
    camera: Rc<Camera>,
    size: Option<Wanted>,
    looker: &Looker,
) -> FullResponse {
    let arrived = SystemTime::now();
    let name = camera.name().clone();
    let view = app.cameras.view(camera, None);
    view.want(size.unwrap_or_default());
    let frame = view
        .frame(Freshness::CapturedSince(arrived), app.deadline())
        .await;
    let frame = match frame {
        Ok(frame) => frame,
        Err(reason) => {
            app.metrics.snapshot(&name, SnapshotOutcome::NoFrame);
            return unavailable(&reason.to_string());
        }
    };
    app.metrics.snapshot(&name, SnapshotOutcome::Frame);
    app.looks.snapshot(looker, frame.jpeg.len() as u64);
    let mut response = typed(frame.jpeg.clone(), "image/jpeg");
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(frame.captured)) {
        headers.insert(LAST_MODIFIED, date);
    }
    if let Ok(timestamp) = HeaderValue::from_str(&part::timestamp(frame.captured)) {
        headers.insert(stream_head::TIMESTAMP, timestamp);
    }
    if size.is_some() {
        app.metrics.snapshot_rendition(&name, frame.rendition);
        let rendition = part::rendition_name(frame.rendition);
        headers.insert(stream_head::RENDITION, HeaderValue::from_static(rendition));
    }
    response
}

fn page(app: &App, page: &Page) -> FullResponse {
    let mut response = FullResponse::default();
    viewer::put(page.html(&app.programs()), &mut response);
    response
}

fn asset(part: Asset) -> FullResponse {
    let (text, content_type) = match part {
        Asset::Style => (viewer::STYLE, "text/css; charset=utf-8"),
        Asset::Script => (viewer::SCRIPT, "text/javascript; charset=utf-8"),
        Asset::Video => (viewer::VIDEO, "text/javascript; charset=utf-8"),
        Asset::Icon => (viewer::ICON, "image/svg+xml"),
    };
    typed(Bytes::from_static(text.as_bytes()), content_type)
}

/// The state of all cameras, or of these alone.
async fn status(app: &App, only: Option<&BTreeSet<CameraName>>) -> FullResponse {
    let (rtp, video, push, watch) = tokio::join!(
        app.rtp.figures(),
        app.video.figures(),
        app.push.told(),
        app.watchers.figures()
    );
    let told = async {
        let told = app.status(only, rtp.as_deref(), video.as_deref(), &push, &watch);
        serde_json::to_vec(&told.await).map(Bytes::from)
    };
    let json = match only {
        None => app.whole_status.get(told).await,
        Some(_) => told.await,
    };
    match json {
        Ok(json) => typed(json, "application/json"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn metrics(app: &App) -> FullResponse {
    let (rtp, video, watched) = tokio::join!(
        app.rtp.figures(),
        app.video.figures(),
        app.watchers.figures()
    );
    let encoded = app.whole_metrics.get(async {
        let now = CountedNow {
            door: app.door.counts(),
            clients: app.viewers().await,
            adapted: app.adapted(),
            full_pictures: app.full_pictures().await,
            looks: app.looks.counts(),
            rtp,
            video,
            watched,
        };
        app.metrics.encode(&now).map(Bytes::from)
    });
    match encoded.await {
        Ok(text) => typed(text, metrics::CONTENT_TYPE),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Relative links on a camera's page need the slash at its end; relative itself, for proxies that
/// add a prefix.
fn add_slash(name: &CameraName) -> FullResponse {
    let mut response = FullResponse::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("{name}/")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Answers a request for a camera that does not exist with the cameras that do, and with the URL of
/// the same thing for each of them.
fn no_camera(app: &App, which: &Which, action: &str) -> FullResponse {
    let asked = match which {
        Which::Name(name) => format!("there is no camera {:?}", name.as_str()),
        Which::Number(number) => format!("there is no camera number {number}"),
    };
    let names = app.names();
    let others: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| match name.is_default() {
            true => format!("{:?} (/{action})", name.as_str()),
            false => format!("{:?} (/{name}/{action})", name.as_str()),
        })
        .collect();
    let more = if names.len() > LISTED {
        ", and more: see /status"
    } else {
        ""
    };
    let what = format!("{asked}; there is {}{more}", others.join(", "));
    problem(StatusCode::NOT_FOUND, &what)
}

#[cfg(test)]
mod tests;
