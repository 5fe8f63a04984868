//! The picture that is looked at, for an ml_api that gets pictures itself: it is told a URL, and
//! behind that is a recorded one here.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use eyelid_config::HttpUrl;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// How long one who gets it may take: one does at a time.
const ONE: Duration = Duration::from_secs(10);

/// Lends the picture for as long as the task that it was made in runs.
pub(super) struct Lent {
    picture: Rc<RefCell<Bytes>>,
    /// Where it is.
    pub(super) url: HttpUrl,
}

impl Lent {
    /// Listens there; port 0 is any.
    ///
    /// # Errors
    /// This machine has no such address, or the port is taken.
    pub(super) async fn at(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("--lend {address}: cannot listen"))?;
        let address = listener.local_addr()?;
        // Whoever is not told the path does not get the pictures.
        let mut secret = [0; 16];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut secret))?;
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let path: Rc<str> = format!("/{secret}.jpg").into();
        let url = format!("http://{address}{path}").parse();
        let url = url.map_err(|error| anyhow::anyhow!("--lend {address}: {error}"))?;
        let picture = Rc::new(RefCell::new(Bytes::new()));
        tokio::task::spawn_local(lend(listener, path, picture.clone()));
        Ok(Self { picture, url })
    }

    /// Lends this one from now on.
    pub(super) fn set(&self, jpeg: Bytes) {
        self.picture.replace(jpeg);
    }
}

/// Answers all who come, one after the other.
async fn lend(listener: TcpListener, path: Rc<str>, picture: Rc<RefCell<Bytes>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => answer(stream, &path, &picture).await,
            Err(error) => {
                log::debug!("a picture is not lent: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, path: &str, picture: &RefCell<Bytes>) {
    let respond = async |request: Request<Incoming>| {
        let is_known = request.uri().path() == path;
        let body = if is_known {
            picture.borrow().clone()
        } else {
            Bytes::new()
        };
        let mut response = Response::new(Full::new(body));
        if is_known {
            let jpeg = HeaderValue::from_static("image/jpeg");
            response.headers_mut().insert(CONTENT_TYPE, jpeg);
        } else {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        Ok::<_, Infallible>(response)
    };
    let mut http = http1::Builder::new();
    http.keep_alive(false);
    let answered = http.serve_connection(TokioIo::new(stream), service_fn(respond));
    match timeout(ONE, answered).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("a picture is not lent: {error}"),
        Err(_) => log::debug!("a picture is not lent: it takes too long"),
    }
}
