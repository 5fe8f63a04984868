//! From a request to what it comes to.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use eyelid_http::response::{FullResponse, not_allowed, rejection, typed};
use eyelid_http::{Arrival, Checked, Door, Handler, Methods, Outcome};
use eyelid_slot::CameraName;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue, LOCATION};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;

use super::access::Rights;
use super::events::{Events, LAST_EVENT_ID};
use super::followers::Followers;
use super::query::Query;
use super::rejection::Rejection;
use super::route::Route;
use super::rule_name::RuleName;
use super::rules_file::MOST_CHARACTERS;
use super::settings::PageSettings;
use super::shown::ShownAlert;
use super::store::Store;
use super::trying::Trying;
use super::{assets, body, rules};
use crate::alert::{AlertId, bounded};

/// How many characters of a user's name the journal has.
const MOST_OF_USER: usize = 64;

/// What all connections share.
pub(crate) struct PageApp {
    door: Rc<Door>,
    store: Rc<Store>,
    followers: Rc<Followers>,
    trying: Trying,
    settings: RefCell<Rc<PageSettings>>,
}

/// The answer to `list.json`.
#[derive(Serialize)]
struct List<'a> {
    version: u32,
    alerts: Vec<ShownAlert>,
    /// What `before` is for the next ones.
    next: Option<AlertId>,
    rights: &'a Rights,
}

/// A request, and what is known of who sends it.
struct Asked<'a> {
    parts: &'a Parts,
    arrival: &'a Arrival,
    rights: Rights,
}

impl PageApp {
    /// Serves what the settings name.
    pub(crate) fn new(door: Rc<Door>, store: Rc<Store>, settings: PageSettings) -> Self {
        Self {
            door,
            store,
            followers: Rc::default(),
            trying: Trying::default(),
            settings: RefCell::new(Rc::new(settings)),
        }
    }

    /// Serves by other settings from now on.
    pub(crate) fn reload(&self, settings: PageSettings) {
        self.settings.replace(Rc::new(settings));
        self.trying.forget();
    }

    fn settings(&self) -> Rc<PageSettings> {
        self.settings.borrow().clone()
    }

    async fn respond(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        let (parts, body) = request.into_parts();
        let user = match &arrival {
            // The server has checked what it hands over.
            Arrival::HandedOver(known) => known.user.clone(),
            Arrival::Accepted(peer) => match self.door.check(&parts, *peer, Methods::All).await {
                Checked::Admitted(user) => user,
                Checked::Rejected(response) => return Outcome::Response(response),
            },
        };
        let asked = Asked {
            rights: Rights::of(user.as_deref(), &self.settings().ask),
            parts: &parts,
            arrival: &arrival,
        };
        let come_to = self.come_to(asked, body).await;
        come_to.unwrap_or_else(|rejection| Outcome::Response(rejection.response()))
    }

    async fn come_to(&self, asked: Asked<'_>, body: Incoming) -> Result<Outcome, Rejection> {
        let parts = asked.parts;
        let route = Route::parse(parts.uri.path());
        let methods = methods(&route);
        let is_head = parts.method == Method::HEAD;
        if parts.method == Method::OPTIONS {
            return Ok(Outcome::Response(options(methods)));
        }
        if !methods
            .split(", ")
            .any(|method| method == parts.method.as_str())
        {
            return Ok(Outcome::Response(not_allowed(methods)));
        }
        let changes = !is_head && parts.method != Method::GET;
        let response = match route {
            Route::NotFound => nothing_here(),
            Route::Page => assets::page(),
            Route::WithoutSlash => without_slash(),
            Route::Asset(asset) => assets::asset(asset),
            Route::List => self.list(&asked)?,
            Route::Events if is_head => typed(Bytes::new(), "text/event-stream"),
            Route::Events => return self.events(&asked),
            Route::Picture(id) => self.picture(&id)?,
            Route::Alert(id) => json(&self.alert(&id)?),
            Route::Wrong(id) => self.judge(asked, &id, body).await?,
            Route::Rules if changes => self.make(asked, body).await?,
            Route::Rules => json(&rules::overview(&self.settings(), &asked.rights)),
            Route::Rule(camera, name) => self.delete(asked, &camera, &name)?,
            Route::Try => self.attempt(asked, body).await?,
        };
        Ok(Outcome::Response(response))
    }

    fn list(&self, asked: &Asked<'_>) -> Result<FullResponse, Rejection> {
        let listed = self.store.list(&Query::parse(asked.parts.uri.query())?);
        Ok(json(&List {
            version: 1,
            alerts: listed.alerts,
            next: listed.next,
            rights: &asked.rights,
        }))
    }

    fn events(&self, asked: &Asked<'_>) -> Result<Outcome, Rejection> {
        let peer = asked.arrival.peer();
        let last = asked.parts.headers.get(LAST_EVENT_ID);
        let events = Events {
            store: self.store.clone(),
            last: last.and_then(|last| last.to_str().ok()?.parse().ok()),
            follower: self.followers.enter(peer)?,
            allow_origin: match asked.arrival {
                Arrival::HandedOver(known) => known.allow_origin.clone(),
                Arrival::Accepted(_) => self.door.live().options.allow_origin.clone(),
            },
        };
        Ok(Outcome::take_over(move |taken| events.serve(taken, peer)))
    }

