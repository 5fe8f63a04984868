//! What the server was told, with the defaults filled in.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{Address, Config, PASSWORD_VARIABLE, ServerOptions, Title};
use eyelid_consumer::Deadline;
use eyelid_http::{Advice, Password, ServeOptions};
use eyelid_slot::CameraName;
use indexmap::IndexMap;

use crate::Arguments;
use crate::adapter::AdaptSettings;

/// Where the packages' units have these sockets (systemd/).
const DOORS: &str = "/run/eyelid";

/// Settings of the whole process.
#[derive(Clone)]
pub(crate) struct Settings {
    /// Where to listen, besides the sockets that were passed. Fixed for the life of the process.
    pub(crate) listen: Vec<Address>,
    /// The slots directory. Fixed for the life of the process.
    pub(crate) slots: PathBuf,
    /// Where other programs have the sockets at which they take connections over. Fixed for the
    /// life of the process.
    pub(crate) doors: PathBuf,
    /// Cameras that exist before their slots do, in the order in which they are shown.
    pub(crate) cameras: IndexMap<CameraName, ConfiguredCamera>,
    /// What is said to who asks for a name that is not known. Fixed for the life of the process.
    pub(crate) advice: Advice,
    /// How long clients wait for frames.
    pub(crate) deadline: Deadline,
    /// How streams are made to fit their clients' links.
    pub(crate) adapt: AdaptSettings,
    /// Clients that share a link take turns.
    pub(crate) turns: bool,
    /// The log says who looks.
    pub(crate) log_looks: bool,
    /// How clients are served.
    pub(crate) serve: ServeOptions,
}

/// What the configuration says of a camera.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfiguredCamera {
    /// Its slot, if that is not the usual one.
    pub(crate) slot: Option<PathBuf>,
    /// How people call it.
    pub(crate) title: Option<Title>,
}

impl Settings {
    /// Merges flags and file, flags first. The file's addresses are for who has no sockets
    /// `passed`: the service manager that passed them listens there already.
    pub(crate) fn new(arguments: Arguments, file: Config, passed: bool) -> anyhow::Result<Self> {
        let mut own: ServerOptions = file.section()?;
        if passed {
            own.listen.clear();
        }
        let password = password(&arguments.server, &own);
        let advice = Advice {
            program: arguments.program,
            has_file: arguments.config.is_some(),
        };
        let options = arguments.server.or(own);
        let mut cameras: IndexMap<CameraName, ConfiguredCamera> = file
            .cameras
            .into_iter()
            .chain(file.pushed_cameras)
            .map(|(name, camera)| {
                let (slot, title) = (camera.slot, camera.title);
                (name, ConfiguredCamera { slot, title })
            })
            .collect();
        for name in arguments.name {
            cameras.entry(name).or_default();
        }
        Ok(Self {
            listen: options.listen,
            slots: options.slots.context(
                "no slots directory: give --slots DIR, or slots in [server] of the configuration",
            )?,
            doors: options.doors.unwrap_or_else(|| PathBuf::from(DOORS)),
            cameras,
            advice,
            deadline: Deadline {
                timeout: options.timeout.unwrap_or(Duration::from_secs(4)),
                max_age: options.max_age.unwrap_or(Duration::from_secs(2)),
            },
            adapt: AdaptSettings {
                adapt: options.adapt.unwrap_or_default(),
                min_fps: options.min_fps,
            },
            turns: options.turns.unwrap_or(true),
            log_looks: options.log_looks.unwrap_or(true),
            serve: ServeOptions {
                idle_exit: options.idle_exit,
                max_clients: options
                    .max_clients
                    .map_or(ServeOptions::default().max_clients, |clients| {
                        clients as usize
                    }),
                allow_host: options.allow_host,
                allow_origin: options.allow_origin,
                auth_file: options.auth_file,
                password,
            },
        })
    }
}

/// The flag, else the environment, else the file.
fn password(flags: &ServerOptions, file: &ServerOptions) -> Option<Password> {
    let flag = flags.password_file.clone().map(Password::File);
    let variable = || std::env::var(PASSWORD_VARIABLE).ok();
    flag.or_else(|| variable().map(Password::Environment))
        .or_else(|| file.password_file.clone().map(Password::File))
}
