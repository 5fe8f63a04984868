//! Requests to one camera: told who asks where it wants to know, and followed where it points,
//! within bounds. A login goes to the server that the configuration names, and to no other.

use std::time::Duration;

use eyelid_http_client::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use eyelid_http_client::{Authorization, Client, Login, Method, Opened, Request, StatusCode, Url};

use super::answer::{Kind, MOST_REASON_BYTES, refusal};
use super::handover::Ended;
use super::rate::Rate;

/// How long an answer's head may take, with the lookup of the name and the connection: a snapshot
/// of an Eyelid whose camera has to wake takes up to 4 s.
const HEAD: Duration = Duration::from_secs(10);

/// How long a text that says why may take.
const REASON: Duration = Duration::from_secs(2);

/// Redirections in a row: from http to https, to a name, to a path.
const MOST_REDIRECTIONS: u32 = 5;

/// Challenges in a row: the first, and one for each nonce that is too old by then.
const MOST_CHALLENGES: u32 = 3;

/// Pictures before all else.
const ACCEPTED: HeaderValue =
    HeaderValue::from_static("multipart/x-mixed-replace, image/jpeg, */*;q=0.5");

/// Who asks, and what they have been told.
pub(super) struct Asking {
    client: Client,
    configured: Url,
    login: Option<Login>,
    authorization: Option<Authorization>,
    rate: Option<Rate>,
}

impl Asking {
    /// Asks for no more frames a second than the `rate`, where it can be said.
    pub(super) fn new(
        client: Client,
        configured: Url,
        login: Option<Login>,
        rate: Option<Rate>,
    ) -> Self {
        Self {
            client,
            configured,
            login,
            authorization: None,
            rate,
        }
    }

    /// Asks for pictures, and says what the answer is. The rate is asked for where the URL leaves
    /// room for that; who does not like it is asked again without.
    ///
    /// # Errors
    /// As of [`Asking::ask`].
    pub(super) async fn ask_pictures(&mut self, url: &Url) -> Result<(Opened, Url, Kind), Ended> {
        let kind = |answer: &Opened| Kind::of(answer.status, content_type(answer).as_deref());
        if let Some(capped) = self.rate.and_then(|rate| rate.asked_of(url)) {
            let (answer, at) = self.ask(&capped).await?;
            let kind = kind(&answer);
            if kind != Kind::Other || answer.status.is_server_error() {
                return Ok((answer, at, kind));
            }
        }
        let (answer, at) = self.ask(url).await?;
        let kind = kind(&answer);
        Ok((answer, at, kind))
    }

    /// Whether frames come no faster than they are published: then none is held back.
    pub(super) fn keeps_rate(&self, answer: &Opened, kind: Kind) -> bool {
        kind == Kind::Picture || self.rate.is_some_and(|rate| rate.is_kept(&answer.headers))
    }

    /// Asks, and gives the answer of whoever has one, with the URL that it is of.
    ///
    /// # Errors
    /// Why there is none: nobody there, no login or a wrong one, too many redirections.
    pub(super) async fn ask(&mut self, url: &Url) -> Result<(Opened, Url), Ended> {
        let (mut url, mut redirections, mut challenges) = (url.clone(), 0, 0);
        loop {
            let request = self.request(&url);
            let opened = self.client.open(&request, HEAD).await;
            let mut answer = opened.map_err(|error| error.to_string())?;
            if answer.status == StatusCode::UNAUTHORIZED {
                challenges += 1;
                if let Err(why) = self.answer_challenge(&url, &answer, challenges) {
                    return Err(self.refused(&url, answer, &why).await);
                }
            } else if let Some(to) = location(&answer) {
                redirections += 1;
                url = follow(&url, &to, redirections)?;
            } else {
                return Ok((answer, url));
            }
            // So that its connection can be used again.
            answer.beginning(MOST_REASON_BYTES, REASON).await;
        }
    }

    fn request(&mut self, url: &Url) -> Request {
        let mut request = Request::new(Method::GET, url.clone());
        request.headers.insert(ACCEPT, ACCEPTED);
        if url.is_same_origin(&self.configured)
            && let Some(authorization) = &mut self.authorization
            && let Some(value) = authorization.header(Method::GET.as_str(), url.target())
        {
            request.headers.insert(AUTHORIZATION, value);
        }
        request
    }

