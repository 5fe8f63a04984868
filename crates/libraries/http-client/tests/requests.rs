//! Requests to servers on this machine that do what others do, well and badly.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eyelid_http_client::{
    Answer, Bytes, Client, Error, HeaderValue, Key, Limits, Method, Request, StatusCode, Trust,
    header,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Longer than any of these takes, also on a machine that is busy.
const LIMITS: Limits = Limits {
    time_out: Duration::from_secs(60),
    largest_answer: 1000,
};

/// Reads one request with its body, as bytes. `None` where the other side has gone.
async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = socket.read(&mut piece).await.ok().filter(|&it| it > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some(end) = text.find("\r\n\r\n") else {
            continue;
        };
        let field = text
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = field.map_or(0, |value| value.parse().unwrap());
        if bytes.len() >= end + 4 + length {
            return Some(bytes);
        }
    }
}

/// Answers each request on each connection by `answers`, in turn, and then closes; says what was
/// asked, and by which connection.
async fn answer(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    number: usize,
    answers: Arc<Vec<Vec<u8>>>,
    asked: tokio::sync::mpsc::UnboundedSender<(usize, Vec<u8>)>,
) {
    for answer in answers.iter() {
        let Some(request) = read_request(&mut socket).await else {
            return;
        };
        asked.send((number, request)).unwrap();
        if answer == b"hang" {
            std::future::pending::<()>().await;
        }
        socket.write_all(answer).await.unwrap();
        socket.flush().await.unwrap();
    }
    let _ = socket.shutdown().await;
}

struct Server {
    port: u16,
    asked: tokio::sync::mpsc::UnboundedReceiver<(usize, Vec<u8>)>,
}

impl Server {
    async fn new(answers: &[&[u8]]) -> Self {
        Self::started(answers, None).await
    }

    async fn with_tls(answers: &[&[u8]]) -> Self {
        let certificate = CertificateDer::from_pem_file(data("localhost.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(data("localhost.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::started(answers, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn started(answers: &[&[u8]], tls: Option<TlsAcceptor>) -> Self {
        let answers = Arc::new(answers.iter().map(|it| it.to_vec()).collect::<Vec<_>>());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, asked) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            for number in 0.. {
                let (socket, _) = listener.accept().await.unwrap();
                let (tls, answers, sender) = (tls.clone(), answers.clone(), sender.clone());
                tokio::spawn(async move {
                    match tls {
                        None => answer(socket, number, answers, sender).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                answer(socket, number, answers, sender).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, asked }
    }

    fn get(&self, path: &str) -> Request {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        Request::new(Method::GET, url.parse().unwrap())
    }

    fn https(&self, host: &str) -> Request {
        let url = format!("https://{host}:{}/secret", self.port);
        Request::new(Method::GET, url.parse().unwrap())
    }
}

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

async fn asked_once(answer: &[u8], limits: Limits) -> Result<Answer, Error> {
    let server = Server::new(&[answer]).await;
    Client::new().send(&server.get("/secret"), limits).await
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn sends_what_is_asked_and_reads_the_answer() {
    let mut server = Server::new(&[OK]).await;
    let mut request = server.get("/v1/chat?x=1");
    request.method = Method::POST;
    request.body = Bytes::from_static(b"{}");
    request.key = Key::new(b"sk-1");
    let json = HeaderValue::from_static("application/json");
    request.headers.insert(header::CONTENT_TYPE, json);
    let answer = Client::new().send(&request, LIMITS).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body[..]),
        (StatusCode::OK, &b"ok"[..])
    );
    assert_eq!(answer.retry_after, None);

    let (_, bytes) = server.asked.recv().await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("POST /v1/chat?x=1 HTTP/1.1\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n{}"), "{text}");
    for field in [
        "authorization: Bearer sk-1",
        "content-type: application/json",
        "content-length: 2",
        &format!("host: 127.0.0.1:{}", server.port),
        concat!("user-agent: eyelid/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(
            text.contains(&format!("\r\n{field}\r\n")),
            "{field}: {text}"
        );
    }
}

#[tokio::test]
async fn keeps_a_connection_for_the_next_request() {
    let mut server = Server::new(&[OK, OK]).await;
    let client = Client::new();
    for _ in 0..3 {
        client.send(&server.get("/"), LIMITS).await.unwrap();
    }
    // The server ends a connection after two; the third request comes by a new one.
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(server.asked.recv().await.unwrap().0);
    }
    assert_eq!(connections, [0, 0, 1]);
}

#[tokio::test]
async fn sends_no_key_in_the_clear() {
    let client = Client::new();
    // 192.0.2.0/24 is for documentation (RFC 5737): nobody is there, and nobody is asked.
    let mut request = Request::new(Method::GET, "http://192.0.2.1/secret".parse().unwrap());
    request.key = Key::new(b"sk-1");
    let error = client.send(&request, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::KeyInTheClear(_)), "{error}");
    assert!(!error.may_have_arrived());
    // Nor by a header of one's own.
    request.key = None;
    let bearer = HeaderValue::from_static("Basic dTpw");
    request.headers.insert(header::AUTHORIZATION, bearer);
    let error = client.send(&request, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::KeyInTheClear(_)), "{error}");
}

#[tokio::test]
async fn follows_nobody_and_says_where_it_pointed() {
    for (location, to) in [
        (
            "https://elsewhere.example/secret",
            "https://elsewhere.example",
        ),
        ("/secret/2", "another path there"),
        (
            "//elsewhere.example/secret",
            "what is no URL of http or https",
        ),
        ("javascript:alert(1)", "what is no URL of http or https"),
    ] {
        let head =
            format!("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n");
        let error = asked_once(head.as_bytes(), LIMITS).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1") && text.contains(to), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn reads_no_more_than_was_allowed() {
    let said = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    let mut chunks = b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..3 {
        chunks.extend_from_slice(b"1f4\r\n");
        chunks.extend_from_slice(&[b'x'; 500]);
        chunks.extend_from_slice(b"\r\n");
    }
    let mut until_closed = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
    until_closed.extend_from_slice(&[b'x'; 1001]);
    for bytes in [said, chunks, until_closed] {
        let error = asked_once(&bytes, LIMITS).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. }), "{error}");
        assert!(error.may_have_arrived());
    }
    let mut head = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    head.extend_from_slice(&[b'x'; 200_000]);
    let error = asked_once(&head, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted(..)), "{error}");
}

