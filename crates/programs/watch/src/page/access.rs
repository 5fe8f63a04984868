//! Who may change something from the page. Everything that changes something is checked here,
//! beside what the door has checked (host, password, origin): by itself, for no setting for those
//! who look, such as `allow-origin`, is to let a page of others change rules.

use eyelid_config::AskOnPage;
use eyelid_http::foreign_origin;
use eyelid_http::response::is_type;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::rejection::Rejection;

/// Which page has sent a request (W3C Fetch Metadata). Pages cannot choose it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether somebody may change something, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Rights {
    /// The user, where passwords are asked for.
    pub(crate) user: Option<String>,
    /// May rule, and judge alerts.
    pub(crate) change: bool,
    /// Why not.
    pub(crate) why: Option<&'static str>,
}

impl Rights {
    /// What `user` may do where the configuration says who may `ask` on the page.
    pub(crate) fn of(user: Option<&str>, ask: &AskOnPage) -> Self {
        let why = match user {
            _ if !ask.has_anybody() => {
                Some("ask-on-page in [watch] of the configuration is not true")
            }
            None => Some("the server asks for no password, so nobody is known here"),
            Some(user) if !ask.has(user) => {
                Some("ask-on-page in [watch] of the configuration names others, and not you")
            }
            Some(_) => None,
        };
        Self {
            user: user.map(str::to_owned),
            change: why.is_none(),
            why,
        }
    }

    /// Gives the user who may send a request that changes something.
    ///
    /// # Errors
    /// Why it is not done.
    pub(crate) fn user_to_change(
        &self,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<String, Rejection> {
        let forbidden = |what: String| Rejection::new(StatusCode::FORBIDDEN, what);
        if let Some(origin) = foreign_origin(headers, None) {
            return Err(forbidden(format!("pages of {origin:?} may change nothing")));
        }
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
        if let Some(site) = sites.find(|site| *site != "same-origin") {
            let what = format!("a page of {site:?} may change nothing");
            return Err(forbidden(what));
        }
        let user = match (&self.user, self.why) {
            (Some(user), None) => user.clone(),
            (_, why) => {
                return Err(forbidden(format!(
                    "nothing can be changed here: {}",
                    why.unwrap_or("nobody is known here")
                )));
            }
        };
        // What a form can send, and a script without asking first, is something else than JSON
        // (Fetch standard, CORS-safelisted request-header). DELETE they cannot send at all.
        let is_json = is_type(headers.get(CONTENT_TYPE), "application/json");
        if *method != Method::DELETE && !is_json {
            let what = "only application/json is read here";
            return Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
        }
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const OURS: &[(&str, &str)] = &[
        ("Host", "octopi.local:8080"),
        ("Content-Type", "application/json"),
    ];

    fn status(rights: &Rights, method: &Method, more: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder();
        let is_named = |name: &str| more.iter().any(|(other, _)| *other == name);
        let ours = OURS.iter().filter(|(name, _)| !is_named(name));
        for (name, value) in ours.chain(more) {
            request = request.header(*name, *value);
        }
        let request = request.body(()).unwrap();
        let may = rights.user_to_change(method, request.headers());
        may.map_or_else(|rejection| rejection.status().as_u16(), |_| 200)
    }

    #[test]
    fn a_user_who_is_known_may_where_the_configuration_says_so() {
        for (user, ask, expected) in [
            (Some("anna"), "true", 200),
            (Some("anna"), "false", 403),
            (None, "true", 403),
            (None, "false", 403),
            (Some("anna"), "ben,anna", 200),
            (Some("carl"), "ben,anna", 403),
            (None, "ben,anna", 403),
        ] {
            let rights = Rights::of(user, &ask.parse().unwrap());
            assert_eq!(rights.change, expected == 200);
            assert_eq!(status(&rights, &Method::POST, &[]), expected);
            assert_eq!(status(&rights, &Method::DELETE, &[]), expected);
        }
    }

    #[test]
    fn no_page_but_ours_may_and_nothing_but_json_is_read() {
        let rights = Rights::of(Some("anna"), &AskOnPage::Everybody);
        for (more, expected) in [
            (&[("Origin", "http://octopi.local:8080")][..], 200),
            (&[("Sec-Fetch-Site", "same-origin")], 200),
            (&[("Origin", "https://evil.example")], 403),
            (&[("Origin", "null")], 403),
            (&[("Sec-Fetch-Site", "cross-site")], 403),
            (&[("Sec-Fetch-Site", "same-site")], 403),
            (&[("Sec-Fetch-Site", "none")], 403),
            (
                &[
                    ("Sec-Fetch-Site", "same-origin"),
                    ("Sec-Fetch-Site", "cross-site"),
                ],
                403,
            ),
            (&[("Content-Type", "application/json; charset=utf-8")], 200),
            (&[("Content-Type", "text/plain")], 415),
            (&[("Content-Type", "text/plain; application/json")], 415),
            (
                &[("Content-Type", "application/x-www-form-urlencoded")],
                415,
            ),
            (&[("Content-Type", "multipart/form-data; boundary=x")], 415),
        ] {
            assert_eq!(status(&rights, &Method::POST, more), expected, "{more:?}");
        }
        let foreign = [("Origin", "https://evil.example")];
        assert_eq!(status(&rights, &Method::DELETE, &foreign), 403);
        assert_eq!(
            status(&rights, &Method::DELETE, &[("Content-Type", "")]),
            200
        );
    }
}
