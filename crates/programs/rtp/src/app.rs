//! What all connections and destinations of the process share.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use eyelid_config::Dscp;
use eyelid_consumer::Cameras;
use eyelid_http::{Admission, Permit, Protocol, Socket};
use tokio::sync::{Notify, watch};

use crate::connection;
use crate::frames::Shared;
use crate::pushes::Pushes;
use crate::refusals::Refusals;
use crate::rtsp::auth::Users;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::shares::Shares;
use crate::video::Taps;

/// The shared part of the program. One thread runs everything, so nothing in it needs a lock.
pub(crate) struct App {
    pub(crate) cameras: Rc<Cameras>,
    /// When the program began.
    pub(crate) started: SystemTime,
    /// Where cameras are sent to, whoever asks.
    pub(crate) pushes: Pushes,
    /// Who is sent to because it asked.
    pub(crate) sessions: Rc<Sessions>,
    admission: Rc<Admission>,
    /// As they were last read. What takes a restart to change is not asked for here.
    settings: RefCell<Settings>,
    /// What each address has of the room.
    pub(crate) shares: Rc<Shares>,
    /// Lines about clients that are refused.
    pub(crate) refusals: Refusals,
    /// What all streams have in common.
    pub(crate) streams: Rc<Shared>,
    /// Where cameras are to be had as H.264.
    pub(crate) taps: Rc<Taps>,
    /// Other settings hold.
    reloaded: Notify,
    /// Becomes true when connections are to end.
    stopping: watch::Sender<bool>,
}

impl App {
    /// Has the settings. The process may have so many `descriptors` open.
    pub(crate) fn new(settings: &Settings, descriptors: usize) -> Self {
        let cameras = Cameras::new(settings.slots.clone(), settings.cameras.clone(), ());
        Self {
            cameras: Rc::new(cameras),
            started: SystemTime::now(),
            pushes: Pushes::default(),
            sessions: Rc::default(),
            admission: Admission::new(descriptors),
            settings: RefCell::new(settings.clone()),
            shares: Rc::default(),
            refusals: Refusals::default(),
            streams: Rc::default(),
            taps: Rc::new(Taps::new(settings.taps.clone())),
            reloaded: Notify::new(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Serves those that come now by other settings. Who may look no more is no longer served.
    pub(crate) fn reload(self: &Rc<Self>, settings: &Settings) {
        self.cameras.reconfigure(settings.cameras.clone());
        self.settings.replace(settings.clone());
        self.pushes.set(self, &settings.destinations);
        self.reloaded.notify_waiters();
    }

    /// Waits for users, those there are or those of a reload, of whom this `is_so`; `None` is that
    /// everybody may look.
    pub(crate) async fn until_users(&self, is_so: impl Fn(Option<&Users>) -> bool) {
        loop {
            let reloaded = self.reloaded.notified();
            if is_so(self.users().as_deref()) {
                return;
            }
            reloaded.await;
        }
    }

    /// When the program began, in seconds since 1970: tells its descriptions from those of others
    /// (RFC 8866, section 5.2).
    pub(crate) fn started_s(&self) -> u64 {
        let since_1970 = self.started.duration_since(SystemTime::UNIX_EPOCH);
        since_1970.unwrap_or_default().as_secs()
    }

    /// Who may look.
    pub(crate) fn users(&self) -> Option<Rc<Users>> {
        self.settings.borrow().users.clone()
    }

    /// How many sessions are served at once.
    pub(crate) fn max_sessions(&self) -> usize {
        self.settings.borrow().max_sessions
    }

    /// After how long without a word a client that comes now is told that its session ends.
    pub(crate) fn session_timeout(&self) -> Duration {
        self.settings.borrow().session_timeout
    }

    /// How packets to a client are marked that comes now.
    pub(crate) fn dscp(&self) -> Dscp {
        self.settings.borrow().rtsp_dscp
    }

    /// How often the log says what was sent to each destination.
    pub(crate) fn stats_interval(&self) -> Duration {
        self.settings.borrow().stats_interval
    }

    /// Ends all connections.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until connections are to end.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as this does.
        let _ = self
            .stopping
            .subscribe()
            .wait_for(|stopping| *stopping)
            .await;
    }
}

impl Protocol for App {
    fn serve(self: Rc<Self>, socket: Socket, permit: Permit) -> impl Future<Output = ()> + 'static {
        connection::serve(self, socket, permit)
    }

    fn admission(&self) -> &Rc<Admission> {
        &self.admission
    }

    fn idle_exit(&self) -> Option<Duration> {
        self.settings.borrow().idle_exit
    }

    fn is_busy(&self) -> bool {
        !self.settings.borrow().destinations.is_empty()
    }
}