    /// Prepares what is said next to a server that asks who is there.
    ///
    /// # Errors
    /// What is wrong with what it was told, or why it is told nothing.
    fn answer_challenge(
        &mut self,
        url: &Url,
        answer: &Opened,
        challenges: u32,
    ) -> Result<(), String> {
        let Some(login) = &self.login else {
            return Err("asks for a user and password: give login-file".to_owned());
        };
        if !url.is_same_origin(&self.configured) {
            return Err(format!(
                "asks for a user and password, which {} alone is told; make it the source",
                self.configured
            ));
        }
        let fields = answer.headers.get_all(WWW_AUTHENTICATE);
        // Nobody foresees it: a server is not to choose all that is hashed (RFC 7616, 5.9).
        let cnonce = getrandom::u64().map_err(|error| format!("no random number: {error}"))?;
        let new = Authorization::answering(login, fields, cnonce);
        let new = new.ok_or("asks for a user and password by neither Basic nor Digest")?;
        let was_told = self.authorization.is_some();
        if challenges >= MOST_CHALLENGES || (was_told && challenges > 1 && !new.is_stale()) {
            return Err("refuses the user and password (login-file, login)".to_owned());
        }
        self.authorization = Some(new);
        Ok(())
    }

    async fn refused(&mut self, url: &Url, mut answer: Opened, why: &str) -> Ended {
        // The next try begins anew.
        self.authorization = None;
        let retry_after = answer.retry_after();
        let said = told(&mut answer).await;
        Ended {
            why: format!("{url}: {why} (it {said})"),
            retry_after,
        }
    }
}

/// Why an answer is of no use, in the other side's words.
pub(super) async fn useless(url: &Url, mut answer: Opened) -> Ended {
    let retry_after = answer.retry_after();
    Ended {
        why: format!("{url}: {}", told(&mut answer).await),
        retry_after,
    }
}

/// The `Content-Type` of an answer.
pub(super) fn content_type(answer: &Opened) -> Option<String> {
    let value = answer.headers.get(CONTENT_TYPE)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

async fn told(answer: &mut Opened) -> String {
    let body = answer.beginning(MOST_REASON_BYTES, REASON).await;
    refusal(answer.status, content_type(answer).as_deref(), &body)
}

/// Where a redirection points.
fn location(answer: &Opened) -> Option<String> {
    let is_redirection =
        answer.status.is_redirection() && answer.status != StatusCode::NOT_MODIFIED;
    let value = answer.headers.get(LOCATION).filter(|_| is_redirection)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Follows one more redirection.
///
/// # Errors
/// One too many, to no URL of http or https, or from https to http.
fn follow(url: &Url, to: &str, redirections: u32) -> Result<Url, String> {
    if redirections > MOST_REDIRECTIONS {
        return Err(format!(
            "{url}: redirects more than {MOST_REDIRECTIONS} times"
        ));
    }
    let next = url.resolve(to);
    let next = next.map_err(|error| format!("{url}: redirects to a URL that {error}"))?;
    if url.is_https() && !next.is_https() {
        return Err(format!(
            "{url}: redirects to {next}, where nothing is encrypted; if that is right, make it the source"
        ));
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_within_bounds() {
        let plain: Url = "http://h/a".parse().unwrap();
        let secure: Url = "https://h/a".parse().unwrap();
        let to = |url: &Url, to: &str, count| follow(url, to, count).map(|url| url.secret());
        assert_eq!(to(&plain, "/b", 5).unwrap(), "http://h/b");
        assert_eq!(to(&plain, "https://g/", 1).unwrap(), "https://g/");
        for (url, reference, count, words) in [
            (&plain, "/b", 6, "http://h: redirects more than 5 times"),
            (&secure, "http://h/a", 1, "nothing is encrypted"),
            (&plain, "ftp://h/a", 1, "a URL that must begin with http"),
        ] {
            let error = to(url, reference, count).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
