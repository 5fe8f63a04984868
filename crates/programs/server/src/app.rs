//! What all connections of the process share.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use eyelid_config::{Title, is_taken};
use eyelid_consumer::{Camera, Cameras, Deadline};
use eyelid_daemon::LogLimit;
use eyelid_figures::{
    PushFigures, RtpFigures, VideoFigures, push_socket, rtp_socket, video_socket,
};
use eyelid_http::hand_over::{ClosedError, Recipients};
use eyelid_http::{AuthError, Door, LiveConfig};
use eyelid_looks::Looks;
use eyelid_slot::CameraName;
use indexmap::IndexMap;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::adapter::{AdaptSettings, InEffect};
use crate::clients::Clients;
use crate::figure_source::{FigureSource, Told};
use crate::metrics::Metrics;
use crate::part::Part;
use crate::route::Program;
use crate::settings::{ConfiguredCamera, Settings};
use crate::shared_answer::SharedAnswer;
use crate::status::{CameraStatus, ClientStatus, FullPictures, LookStatus, Status, WhoLooks};
use crate::turn::TurnTakers;
use crate::watchers::{WatchedCameras, Watchers};

/// How far apart lines are about programs that take no connection: strangers cause them.
const CLOSED_LOGGED: Duration = Duration::from_secs(10);

/// So many cameras are looked at before others have their turn: that takes half a millisecond.
const AT_ONCE: usize = 32;

/// The shared part of the server. One thread runs everything, so nothing in it needs a lock.
pub(crate) struct App {
    pub(crate) door: Rc<Door>,
    pub(crate) cameras: Rc<Cameras>,
    /// The programs that answer what this one does not.
    pub(crate) recipients: Recipients,
    /// Of them `eyelid-rtp`, which takes no connections over, and tells what it sends.
    pub(crate) rtp: FigureSource<RtpFigures>,
    /// `eyelid-video`, which tells that as well.
    pub(crate) video: FigureSource<VideoFigures>,
    /// And `eyelid-receive`, which tells of cameras that push.
    pub(crate) push: FigureSource<PushFigures>,
    /// Each `eyelid-watch`, which tells of its camera.
    pub(crate) watchers: Watchers,
    /// One of them takes nothing.
    closed: LogLimit,
    /// How people call the cameras, as far as the configuration says.
    titles: RefCell<HashMap<CameraName, Title>>,
    pub(crate) clients: Rc<Clients>,
    /// Who looks at what, however many clients that takes.
    pub(crate) looks: Rc<Looks>,
    /// Those that do not keep up.
    pub(crate) turn_takers: Rc<TurnTakers>,
    pub(crate) metrics: Metrics,
    /// What is told of all cameras.
    pub(crate) whole_status: SharedAnswer,
    pub(crate) whole_metrics: SharedAnswer,
    deadline: Cell<Deadline>,
    adapt: Cell<AdaptSettings>,
    takes_turns: Cell<bool>,
    started: Instant,
}

impl App {
    /// Reads what the settings name. The process may have so many `descriptors` open.
    pub(crate) fn new(settings: Settings, descriptors: usize) -> Result<Self, AuthError> {
        let door = Door::new(settings.serve, settings.advice, descriptors)?;
        let (slots, titles) = split(settings.cameras);
        Ok(Self {
            door: Rc::new(door),
            rtp: FigureSource::new("eyelid-rtp", rtp_socket(&settings.doors)),
            push: FigureSource::new("eyelid-receive", push_socket(&settings.slots)),
            cameras: Rc::new(Cameras::new(settings.slots, slots, Part)),
            video: FigureSource::new("eyelid-video", video_socket(&settings.doors)),
            watchers: Watchers::new(settings.doors.clone()),
            recipients: Recipients::new(settings.doors),
            closed: LogLimit::new(1, CLOSED_LOGGED),
            titles: RefCell::new(titles),
            clients: Rc::default(),
            looks: Looks::new(settings.log_looks),
            turn_takers: Rc::default(),
            metrics: Metrics::new(),
            whole_status: SharedAnswer::default(),
            whole_metrics: SharedAnswer::default(),
            deadline: Cell::new(settings.deadline),
            adapt: Cell::new(settings.adapt),
            takes_turns: Cell::new(settings.turns),
            started: Instant::now(),
        })
    }

