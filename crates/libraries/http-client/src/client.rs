//! Requests, and what comes back.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use crate::error::Error;
use crate::key::Key;
use crate::opened::Opened;
use crate::retry_after::retry_after;
use crate::trust::{Trust, TrustError};
use crate::url::Url;

/// What the head of an answer may weigh, and what is read ahead of a body: twice what servers send.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// Fields of an answer's head. Services behind content delivery send some 40.
const MOST_FIELDS: usize = 128;

/// How long a connection is kept for the next request: less than the 60 s (nginx 75, Apache 5)
/// after which most servers end it themselves, for one that is ended just then fails a request.
const IDLE: Duration = Duration::from_secs(30);

/// To reach each address of a host; [`Limits::time_out`] holds for all together.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a request may take, from the name's lookup to the answer's last byte, and what its
/// answer may weigh.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For all of it.
    pub time_out: Duration,
    /// Bytes of the answer's body.
    pub largest_answer: usize,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Mostly `POST`.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Beside `Host`, `User-Agent`, `Content-Length` and that of the key.
    pub headers: HeaderMap,
    /// Who asks, where it takes more than the URL to be heard.
    pub key: Option<Key>,
    /// Shared, not copied, when it is sent again.
    pub body: Bytes,
}

impl Request {
    /// One without headers, key or body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            key: None,
            body: Bytes::new(),
        }
    }
}

/// What came back, whole. Any status but a redirection's is an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The fields of its head.
    pub headers: HeaderMap,
    /// At most [`Limits::largest_answer`].
    pub body: Bytes,
    /// The pause that it asks for, at most a day.
    pub retry_after: Option<Duration>,
}

type Http = legacy::Client<HttpConnector, Full<Bytes>>;
type Https = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Asks, by connections that are kept. Cheap until something is asked by https, when the system's
/// certificate authorities are read, once. Needs tokio's runtime with its timer and sockets.
pub struct Client {
    plain: Http,
    encrypted: OnceLock<Https>,
    trust: Trust,
    receive_buffer_bytes: Option<usize>,
    user_agent: HeaderValue,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// One that trusts whom the system trusts.
    pub fn new() -> Self {
        Self::with(Trust::default(), None)
    }

