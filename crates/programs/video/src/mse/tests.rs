use super::*;
use crate::coded::Coded;
use crate::testing::{coded, coded_of, door, run, until};

use std::time::Duration;

use bytes::Bytes;
use eyelid_http::Socket;
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

fn feeds() -> Rc<Feeds> {
    Rc::new(Feeds::stand_in(|name| *name == door()))
}

fn request(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method("GET").uri("/door/mse");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

const ASKED: [(&str, &str); 4] = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A viewer's browser.
struct Page {
    socket: WebSocketStream<TcpStream>,
    /// The session, which ends by itself.
    session: JoinHandle<()>,
}

impl Page {
    async fn open(feeds: &Rc<Feeds>) -> Self {
        let (theirs, taken) = connected().await;
        let outcome = Mse::default().respond(feeds, &door(), &request(&ASKED), Peer::Unix, 9);
        let Outcome::TakeOver(take_over) = outcome else {
            panic!("no take-over");
        };
        let session = tokio::task::spawn_local(take_over(taken));
        Self {
            socket: upgraded(theirs).await,
            session,
        }
    }

    async fn message(&mut self) -> Message {
        self.socket.next().await.unwrap().unwrap()
    }

    async fn fragment(&mut self) -> Bytes {
        match self.message().await {
            Message::Binary(bytes) => bytes,
            other => panic!("{other}"),
        }
    }

    /// What comes before pictures.
    async fn init(&mut self) {
        let Message::Text(text) = self.message().await else {
            panic!("no text");
        };
        assert_eq!(
            text.as_str(),
            "{\"type\":\"init\",\"mime\":\"video/mp4; codecs=\\\"avc1.42c00a\\\"\",\
             \"codec\":\"avc1.42c00a\",\"width\":64,\"height\":48}"
        );
        assert_eq!(&self.fragment().await[4..8], b"ftyp");
    }

    /// With which code the server closes.
    async fn closed(mut self) -> u16 {
        loop {
            if let Message::Close(Some(frame)) = self.message().await {
                return frame.code.into();
            }
        }
    }
}

/// A browser's end of a connection, and ours, by which its handshake has come.
async fn connected() -> (TcpStream, TakenOver) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (theirs, ours) = tokio::join!(connecting, listener.accept());
    let read = b"GET /door/mse HTTP/1.1\r\n\r\n".to_vec();
    let taken = TakenOver::new(Socket::Tcp(ours.unwrap().0), Some(read));
    (theirs.unwrap(), taken)
}

/// A browser's WebSocket, once its handshake was answered.
async fn upgraded(mut theirs: TcpStream) -> WebSocketStream<TcpStream> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(theirs.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    WebSocketStream::from_raw_socket(theirs, Role::Client, None).await
}

/// Whether a fragment ends with a picture's slice.
fn is_of(fragment: &[u8], picture: &Coded) -> bool {
    let slice = picture.annex_b.rsplit(|byte| *byte == 1).next();
    fragment[4..8] == *b"prft" && slice.is_some_and(|slice| fragment.ends_with(slice))
}

#[test]
fn a_viewer_gets_what_it_needs_and_then_pictures() {
    run(async {
        let feeds = feeds();
        let mut page = Page::open(&feeds).await;
        assert_eq!(feeds.viewers(&door()), 1);
        feeds.offer(&door(), coded(false, 1, 0));
        let key = coded(true, 2, 33);
        feeds.offer(&door(), key.clone());
        page.init().await;
        assert!(is_of(&page.fragment().await, &key));
        for number in 3..6 {
            let next = coded_of(false, number, 33 * number, &[number as u8; 5]);
            feeds.offer(&door(), next.clone());
            assert!(is_of(&page.fragment().await, &next), "{number}");
        }
        page.socket.close(None).await.unwrap();
        until(|| feeds.viewers(&door()) == 0).await;
        page.session.await.unwrap();
    });
}

#[test]
fn a_browser_that_is_killed_is_no_demand_any_more() {
    run(async {
        let feeds = feeds();
        let page = Page::open(&feeds).await;
        drop(page.socket);
        until(|| feeds.viewers(&door()) == 0).await;
        page.session.await.unwrap();
    });
}

#[test]
fn a_keyframe_may_be_asked_for() {
    run(async {
        let feeds = feeds();
        let mut page = Page::open(&feeds).await;
        assert!(!feeds.offer(&door(), coded(true, 1, 0)));
        page.init().await;
        page.fragment().await;
        page.socket.send(Message::text("k")).await.unwrap();
        for number in 2.. {
            if feeds.offer(&door(), coded(false, number, 33 * number)) {
                return;
            }
            page.fragment().await;
        }
    });
}