    /// How long a client that comes now waits for frames.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline.get()
    }

    /// How the streams of clients that come now are made to fit their links.
    pub(crate) fn adapt(&self) -> AdaptSettings {
        self.adapt.get()
    }

    /// Says whether clients that come now take turns where they share a link.
    pub(crate) fn takes_turns(&self) -> bool {
        self.takes_turns.get()
    }

    /// Serves new clients and requests by other settings from now on.
    ///
    /// # Errors
    /// Why it cannot; all stays as it was then.
    pub(crate) fn reload(&self, settings: Settings) -> Result<(), AuthError> {
        self.door.reload(LiveConfig::read(settings.serve)?);
        self.deadline.set(settings.deadline);
        self.adapt.set(settings.adapt);
        self.takes_turns.set(settings.turns);
        self.looks.set_logged(settings.log_looks);
        let (slots, titles) = split(settings.cameras);
        self.cameras.reconfigure(slots);
        self.titles.replace(titles);
        Ok(())
    }

    /// How people call a camera, as far as the configuration says.
    pub(crate) fn title(&self, name: &CameraName) -> Option<Title> {
        self.titles.borrow().get(name).cloned()
    }

    /// Tells the log that a program takes no connection.
    pub(crate) fn log_closed(&self, error: &ClosedError) {
        if let Some(suppressed) = self.closed.allow(Instant::now().into_std()) {
            log::warn!("{error}{suppressed}");
        }
    }

    /// Which programs take requests over here, by name.
    pub(crate) fn programs(&self) -> Vec<&'static str> {
        let names = Program::ALL.into_iter().map(Program::name);
        names.filter(|name| self.recipients.has(name)).collect()
    }

    /// What `/status` says now, with what others tell: of all cameras, or only of these.
    pub(crate) async fn status<'a>(
        &self,
        only: Option<&BTreeSet<CameraName>>,
        rtp: Option<&'a RtpFigures>,
        video: Option<&'a VideoFigures>,
        push: &Told<PushFigures>,
        watch: &WatchedCameras,
    ) -> Status<'a> {
        let is_told = |name: &CameraName| only.is_none_or(|only| only.contains(name));
        let mut names = self.names();
        let camera_count = names.len();
        names.retain(is_told);
        let counts = self.looks.counts();
        let of = |camera: &Camera| {
            let name = camera.name();
            let looks = counts.get(name).copied().unwrap_or_default();
            CameraStatus::of(camera, self.title(name), looks, push, watch.get(name))
        };
        let cameras = self.of_each(names, of).await;
        let clients = self.clients.list();
        let clients = clients.iter().filter(|client| is_told(&client.camera));
        let looks = self.looks.now().into_iter();
        let looks = looks.filter(|look| is_told(&look.looker.camera));
        Status::new(
            self.started.elapsed(),
            camera_count,
            cameras,
            WhoLooks {
                clients: clients.map(|client| ClientStatus::of(client)).collect(),
                looks: looks.map(LookStatus::from).collect(),
            },
            self.programs(),
            rtp,
            video,
        )
    }

    /// How many clients look at each camera now.
    pub(crate) async fn viewers(&self) -> Vec<(CameraName, usize)> {
        let of = |camera: &Camera| (camera.name().clone(), camera.viewers());
        self.of_each(self.names(), of).await
    }

    /// What the full pictures of each camera that has taken any came to.
    pub(crate) async fn full_pictures(&self) -> Vec<(CameraName, FullPictures)> {
        let of =
            |camera: &Camera| Some((camera.name().clone(), FullPictures::of(&camera.state()?)?));
        let told = self.of_each(self.names(), of).await;
        told.into_iter().flatten().collect()
    }

    /// What is in effect for each client whose stream is adapted.
    pub(crate) fn adapted(&self) -> Vec<(CameraName, InEffect)> {
        let clients = self.clients.list();
        let adapted = clients
            .iter()
            .filter_map(|client| Some((client.camera.clone(), client.adapted.get()?)));
        adapted.collect()
    }

    /// Gives the names of all cameras that can be asked for. A directory among the slots may have
    /// any.
    pub(crate) fn names(&self) -> Vec<CameraName> {
        let mut names = self.cameras.names();
        names.retain(|name| !is_taken(name));
        names
    }

    /// Looks at each of these cameras, a few at a time: streams go on meanwhile, however many there
    /// are.
    async fn of_each<T>(&self, names: Vec<CameraName>, mut of: impl FnMut(&Camera) -> T) -> Vec<T> {
        let mut told = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let cameras = some.iter().filter_map(|name| self.cameras.glance(name));
            told.extend(cameras.map(|camera| of(&camera)));
            if some.len() == AT_ONCE {
                yield_now().await;
            }
        }
        told
    }
}

/// Parts what the configuration says of cameras: where their slots are, and how people call them.
fn split(
    configured: IndexMap<CameraName, ConfiguredCamera>,
) -> (eyelid_consumer::Configured, HashMap<CameraName, Title>) {
    let mut titles = HashMap::new();
    let slots = configured.into_iter().map(|(name, camera)| {
        if let Some(title) = camera.title {
            titles.insert(name.clone(), title);
        }
        (name, camera.slot)
    });
    (slots.collect(), titles)
}
