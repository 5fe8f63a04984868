//! What all connections of the process share.

use std::rc::Rc;

use eyelid_slot::CameraName;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::auth::{AuthError, Users};
use crate::camera::Camera;
use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::status::{CameraStatus, ClientStatus, Status};

/// The shared part of the server. One thread runs everything, so nothing in it needs a lock.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) slots: Rc<Slots>,
    pub(crate) clients: Rc<Clients>,
    pub(crate) metrics: Rc<Metrics>,
    pub(crate) users: Option<Users>,
    /// Becomes true when connections are to end.
    pub(crate) stopping: watch::Receiver<bool>,
    started: Instant,
}

impl App {
    /// Reads what the settings name.
    pub(crate) fn new(
        settings: Settings,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, AuthError> {
        let users = settings.auth_file.as_deref().map(Users::load).transpose()?;
        let slots = Slots::new(settings.slots.clone(), settings.cameras.clone());
        Ok(Self {
            settings,
            slots: Rc::new(slots),
            clients: Rc::default(),
            metrics: Rc::new(Metrics::new()),
            users,
            stopping,
            started: Instant::now(),
        })
    }

    /// What `/status` says now.
    pub(crate) fn status(&self) -> Status {
        Status::new(
            self.started.elapsed(),
            self.cameras()
                .map(|camera| CameraStatus::of(&camera))
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
        self.cameras()
            .map(|camera| (camera.name.clone(), camera.viewers()))
            .collect()
    }

    fn cameras(&self) -> impl Iterator<Item = Rc<Camera>> {
        self.slots
            .names()
            .into_iter()
            .filter_map(|name| self.slots.camera(&name))
    }
}
