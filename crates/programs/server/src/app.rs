//! What all connections of the process share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use eyelid_config::Title;
use eyelid_consumer::{Camera, Cameras};
use eyelid_slot::CameraName;
use indexmap::IndexMap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::auth::{AuthError, Users};
use crate::clients::Clients;
use crate::host::{Names, Strangers};
use crate::metrics::Metrics;
use crate::part::Part;
use crate::seats::Seats;
use crate::settings::{Configured, Service, Settings};
use crate::status::{CameraStatus, ClientStatus, Status};

/// The shared part of the server. One thread runs everything, so nothing in it needs a lock.
pub(crate) struct App {
    pub(crate) cameras: Rc<Cameras>,
    /// How people call the cameras, as far as the configuration says.
    titles: RefCell<HashMap<CameraName, Title>>,
    pub(crate) clients: Rc<Clients>,
    pub(crate) seats: Rc<Seats>,
    pub(crate) strangers: Strangers,
    pub(crate) metrics: Metrics,
    terms: RefCell<Rc<Terms>>,
    /// Becomes true when connections are to end.
    pub(crate) stopping: watch::Receiver<bool>,
    started: Instant,
}

/// On what terms clients are served: what the configuration says, and what it names, read.
pub(crate) struct Terms {
    pub(crate) service: Service,
    pub(crate) users: Option<Users>,
    pub(crate) names: Names,
}

impl Terms {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A file of passwords that cannot be used.
    pub(crate) fn read(service: Service) -> Result<Self, AuthError> {
        let users = Users::load(service.auth_file.as_deref(), service.password.as_ref())?;
        let names = Names::new(service.allow_host.clone());
        Ok(Self {
            service,
            users,
            names,
        })
    }
}

impl App {
    /// Reads what the settings name. The process may have so many `descriptors` open.
    pub(crate) fn new(
        settings: Settings,
        descriptors: usize,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, AuthError> {
        let terms = Terms::read(settings.service)?;
        let (slots, titles) = split(settings.cameras);
        let metrics = Metrics::new();
        Ok(Self {
            cameras: Rc::new(Cameras::new(settings.slots, slots, Part)),
            titles: RefCell::new(titles),
            clients: Rc::default(),
            seats: Seats::new(descriptors, metrics.dismissed.clone()),
            strangers: Strangers::new(settings.advice),
            metrics,
            terms: RefCell::new(Rc::new(terms)),
            stopping,
            started: Instant::now(),
        })
    }

    /// On what terms a client that comes now is served.
    pub(crate) fn terms(&self) -> Rc<Terms> {
        self.terms.borrow().clone()
    }

    /// Serves new clients and requests by other settings from now on.
    ///
    /// # Errors
    /// Why it cannot; all stays as it was then.
    pub(crate) fn reload(&self, settings: Settings) -> Result<(), AuthError> {
        let terms = Terms::read(settings.service)?;
        self.terms.replace(Rc::new(terms));
        let (slots, titles) = split(settings.cameras);
        self.cameras.reconfigure(slots);
        self.titles.replace(titles);
        Ok(())
    }

    /// How people call a camera, as far as the configuration says.
    pub(crate) fn title(&self, name: &CameraName) -> Option<Title> {
        self.titles.borrow().get(name).cloned()
    }

    /// What `/status` says now.
    pub(crate) fn status(&self) -> Status {
        Status::new(
            self.started.elapsed(),
            self.all_cameras()
                .map(|camera| CameraStatus::of(&camera, self.title(camera.name())))
                .collect(),
            self.clients
                .list()
                .iter()
                .map(|client| ClientStatus::of(client))
                .collect(),
        )
    }

    /// How many clients look at each camera now.
    pub(crate) fn viewers(&self) -> Vec<(CameraName, usize)> {
        self.all_cameras()
            .map(|camera| (camera.name().clone(), camera.viewers()))
            .collect()
    }

    fn all_cameras(&self) -> impl Iterator<Item = Rc<Camera>> {
        self.cameras
            .names()
            .into_iter()
            .filter_map(|name| self.cameras.camera(&name))
    }
}

/// Parts what the configuration says of cameras: where their slots are, and how people call them.
fn split(
    configured: IndexMap<CameraName, Configured>,
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