    /// One that trusts these, and whose sockets have receive buffers of so many bytes (the system's
    /// `net.core.rmem_max` at most; as large as the system likes if none is said).
    pub fn with(trust: Trust, receive_buffer_bytes: Option<usize>) -> Self {
        Self {
            plain: builder().build(connector(receive_buffer_bytes)),
            encrypted: OnceLock::new(),
            trust,
            receive_buffer_bytes,
            user_agent: HeaderValue::from_static(concat!("eyelid/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// One that trusts the authorities in a PEM file, too: those of a network of one's own.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn with_ca_file(path: &Path) -> Result<Self, TrustError> {
        Ok(Self::with(Trust::with_authorities(path)?, None))
    }

    /// Asks once, and gives the answer when its head is there: its body may have no end. Any status
    /// is an answer, a redirection's, too. Who may be told an `Authorization` is the caller's to
    /// know, also over a wire in the clear: most cameras have no other.
    ///
    /// # Errors
    /// [`Error`], where there is no head within `time_out`, or a [`Key`](crate::Key) would go in
    /// the clear.
    pub async fn open(&self, request: &Request, time_out: Duration) -> Result<Opened, Error> {
        let origin = request.url.to_string();
        if request.key.is_some() && !request.url.may_be_given_keys() {
            return Err(Error::KeyInTheClear(origin));
        }
        let wire = self.unguarded_wire(request);
        match timeout(time_out, self.ask(request, wire, &origin)).await {
            Ok(response) => Ok(Opened::new(response?, origin)),
            Err(_) => Err(Error::TimedOut(origin, time_out)),
        }
    }

    /// Asks once. A connection that had been ended meanwhile is replaced by a new one, where
    /// nothing had been sent by it yet; else nothing is tried twice.
    ///
    /// # Errors
    /// [`Error`], which names the host and says whether the request may have arrived.
    pub async fn send(&self, request: &Request, limits: Limits) -> Result<Answer, Error> {
        let origin = request.url.to_string();
        let wire = self.wire(request, &origin)?;
        match timeout(
            limits.time_out,
            self.exchange(request, wire, &origin, limits),
        )
        .await
        {
            Ok(result) => result,
            Err(_) => Err(Error::TimedOut(origin, limits.time_out)),
        }
    }

    /// What goes over the wire.
    fn wire(&self, request: &Request, origin: &str) -> Result<hyper::Request<Full<Bytes>>, Error> {
        let (url, wire) = (&request.url, self.unguarded_wire(request));
        let has_key = wire.headers().contains_key(AUTHORIZATION);
        if has_key && !url.may_be_given_keys() {
            return Err(Error::KeyInTheClear(origin.to_owned()));
        }
        Ok(wire)
    }

    fn unguarded_wire(&self, request: &Request) -> hyper::Request<Full<Bytes>> {
        let url = &request.url;
        let mut wire = hyper::Request::new(Full::new(request.body.clone()));
        *wire.method_mut() = request.method.clone();
        *wire.uri_mut() = url.uri().clone();
        let headers = wire.headers_mut();
        *headers = request.headers.clone();
        headers.entry(USER_AGENT).or_insert(self.user_agent.clone());
        if let Some(key) = &request.key {
            headers.insert(AUTHORIZATION, key.header().clone());
        }
        wire
    }

    async fn ask(
        &self,
        request: &Request,
        wire: hyper::Request<Full<Bytes>>,
        origin: &str,
    ) -> Result<Response<Incoming>, Error> {
        let sent = if request.url.is_https() {
            let no_trust = |error| Error::NoTrust(origin.to_owned(), error);
            self.encrypted().map_err(no_trust)?.request(wire).await
        } else {
            self.plain.request(wire).await
        };
        sent.map_err(|error| not_sent(origin, &error))
    }

    async fn exchange(
        &self,
        request: &Request,
        wire: hyper::Request<Full<Bytes>>,
        origin: &str,
        limits: Limits,
    ) -> Result<Answer, Error> {
        let response = self.ask(request, wire, origin).await?;
        let status = response.status();
        if let Some(to) = redirection(&response, origin) {
            let origin = origin.to_owned();
            return Err(Error::Redirected { origin, to, status });
        }
        let headers = response.headers().clone();
        let body = read(response, origin, limits.largest_answer).await?;
        let retry_after = retry_after(&headers, SystemTime::now());
        Ok(Answer {
            status,
            headers,
            body,
            retry_after,
        })
    }

    fn encrypted(&self) -> Result<&Https, TrustError> {
        if let Some(client) = self.encrypted.get() {
            return Ok(client);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.trust.tls()?)
            .https_only()
            .enable_http1()
            .wrap_connector(connector(self.receive_buffer_bytes));
        Ok(self.encrypted.get_or_init(|| builder().build(connector)))
    }
}

fn connector(receive_buffer_bytes: Option<usize>) -> HttpConnector {
    let mut connector = HttpConnector::new();
    // It is hyper-rustls that says which schemes there are.
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector.set_recv_buffer_size(receive_buffer_bytes);
    connector
}

fn builder() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(1)
        .http1_max_buf_size(MOST_HEAD_BYTES)
        .http1_max_headers(MOST_FIELDS);
    builder
}

/// Why a request brought no head of an answer.
fn not_sent(origin: &str, error: &legacy::Error) -> Error {
    let why = chain(error);
    let origin = origin.to_owned();
    if error.is_connect() {
        if is_tls(error) {
            Error::NotTrusted(origin, why)
        } else {
            Error::Unreachable(origin, why)
        }
    } else if is_user(error) {
        Error::Malformed(origin, why)
    } else {
        Error::Interrupted(origin, why)
    }
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

fn causes(error: &legacy::Error) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(Some(error as Cause<'_>), |&error| {
        // `source` of an error of `std::io` is what lies below the one that it carries.
        let carried = error.downcast_ref().and_then(std::io::Error::get_ref);
        carried.map(|it| it as Cause<'_>).or_else(|| error.source())
    })
}

fn is_user(error: &legacy::Error) -> bool {
    causes(error).any(|it| it.downcast_ref().is_some_and(hyper::Error::is_user))
}

fn is_tls(error: &legacy::Error) -> bool {
    causes(error).any(|it| it.is::<rustls::Error>())
}

/// What an error says, with its causes that it does not say itself, on one line.
fn chain(error: &legacy::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for text in causes(error).map(ToString::to_string) {
        if texts.last().is_none_or(|last| !last.ends_with(&text)) {
            texts.push(text);
        }
    }
    // The first says no more than that it is an error of the client.
    let first = usize::from(texts.len() > 1);
    texts[first..].join(": ").replace(['\r', '\n'], " ")
}

/// Where an answer points, if it does: another origin, or that it is another path.
fn redirection(response: &Response<Incoming>, origin: &str) -> Option<String> {
    let status = response.status();
    if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
        return None;
    }
    let location = response.headers().get(LOCATION).map(HeaderValue::to_str);
    let text = match location {
        Some(Ok(text)) => text,
        Some(Err(_)) => return Some("what is no URL".to_owned()),
        None => return Some("nowhere".to_owned()),
    };
    Some(match text.parse::<Url>() {
        Ok(url) if url.to_string() == origin => "another path there".to_owned(),
        Ok(url) => url.to_string(),
        Err(_) if text.starts_with('/') && !text.starts_with("//") => {
            "another path there".to_owned()
        }
        Err(_) => "what is no URL of http or https".to_owned(),
    })
}

async fn read(
    response: Response<Incoming>,
    origin: &str,
    most_bytes: usize,
) -> Result<Bytes, Error> {
    let status = response.status();
    let too_large = || Error::TooLarge {
        origin: origin.to_owned(),
        status,
        most_bytes,
    };
    let said = response.headers().get(CONTENT_LENGTH);
    let said = said.and_then(|value| value.to_str().ok()?.parse().ok());
    if said.is_some_and(|bytes: u64| bytes > most_bytes as u64) {
        return Err(too_large());
    }
    let mut body = response.into_body();
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Error::Interrupted(origin.to_owned(), error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > most_bytes {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}
