//! What `/status` says (docs/http.md and docs/status.schema.json).

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eyelid_config::Title;
use eyelid_consumer::Camera;
use eyelid_figures::{PushFigures, RtpFigures, VideoFigures, WatchFigures, without_connection};
use eyelid_looks::LookNow;
use eyelid_slot::{CameraName, Phase, Rendition, State};
use serde::{Deserialize, Serialize};

use crate::clients::Client;
use crate::figure_source::Told;
use crate::part::rendition_name;

/// The keys of `state.json` that not all producers have.
const PUSH: &str = "push";
const FULL_PICTURES: &str = "full_pictures";
const UNREACHABLE_SINCE: &str = "unreachable_since";

/// What a camera's producer says of its full pictures.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub(crate) struct FullPictures {
    /// How many were taken since it was started.
    pub(crate) taken: u64,
    /// How long they kept the camera from its stream.
    pub(crate) kept_ms: u64,
}

impl FullPictures {
    /// Those of a producer that has taken any.
    pub(crate) fn of(state: &State) -> Option<Self> {
        Self::deserialize(state.more.get(FULL_PICTURES)?).ok()
    }
}

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct Status<'a> {
    pub(crate) version: &'static str,
    pub(crate) now_ms: u128,
    pub(crate) uptime_s: u64,
    /// How many cameras there are, whether all are told of or not.
    pub(crate) camera_count: usize,
    pub(crate) cameras: Vec<CameraStatus>,
    #[serde(flatten)]
    pub(crate) who: WhoLooks,
    /// Which programs take requests over.
    pub(crate) programs: Vec<&'static str>,
    /// What `eyelid-rtp` tells, if it runs.
    pub(crate) rtp: Option<&'a RtpFigures>,
    /// What `eyelid-video` tells, if it runs.
    pub(crate) video: Option<&'a VideoFigures>,
}

/// Who looks: by streams, and at all.
#[derive(Serialize)]
pub(crate) struct WhoLooks {
    pub(crate) clients: Vec<ClientStatus>,
    pub(crate) looks: Vec<LookStatus>,
}

/// One camera.
#[derive(Serialize)]
pub(crate) struct CameraStatus {
    name: String,
    title: Option<String>,
    path: String,
    state: &'static str,
    since: Option<String>,
    source: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    jpeg: Option<String>,
    renditions: BTreeMap<&'static str, Size>,
    fps: Option<f64>,
    rate: Option<f64>,
    settling: bool,
    error: Option<String>,
    retry: Option<String>,
    /// Since when the host of a fetched camera cannot be reached.
    unreachable_since: Option<String>,
    waiting: Option<String>,
    age_ms: Option<u128>,
    clients: usize,
    /// How many looks at it have begun since the server's start.
    looks: u64,
    /// What `eyelid-receive` tells of a camera that pushes.
    push: Option<serde_json::Value>,
    full_pictures: Option<FullPictures>,
    /// What `eyelid-watch` tells of a camera that it watches.
    watch: Option<WatchFigures>,
}

/// The size of a rendition, as far as the producer says.
#[derive(Serialize)]
struct Size {
    width: Option<u32>,
    height: Option<u32>,
}

/// One streaming client.
#[derive(Serialize)]
pub(crate) struct ClientStatus {
    address: String,
    user: Option<String>,
    camera: String,
    rendition: Option<&'static str>,
    adapt: Option<&'static str>,
    reason: Option<&'static str>,
    connected_s: u64,
    fps: f64,
    bytes: u64,
    frames_sent: u64,
    frames_skipped: u64,
}

/// One look.
#[derive(Serialize)]
pub(crate) struct LookStatus {
    camera: String,
    user: Option<String>,
    address: String,
    proxy: Option<String>,
    way: &'static str,
    began_s: u64,
    clients: usize,
}

impl<'a> Status<'a> {
    pub(crate) fn new(
        uptime: Duration,
        camera_count: usize,
        cameras: Vec<CameraStatus>,
        who: WhoLooks,
        programs: Vec<&'static str>,
        rtp: Option<&'a RtpFigures>,
        video: Option<&'a VideoFigures>,
    ) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            now_ms: now.as_millis(),
            uptime_s: uptime.as_secs(),
            camera_count,
            cameras,
            who,
            programs,
            rtp,
            video,
        }
    }
}

impl CameraStatus {
    /// Looks at a camera without waking it.
    pub(crate) fn of(
        camera: &Camera,
        title: Option<Title>,
        looks: u64,
        told_of_push: &Told<PushFigures>,
        watch: Option<&Rc<WatchFigures>>,
    ) -> Self {
        let state = camera.state();
        let name = camera.name().to_string();
        Self {
            path: if camera.name().is_default() {
                String::new()
            } else {
                format!("{name}/")
            },
            name,
            title: title.map(|title| title.to_string()),
            state: match state.as_ref().map(|state| state.state) {
                Some(Phase::Asleep) => "asleep",
                Some(Phase::Awake) => "awake",
                Some(Phase::Failed) => "failed",
                None => "unknown",
            },
            since: state.as_ref().map(|state| rfc3339(state.since)),
            source: state.as_ref().and_then(|state| state.source.clone()),
            width: state.as_ref().and_then(|state| state.width),
            height: state.as_ref().and_then(|state| state.height),
            jpeg: state.as_ref().and_then(|state| state.jpeg.clone()),
            renditions: state.as_ref().map(renditions).unwrap_or_default(),
            fps: state.as_ref().and_then(|state| state.fps),
            rate: camera.rate().map(one_decimal),
            settling: state.as_ref().is_some_and(|state| state.settling),
            retry: state.as_ref().and_then(|state| state.retry).map(rfc3339),
            unreachable_since: state.as_ref().and_then(unreachable_since),
            waiting: state.as_ref().and_then(|state| state.waiting.clone()),
            push: state
                .as_ref()
                .and_then(|state| push(camera.name(), state, told_of_push)),
            full_pictures: state.as_ref().and_then(FullPictures::of),
            error: state.and_then(|state| state.error),
            age_ms: camera.age().map(|age| age.as_millis()),
            clients: camera.viewers(),
            looks,
            watch: watch.map(|figures| WatchFigures::clone(figures)),
        }
    }
}

