//! What all connections of a program share: who may come in, how many, and by which configuration.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_config::{AllowedHost, Origin};
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::sync::watch;

use crate::admission::Admission;
use crate::auth::{AuthError, Password, Users};
use crate::host::{self, Advice, KnownHosts, UnknownHosts};
use crate::origin;
use crate::response::{FullResponse, close, preflight, problem, rejection, unavailable};
use crate::socket::Peer;

/// How many clients are served where nothing is said. docs/configuration.md promises it.
const MAX_CLIENTS: usize = 1000;

/// What may be asked of a program that changes nothing, and with which headers.
const READ_ONLY: &str = "GET, HEAD, OPTIONS";
const PREFLIGHT_HEADERS: &str = "Authorization, Content-Type";

/// How clients are served. Those that have begun a stream keep what held then, but for who may
/// look.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// When to end for want of connections.
    pub idle_exit: Option<Duration>,
    /// How many clients are served at once.
    pub max_clients: usize,
    /// Under which names the program may be asked, besides those that nobody can register.
    pub allow_host: Vec<AllowedHost>,
    /// Whose pages may read the responses.
    pub allow_origin: Option<Origin>,
    /// Who may look.
    pub auth_file: Option<PathBuf>,
    /// Who may look, too.
    pub password: Option<Password>,
}

impl Default for ServeOptions {
    /// Everybody may come, as many as are served at once where nothing is said.
    fn default() -> Self {
        Self {
            idle_exit: None,
            max_clients: MAX_CLIENTS,
            allow_host: Vec::new(),
            allow_origin: None,
            auth_file: None,
            password: None,
        }
    }
}

/// What the configuration says, with the files that it names read.
pub struct LiveConfig {
    /// What it says.
    pub options: ServeOptions,
    users: Option<Users>,
    known_hosts: KnownHosts,
}

impl LiveConfig {
    /// Reads what the options name.
    ///
    /// # Errors
    /// A file of passwords that cannot be used.
    pub fn read(options: ServeOptions) -> Result<Self, AuthError> {
        let users = Users::load(options.auth_file.as_deref(), options.password.as_ref())?;
        let known_hosts = KnownHosts::new(options.allow_host.clone());
        Ok(Self {
            options,
            users,
            known_hosts,
        })
    }
}

/// What all connections share.
pub struct Door {
    pub(crate) admission: Rc<Admission>,
    unknown_hosts: UnknownHosts,
    live: RefCell<Rc<LiveConfig>>,
    /// There is another of these.
    reloads: watch::Sender<()>,
    accepted: Cell<u64>,
    turned_away: Cell<u64>,
    /// Becomes true when connections are to end.
    stopping: watch::Sender<bool>,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub accepted: u64,
    /// Requests turned away because there were too many clients.
    pub turned_away: u64,
    /// Connections closed for others because no request had come.
    pub shed: u64,
}

/// Which methods a request may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Those that change nothing: GET, HEAD, and OPTIONS, which is answered by [`Door::check`].
    ReadOnly,
    /// All, also those that change something: of pages, only this server's own and those of
    /// `allow-origin` may send one. OPTIONS needs no password: browsers send none with it (Fetch
    /// standard, CORS-preflight fetch).
    All,
    /// All, from whomever: the program that takes the request over decides that by itself. Cameras
    /// that push have tokens of their own, and no user's password.
    Program,
}

/// What [`Door::check`] says of a request.
#[derive(Debug)]
pub enum Checked {
    /// It may be answered; it is this user's, where users are asked for.
    Admitted(Option<String>),
    /// This is its response, whatever it is for.
    Rejected(FullResponse),
}

impl Door {
    /// Reads what the options name. The process may have so many `descriptors` open.
    ///
    /// # Errors
    /// A file of passwords that cannot be used.
    pub fn new(
        options: ServeOptions,
        advice: Advice,
        descriptors: usize,
    ) -> Result<Self, AuthError> {
        let live = LiveConfig::read(options)?;
        Ok(Self {
            admission: Admission::new(descriptors),
            unknown_hosts: UnknownHosts::new(advice),
            live: RefCell::new(Rc::new(live)),
            reloads: watch::Sender::new(()),
            accepted: Cell::default(),
            turned_away: Cell::default(),
            stopping: watch::Sender::new(false),
        })
    }