    fn picture(&self, id: &AlertId) -> Result<FullResponse, Rejection> {
        let picture = self.store.picture(id).map_err(|error| no_alert(&error))?;
        Ok(typed(Bytes::from(picture), "image/jpeg"))
    }

    fn alert(&self, id: &AlertId) -> Result<ShownAlert, Rejection> {
        self.store.alert(id).map_err(|error| no_alert(&error))
    }

    /// A user says that an alert was wrong, or takes that back.
    async fn judge(
        &self,
        asked: Asked<'_>,
        id: &AlertId,
        body: Incoming,
    ) -> Result<FullResponse, Rejection> {
        let user = asked.may_change()?;
        let is_wrong = asked.parts.method == Method::POST;
        let case = if is_wrong {
            body::read(body).await?;
            let case = self.store.keep(id, &user, SystemTime::now())?;
            log::info!("user {user:?} says that alert {id} was wrong: kept as a case");
            Some(case)
        } else {
            self.store.let_go(id)?;
            log::info!("user {user:?} says no longer that alert {id} was wrong");
            None
        };
        let mut response = json(&serde_json::json!({ "id": id, "wrong": is_wrong, "case": case }));
        eyelid_http::response::close(response.headers_mut());
        Ok(response)
    }

    async fn make(&self, asked: Asked<'_>, body: Incoming) -> Result<FullResponse, Rejection> {
        let user = asked.may_change()?;
        let new: rules::NewRule = body::parse(&body::read(body).await?)?;
        let (camera, says) = (new.camera.clone(), new.says().to_owned());
        let name = rules::add(&self.settings(), new, &user, SystemTime::now())?;
        log::info!("{}", change_of_rule(&user, "made", (&camera, &name), &says));
        let mut response = json(&serde_json::json!({ "camera": camera, "name": name }));
        *response.status_mut() = StatusCode::CREATED;
        Ok(response)
    }

    fn delete(
        &self,
        asked: Asked<'_>,
        camera: &CameraName,
        name: &RuleName,
    ) -> Result<FullResponse, Rejection> {
        let user = asked.may_change()?;
        let says = rules::remove(&self.settings(), camera, name)?;
        log::info!(
            "{}",
            change_of_rule(&user, "deleted", (camera, name), &says)
        );
        let mut response = FullResponse::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    async fn attempt(&self, asked: Asked<'_>, body: Incoming) -> Result<FullResponse, Rejection> {
        let user = asked.may_change()?;
        let body = body::read(body).await?;
        let tried = self.trying.respond(&self.settings(), &user, &body).await?;
        Ok(json(&tried))
    }
}

impl Asked<'_> {
    /// Gives the user, who may change something by this request.
    fn may_change(&self) -> Result<String, Rejection> {
        let parts = self.parts;
        self.rights.user_to_change(&parts.method, &parts.headers)
    }
}

impl Handler for PageApp {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        self.respond(request, arrival).await
    }
}

/// What the journal says of who has changed which rule, and how: one line, whatever is in them.
fn change_of_rule(
    user: &str,
    change: &str,
    (camera, name): (&CameraName, &RuleName),
    says: &str,
) -> String {
    let (user, says) = (bounded(user, MOST_OF_USER), bounded(says, MOST_CHARACTERS));
    format!("user {user:?} has {change} rule {name} of camera {camera}: {says:?}")
}

fn methods(route: &Route) -> &'static str {
    match route {
        Route::Wrong(_) => "POST, DELETE",
        Route::Rules => "GET, HEAD, POST",
        Route::Rule(..) => "DELETE",
        Route::Try => "POST",
        _ => "GET, HEAD",
    }
}

/// Says which methods there are. It does not say that pages of other origins may have them, so that
/// browsers do not let them.
fn options(methods: &'static str) -> FullResponse {
    let mut response = FullResponse::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allow = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, allow);
    response
}

fn nothing_here() -> FullResponse {
    rejection(StatusCode::NOT_FOUND, "nothing here; see /alerts")
}

fn no_alert(error: &std::io::Error) -> Rejection {
    match error.kind() {
        ErrorKind::NotFound => {
            Rejection::new(StatusCode::NOT_FOUND, "there is no such alert, or no more")
        }
        _ => Rejection::system("the alert cannot be read", error),
    }
}

/// Relative, for proxies that add a prefix.
fn without_slash() -> FullResponse {
    let mut response = FullResponse::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    let location = HeaderValue::from_static("../alerts");
    response.headers_mut().insert(LOCATION, location);
    response
}

fn json(value: &impl Serialize) -> FullResponse {
    match serde_json::to_vec(value) {
        Ok(json) => typed(Bytes::from(json), "application/json"),
        Err(error) => rejection(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_has_who_and_what_on_one_bounded_line() {
        let (door, parcel) = ("door".parse().unwrap(), RuleName::parse("parcel").unwrap());
        let line = |user: &str, says: &str| change_of_rule(user, "made", (&door, &parcel), says);
        assert_eq!(
            line("anna", "when a \"parcel\" lies there"),
            r#"user "anna" has made rule parcel of camera door: "when a \"parcel\" lies there""#
        );
        let strange = line(&"a\n\u{1b}[31m".repeat(500), &"b\r\n\u{202e}".repeat(500));
        assert!(
            !strange.contains(char::is_control) && !strange.contains('\u{202e}'),
            "{strange}"
        );
        assert!(
            strange.len() < 10 * (MOST_OF_USER + MOST_CHARACTERS),
            "{strange}"
        );
    }
}