#[test]
fn who_floods_or_sends_what_is_not_taken_is_sent_away() {
    run(async {
        let feeds = feeds();
        let mut page = Page::open(&feeds).await;
        for _ in 0..21 {
            page.socket.feed(Message::text("?")).await.unwrap();
        }
        page.socket.flush().await.unwrap();
        assert_eq!(page.closed().await, 1008);
        let mut page = Page::open(&feeds).await;
        let sent = page.socket.send(Message::Binary(Bytes::from_static(b"x")));
        sent.await.unwrap();
        assert_eq!(page.closed().await, 1003);
        let mut page = Page::open(&feeds).await;
        let sent = page.socket.send(Message::text("x".repeat(1025)));
        sent.await.unwrap();
        assert_eq!(page.closed().await, 1009);
        let mut page = Page::open(&feeds).await;
        // A frame that is not masked.
        let sent = page.socket.get_mut().write_all(&[0x81, 1, b'k']);
        sent.await.unwrap();
        assert_eq!(page.closed().await, 1002);
        until(|| feeds.viewers(&door()) == 0).await;
    });
}

#[test]
fn a_reason_is_no_longer_than_a_close_may_be() {
    run(async {
        let (theirs, taken) = connected().await;
        let handshake = Handshake::read(&request(&ASKED), PROTOCOL).unwrap();
        let ours = async {
            let connection = Connection::open(handshake, taken).await.unwrap();
            connection.close(1011, &"ü".repeat(100)).await;
        };
        let theirs = async { upgraded(theirs).await.next().await };
        let Some(Ok(Message::Close(Some(frame)))) = tokio::join!(ours, theirs).1 else {
            panic!("it is not closed");
        };
        assert_eq!(frame.reason.as_str(), "ü".repeat(61));
    });
}

#[test]
fn a_ping_is_answered() {
    run(async {
        let feeds = feeds();
        let mut page = Page::open(&feeds).await;
        let ping = Message::Ping(Bytes::from_static(b"there?"));
        page.socket.send(ping).await.unwrap();
        let answer = Message::Pong(Bytes::from_static(b"there?"));
        assert_eq!(page.message().await, answer);
    });
}

#[test]
fn a_slow_viewer_misses_pictures_up_to_a_keyframe_and_delays_nobody() {
    run(async {
        let feeds = feeds();
        let mut slow = Page::open(&feeds).await;
        let mut quick = Page::open(&feeds).await;
        // More than the socket's memory holds, in all.
        let slice = |number: u64| vec![number as u8 | 0x80; 200_000];
        for number in 1..80 {
            let is_key = number == 1;
            let picture = coded_of(is_key, number, 33 * number, &slice(number));
            feeds.offer(&door(), picture.clone());
            if is_key {
                quick.init().await;
            }
            assert!(is_of(&quick.fragment().await, &picture), "{number}");
        }
        // What the slow one gets is a beginning without gaps, and goes on at a keyframe.
        let key = coded_of(true, 80, 80 * 33, &slice(80));
        slow.init().await;
        let mut numbers = Vec::new();
        let reading = async {
            while numbers.last() != Some(&80) {
                let fragment = slow.fragment().await;
                numbers.push(u64::from(fragment[fragment.len() - 1] & 0x7F));
            }
        };
        let offering = async {
            loop {
                sleep(Duration::from_millis(20)).await;
                feeds.offer(&door(), key.clone());
            }
        };
        tokio::select! {
            () = reading => {}
            () = offering => {}
        }
        let chain: Vec<_> = (1..).take(numbers.len() - 1).collect();
        assert_eq!(numbers[..numbers.len() - 1], chain);
        assert!(numbers.len() < 60, "{}", numbers.len());
    });
}

#[test]
fn what_is_no_handshake_gets_an_answer() {
    let feeds = feeds();
    let mse = Mse::default();
    let status = |camera: &str, request: &Parts, free| {
        let camera = camera.parse().unwrap();
        status(&mse.respond(&feeds, &camera, request, Peer::Unix, free))
    };
    assert_eq!(status("door", &request(&ASKED), 1), None);
    assert_eq!(status("window", &request(&ASKED), 1), Some(404));
    assert_eq!(status("door", &request(&[]), 1), Some(426));
    assert_eq!(status("door", &request(&ASKED[..3]), 1), Some(400));
    assert_eq!(status("door", &request(&ASKED), 0), Some(503));
    // A page cannot read that, and asks so.
    assert_eq!(status("door", &request(&[]), 0), Some(503));
}

fn status(outcome: &Outcome) -> Option<u16> {
    match outcome {
        Outcome::Response(response) => Some(response.status().as_u16()),
        _ => None,
    }
}

#[test]
fn one_address_has_as_many_as_it_may_have_and_others_theirs() {
    let (feeds, mse) = (feeds(), Mse::default());
    let open = |host: u8| {
        let peer = Peer::Tcp(([192, 0, 2, host], 1000).into());
        mse.respond(&feeds, &door(), &request(&ASKED), peer, 100)
    };
    let mut opened: Vec<_> = (0..16).map(|_| open(1)).collect();
    assert!(opened.iter().all(|outcome| status(outcome).is_none()));
    assert_eq!(status(&open(1)), Some(429));
    assert_eq!(status(&open(2)), None);
    assert_eq!(feeds.viewers(&door()), 16, "who is refused is none");
    opened.pop();
    assert_eq!(status(&open(1)), None);
}