#[tokio::test]
async fn waits_no_longer_than_was_allowed() {
    let limits = Limits {
        time_out: Duration::from_millis(50),
        ..LIMITS
    };
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha";
    let server = Server::new(&[half, OK]).await;
    for error in [
        asked_once(b"hang", limits).await.unwrap_err(),
        Client::new()
            .send(&server.get("/secret"), limits)
            .await
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::TimedOut(..)), "{error}");
        assert!(error.may_have_arrived());
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1") && text.contains("0.05 s"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn tells_what_has_not_arrived() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/secret").parse().unwrap();
    let request = Request::new(Method::GET, url);
    let error = Client::new().send(&request, LIMITS).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(..)), "{error:?}");
    assert!(!error.may_have_arrived());
    assert!(!error.to_string().contains("secret"), "{error}");

    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let error = asked_once(bytes, LIMITS).await.unwrap_err();
        assert!(matches!(error, Error::Interrupted(..)), "{error:?}");
        assert!(error.may_have_arrived());
        let text = error.to_string();
        assert!(
            text.contains("127.0.0.1") && !text.contains("secret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn gives_back_what_others_refuse_with() {
    let busy = b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy";
    let answer = asked_once(busy, LIMITS).await.unwrap();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(&answer.body[..], b"busy");
}

#[tokio::test]
async fn speaks_https_with_who_is_trusted() {
    let server = Server::with_tls(&[OK]).await;
    let client = Client::with_ca_file(&data("ca.pem")).unwrap();
    let mut request = server.https("localhost");
    request.key = Key::new(b"sk-1");
    let answer = client.send(&request, LIMITS).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);

    // By its address it is not the one of the certificate.
    let error = client
        .send(&server.https("127.0.0.1"), LIMITS)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotTrusted(..)), "{error:?}");
    assert!(!error.may_have_arrived());
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn believes_the_very_certificate_that_it_was_given() {
    let server = Server::with_tls(&[OK]).await;
    let opened = async |file, host| {
        let trust = Trust::with_certificates(&data(file)).unwrap();
        let client = Client::with(trust, Some(100_000));
        client.open(&server.https(host), LIMITS.time_out).await
    };
    // Of another name: a camera's own is.
    let mut answer = opened("localhost.pem", "127.0.0.1").await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(&answer.piece().await.unwrap().unwrap()[..], b"ok");
    assert!(answer.piece().await.unwrap().is_none());
    assert!(opened("ca.pem", "localhost").await.is_ok());
    // An authority's is believed of others by their names alone.
    let error = opened("ca.pem", "127.0.0.1").await.unwrap_err();
    assert!(matches!(error, Error::NotTrusted(..)), "{error:?}");
}

#[tokio::test]
async fn reads_a_body_as_it_comes() {
    let mut stream = b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n".to_vec();
    stream.extend_from_slice(&[b'x'; 300_000]);
    let server = Server::new(&[&stream, b"hang"]).await;
    let client = Client::new();
    let mut request = server.get("/secret");
    // A camera may be told in the clear.
    let basic = HeaderValue::from_static("Basic dTpw");
    request.headers.insert(header::AUTHORIZATION, basic);
    request.url = server.get("/secret").url;
    let mut answer = client.open(&request, LIMITS.time_out).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
    let mut read = 0;
    while read < 300_000 {
        let piece = answer.piece().await.unwrap().unwrap();
        assert!(piece.len() <= 64 << 10);
        read += piece.len();
        while let Some(piece) = answer.piece_at_hand().await.unwrap() {
            read += piece.len();
        }
    }
    assert!(
        answer.piece_at_hand().await.unwrap().is_none(),
        "nothing more yet"
    );
    let short = Duration::from_millis(50);
    assert!(answer.beginning(10, short).await.is_empty());
}

#[tokio::test]
async fn trusts_nobody_else() {
    let server = Server::with_tls(&[OK]).await;
    let error = Client::new()
        .send(&server.https("localhost"), LIMITS)
        .await
        .unwrap_err();
    // A machine without authorities says so at once.
    let refused = matches!(error, Error::NotTrusted(..) | Error::NoTrust(..));
    assert!(refused, "{error:?}");
    // One that ends the connection at once.
    let server = Server::new(&[]).await;
    let client = Client::with_ca_file(&data("ca.pem")).unwrap();
    let error = client
        .send(&server.https("localhost"), LIMITS)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::NotTrusted(..) | Error::Unreachable(..)),
        "{error:?}"
    );
}

#[test]
fn names_the_file_without_authorities() {
    for (path, says) in [("ca.key", "ca.key"), ("localhost.key", "no certificate")] {
        let error = Client::with_ca_file(&data(path)).err().unwrap().to_string();
        assert!(error.contains(path) && error.contains(says), "{error}");
    }
}
