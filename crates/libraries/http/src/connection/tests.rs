//! One connection, its client on the other end of a socket pair.

use std::cell::RefCell;

use eyelid_daemon::listening::bind_seqpacket;
use eyelid_daemon::readiness::readable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;
use tokio::task::{LocalSet, yield_now};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::door::ServeOptions;
use crate::hand_over::{Recipients, poll_accept};
use crate::host::Advice;
use crate::response::typed;

/// Answers with the path of a request, or hands its connection over where it can; `/wait` once it
/// is let, and `/take` by taking the connection over. `/refuse` is refused once it is let,
/// `/refuse/take` by one that is taken over.
#[derive(Default)]
struct Echo {
    answered: RefCell<Vec<String>>,
    let_go: Notify,
    /// The programs that connections are handed over to.
    others: Option<Recipients>,
    /// What was read of a connection that was taken over, and what of it behind the head.
    taken: RefCell<Option<(Vec<u8>, Vec<u8>)>>,
}

impl Handler for Echo {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, _: Arrival) -> Outcome {
        let path = request.uri().path().to_owned();
        self.answered.borrow_mut().push(path.clone());
        if let Some(others) = &self.others
            && path.starts_with("/refuse")
        {
            let recipient = others.connect("other").unwrap();
            let known = Known {
                peer: Peer::Unix,
                camera: None,
                user: None,
                allow_origin: None,
            };
            return Outcome::take_over(move |taken| async move {
                recipient.hand_over(&known, taken).await;
            });
        }
        match path.as_str() {
            "/wait" => self.let_go.notified().await,
            "/take" => {
                return Outcome::take_over(move |taken| async move {
                    let behind = taken.read_behind_head().to_vec();
                    self.taken
                        .replace(Some((taken.read.clone().unwrap(), behind)));
                    taken.socket.send(b"taken").await.unwrap();
                });
            }
            "/refuse" | "/refuse/take" => {
                return Outcome::refused(async move {
                    self.let_go.notified().await;
                    if path == "/refuse" {
                        return Outcome::Response(typed(Bytes::from(path), "text/plain"));
                    }
                    Outcome::take_over(|taken| async move {
                        taken.socket.send(b"refused").await.unwrap();
                        pending::<()>().await;
                    })
                });
            }
            _ => {}
        }
        Outcome::Response(typed(Bytes::from(path), "text/plain"))
    }
}

/// A program that has room for one client at once.
struct Program {
    door: Rc<Door>,
    echo: Rc<Echo>,
}

impl Program {
    fn new() -> Self {
        Self::with(Echo::default())
    }

    fn with(echo: Echo) -> Self {
        let options = ServeOptions {
            max_clients: 1,
            ..ServeOptions::default()
        };
        let advice = Advice {
            program: "eyelid-server".to_owned(),
            has_file: false,
        };
        Self {
            door: Rc::new(Door::new(options, advice, 1024).unwrap()),
            echo: Rc::new(echo),
        }
    }

    /// Serves what is handed over at this socket.
    fn take_over_at(&self, listener: OwnedFd) {
        let (door, echo) = (self.door.clone(), self.echo.clone());
        tokio::task::spawn_local(async move {
            let listener = readable(listener).unwrap();
            loop {
                let link = poll_fn(|cx| poll_accept(&listener, cx)).await.unwrap();
                tokio::task::spawn_local(serve_handed_over(door.clone(), echo.clone(), link));
            }
        });
    }