impl ClientStatus {
    pub(crate) fn of(client: &Client) -> Self {
        let adapted = client.adapted.get();
        Self {
            address: client.address.clone(),
            user: client.user.clone(),
            camera: client.camera.to_string(),
            rendition: client.shown.get().map(rendition_name),
            adapt: adapted.map(|adapted| adapted.adapt),
            reason: adapted.map(|adapted| adapted.reason),
            connected_s: client.since.elapsed().as_secs(),
            fps: one_decimal(client.rate.get().per_second(Instant::now())),
            bytes: client.bytes.get(),
            frames_sent: client.sent.get(),
            frames_skipped: client.skipped.get(),
        }
    }
}

impl From<LookNow> for LookStatus {
    fn from(look: LookNow) -> Self {
        Self {
            camera: look.looker.camera.to_string(),
            user: look.looker.user,
            address: look.looker.address,
            proxy: look.looker.proxy,
            way: look.way.name(),
            began_s: look.began_ago.as_secs(),
            clients: look.clients,
        }
    }
}

/// What is so of a camera that pushes: its producer says it in its state, as it was when that was
/// written, and tells who asks.
fn push(name: &CameraName, state: &State, told: &Told<PushFigures>) -> Option<serde_json::Value> {
    let written = state.more.get(PUSH).filter(|it| it.is_object())?;
    match told {
        Told::Figures(figures) => figures.get(name).or(Some(written)).cloned(),
        Told::Killed => Some(without_connection(written.clone())),
        Told::Nothing => Some(written.clone()),
    }
}

/// What `eyelid-relay` says of a camera whose host cannot be reached.
fn unreachable_since(state: &State) -> Option<String> {
    let written = state.more.get(UNREACHABLE_SINCE)?.as_str()?;
    let moment = humantime::parse_rfc3339(written).ok()?;
    Some(rfc3339(moment))
}

/// Those that clients may ask for: planes are no picture for browsers.
fn renditions(state: &State) -> BTreeMap<&'static str, Size> {
    let pictures = Rendition::ALL
        .into_iter()
        .filter(|rendition| *rendition != Rendition::Y4m);
    let offered = pictures.filter_map(|rendition| {
        let size = state.rendition(rendition)?;
        let (width, height) = (size.width, size.height);
        Some((rendition.name(), Size { width, height }))
    });
    offered.collect()
}

fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment).to_string()
}

fn one_decimal(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::HashMap;

    fn shown(state: &str, told: &Told<PushFigures>) -> Option<Value> {
        let state = State::parse(state.as_bytes()).unwrap();
        push(&"door".parse().unwrap(), &state, told)
    }

    #[test]
    fn since_when_a_host_is_unreachable_is_a_moment_or_nothing() {
        let since = |value: Value| {
            let state = json!({
                "version": 1, "state": "failed", "since": "2026-11-30T06:00:00.000Z",
                "unreachable_since": value,
            });
            unreachable_since(&State::parse(state.to_string().as_bytes()).unwrap())
        };
        let moment = "2026-11-30T05:59:00.000Z";
        assert_eq!(since(json!(moment)).as_deref(), Some(moment));
        for none in [json!(null), json!("a while"), json!(7)] {
            assert_eq!(since(none), None);
        }
    }

    #[test]
    fn of_a_camera_that_pushes_what_is_told_wins_over_what_was_written() {
        let written = json!({
            "connected": true, "sleeps": true, "address": "192.0.2.1:1", "fps": 20.0, "frames": 7,
        });
        let state = json!({
            "version": 1, "state": "asleep", "since": "2026-11-29T06:00:00.000Z", "push": written,
        });
        let state = state.to_string();
        let figures = |name: &str| {
            let now = json!({"connected": false});
            Told::Figures(Rc::new(HashMap::from([(name.parse().unwrap(), now)])))
        };
        let now = Some(json!({"connected": false}));
        assert_eq!(shown(&state, &figures("door")), now);
        assert_eq!(shown(&state, &figures("attic")), Some(written.clone()));
        assert_eq!(shown(&state, &Told::Nothing), Some(written));
        let left = json!({"connected": false, "sleeps": false, "fps": null, "frames": 7});
        assert_eq!(shown(&state, &Told::Killed), Some(left));
        // Of another producer's camera it says nothing.
        let other = state.replace("push", "pull");
        assert_eq!(shown(&other, &figures("door")), None);
    }
}