    /// The configuration for a client that comes now.
    pub fn live(&self) -> Rc<LiveConfig> {
        self.live.borrow().clone()
    }

    /// Serves new clients and requests by another configuration from now on.
    pub fn reload(&self, live: LiveConfig) {
        self.live.replace(Rc::new(live));
        self.reloads.send_replace(());
    }

    /// Waits until there is a configuration by which a client would not be let in that came with
    /// this `Authorization`.
    pub async fn until_locked_out(&self, authorization: Option<&HeaderValue>, peer: Peer) {
        let mut reloads = self.reloads.subscribe();
        // Apart, so that who waits needs no room for it.
        while Box::pin(self.lets_in(authorization, peer)).await {
            // The sender lives as long as this does.
            let _ = reloads.changed().await;
        }
    }

    async fn lets_in(&self, authorization: Option<&HeaderValue>, peer: Peer) -> bool {
        match &self.live().users {
            Some(users) => {
                let authorization = authorization.map(HeaderValue::as_bytes);
                users.admit(authorization, peer).await.is_some()
            }
            None => true,
        }
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        Counts {
            accepted: self.accepted.get(),
            turned_away: self.turned_away.get(),
            shed: self.admission.shed_count(),
        }
    }

    /// Says what holds for a request whatever it is for: whether it is HTTP, for this program, and
    /// from somebody who may ask.
    pub async fn check(&self, request: &Parts, peer: Peer, methods: Methods) -> Checked {
        let hosts = match host::asked(request) {
            Ok(hosts) => hosts,
            Err(error) => {
                return Checked::Rejected(rejection(StatusCode::BAD_REQUEST, &error.to_string()));
            }
        };
        let changes_nothing = [Method::GET, Method::HEAD, Method::OPTIONS];
        if methods == Methods::ReadOnly && !changes_nothing.contains(&request.method) {
            return Checked::Rejected(method_not_allowed());
        }
        let live = self.live();
        // What comes by a Unix socket comes from a program of this machine, never from a browser.
        if peer != Peer::Unix
            && let Some(name) = live.known_hosts.unknown(&hosts)
        {
            let what = self.unknown_hosts.refuse(name, Instant::now());
            return Checked::Rejected(problem(StatusCode::MISDIRECTED_REQUEST, &what));
        }
        let allowed = live.options.allow_origin.as_ref();
        if methods == Methods::All
            && let Some(origin) = origin::foreign(&request.headers, allowed)
        {
            let what = format!("pages of {origin:?} may not ask this; allow-origin lets them");
            return Checked::Rejected(problem(StatusCode::FORBIDDEN, &what));
        }
        if request.method == Method::OPTIONS {
            return match methods {
                Methods::ReadOnly => Checked::Rejected(preflight(READ_ONLY, PREFLIGHT_HEADERS)),
                Methods::All | Methods::Program => Checked::Admitted(None),
            };
        }
        if methods == Methods::Program {
            return Checked::Admitted(None);
        }
        let Some(users) = &live.users else {
            return Checked::Admitted(None);
        };
        let authorization = request.headers.get(AUTHORIZATION);
        match users
            .admit(authorization.map(HeaderValue::as_bytes), peer)
            .await
        {
            Some(user) => Checked::Admitted(Some(user)),
            None => Checked::Rejected(unauthorized()),
        }
    }

    /// Lets all connections end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until connections are to end.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // The sender lives as long as this does.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    pub(crate) fn accepted(&self) {
        self.accepted.set(self.accepted.get() + 1);
    }

    /// Tells a client that there are too many.
    pub(crate) fn turn_away(&self) -> FullResponse {
        self.turned_away.set(self.turned_away.get() + 1);
        let mut response = unavailable("too many clients; try again later");
        close(response.headers_mut());
        response
    }
}

fn method_not_allowed() -> FullResponse {
    let what = "only GET, HEAD and OPTIONS are answered here";
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, what);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(READ_ONLY));
    response
}

fn unauthorized() -> FullResponse {
    let mut response = problem(StatusCode::UNAUTHORIZED, "a user and password are needed");
    let challenge = HeaderValue::from_static("Basic realm=\"Eyelid\", charset=\"UTF-8\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

#[cfg(test)]
mod tests;