    /// Waits until so many requests have come to the handler.
    async fn requests(&self, count: usize) {
        let come = async {
            while self.echo.answered.borrow().len() < count {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(HEADER_TIMEOUT / 2, come).await.unwrap();
    }

    /// A client that has connected.
    fn client(&self) -> UnixStream {
        let (near, far) = UnixStream::pair().unwrap();
        let permit = self.door.admission.enter();
        tokio::task::spawn_local(serve(
            self.door.clone(),
            self.echo.clone(),
            Socket::Unix(near),
            permit,
        ));
        far
    }
}

/// Runs tasks of one thread on a clock that is stopped.
async fn local(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

/// Sends a request's head.
async fn ask(client: &mut UnixStream, path: &str) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
}

/// Reads a response that has a length.
async fn response(client: &mut UnixStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8(read.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() == length.unwrap().parse::<usize>().unwrap() {
                return text;
            }
        }
        assert_ne!(client.read_buf(&mut read).await.unwrap(), 0, "{text}");
    }
}

/// Reads what comes until the other side closes.
async fn rest(client: &mut UnixStream) -> String {
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    rest
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_connection_over_has_what_came_since_the_last_answer() {
    local(async {
        let program = Program::new();
        let mut client = program.client();
        ask(&mut client, "/first").await;
        assert!(response(&mut client).await.ends_with("/first"));
        let second = b"GET /take HTTP/1.1\r\nHost: x\r\n\r\nbehind";
        client.write_all(second).await.unwrap();
        assert_eq!(rest(&mut client).await, "taken");
        let (read, behind) = program.echo.taken.take().unwrap();
        assert_eq!((&read[..], &behind[..]), (&second[..], &b"behind"[..]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_who_is_being_answered_is_a_client() {
    local(async {
        let program = Program::new();
        let (mut idle, mut one, mut other) = (program.client(), program.client(), program.client());
        ask(&mut idle, "/first").await;
        response(&mut idle).await;
        ask(&mut one, "/wait").await;
        program.requests(2).await;
        ask(&mut other, "/second").await;
        let refused = rest(&mut other).await;
        assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
        assert_eq!(program.door.counts().turned_away, 1);
        program.echo.let_go.notify_one();
        assert!(response(&mut one).await.ends_with("/wait"));
        ask(&mut idle, "/third").await;
        assert!(response(&mut idle).await.ends_with("/third"));
        let answered = program.echo.answered.borrow();
        assert_eq!(*answered, ["/first", "/wait", "/third"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_no_client_and_goes_for_another() {
    local(async {
        let program = Program::new();
        let (mut refused, mut taken) = (program.client(), program.client());
        ask(&mut refused, "/refuse").await;
        ask(&mut taken, "/refuse/take").await;
        program.requests(2).await;
        let mut proper = program.client();
        ask(&mut proper, "/proper").await;
        assert!(response(&mut proper).await.ends_with("/proper"));
        program.echo.let_go.notify_waiters();
        assert!(response(&mut refused).await.ends_with("/refuse"));
        let mut word = [0; 7];
        taken.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"refused");
        ask(&mut proper, "/still").await;
        assert!(response(&mut proper).await.ends_with("/still"));
        while program.door.admission.shed() {}
        let gone = timeout(HEADER_TIMEOUT, rest(&mut taken)).await;
        assert_eq!(gone.unwrap(), "");
    })
    .await;
}

#[tokio::test]
async fn who_is_refused_by_another_program_is_no_client_of_this_one_either() {
    local(async {
        let doors = tempfile::tempdir().unwrap();
        let other = Program::new();
        other.take_over_at(bind_seqpacket(&doors.path().join("other")).unwrap());
        let program = Program::with(Echo {
            others: Some(Recipients::new(doors.path().to_owned())),
            ..Echo::default()
        });
        let mut clients = [(); 3].map(|()| program.client());
        for (count, (client, path)) in
            (1..).zip(
                clients
                    .iter_mut()
                    .zip(["/refuse", "/refuse/take", "/refuse"]),
            )
        {
            ask(client, path).await;
            other.requests(count).await;
            // That is heard: there is room for one, and nobody has it.
            let has_room = async {
                let probe = program.door.admission.enter();
                while !probe.serve(1) {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(HEADER_TIMEOUT, has_room).await.unwrap();
        }
        let [mut refused, mut taken, mut shed] = clients;
        other.echo.let_go.notify_one();
        assert!(rest(&mut refused).await.ends_with("/refuse"));
        other.echo.let_go.notify_one();
        let mut word = [0; 7];
        taken.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"refused");
        while program.door.admission.shed() {}
        for client in [&mut taken, &mut shed] {
            let gone = timeout(HEADER_TIMEOUT, rest(client)).await;
            assert_eq!(gone.unwrap(), "");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_read_ends_the_connection() {
    local(async {
        let program = Program::new();
        let mut client = program.client();
        let post =
            b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n";
        client.write_all(post).await.unwrap();
        let answer = rest(&mut client).await;
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        assert_eq!(*program.echo.answered.borrow(), ["/a"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_end_lets_an_answer_go_out_and_waits_for_nobody_who_asks_nothing() {
    local(async {
        let program = Program::new();
        let (mut idle, mut busy) = (program.client(), program.client());
        ask(&mut busy, "/wait").await;
        program.requests(1).await;
        let start = Instant::now();
        program.door.stop();
        assert_eq!(rest(&mut idle).await, "");
        program.echo.let_go.notify_one();
        assert!(rest(&mut busy).await.ends_with("/wait"));
        assert!(start.elapsed() < HEADER_TIMEOUT / 2, "it was waited for");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_is_not_waited_for() {
    local(async {
        let program = Program::new();
        let mut client = program.client();
        let start = Instant::now();
        let trickle = async {
            while client.write_all(b"x").await.is_ok() {
                sleep(HEADER_TIMEOUT / 20).await;
            }
        };
        timeout(HEADER_TIMEOUT * 2, trickle).await.unwrap();
        assert!(start.elapsed() >= HEADER_TIMEOUT);
        assert!(program.echo.answered.borrow().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_longest_goes_for_another() {
    local(async {
        let program = Program::new();
        let (mut first, mut second) = (program.client(), program.client());
        yield_now().await;
        assert!(program.door.admission.shed());
        assert_eq!(rest(&mut first).await, "");
        ask(&mut second, "/second").await;
        assert!(response(&mut second).await.ends_with("/second"));
    })
    .await;
}
