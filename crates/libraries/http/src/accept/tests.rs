//! When connections are accepted, and when no more are.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream as StdUnixStream;

use hyper::Request;
use hyper::body::Incoming;
use nix::libc;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use super::*;
use crate::connection::{Arrival, Outcome};
use crate::door::ServeOptions;
use crate::host::Advice;
use crate::response::FullResponse;

const IDLE: Duration = Duration::from_secs(60);

struct Silent;

impl Handler for Silent {
    async fn handle(self: Rc<Self>, _: Request<Incoming>, _: Arrival) -> Outcome {
        Outcome::Response(FullResponse::default())
    }
}

fn acceptor() -> Acceptor<Http<Silent>> {
    let options = ServeOptions {
        idle_exit: Some(IDLE),
        ..ServeOptions::default()
    };
    let advice = Advice {
        program: "eyelid-server".to_owned(),
        has_file: false,
    };
    let door = Door::new(options, advice, 1024).unwrap();
    Acceptor::new(Rc::new(door), Rc::new(Silent))
}

/// Accepts until there is a reason to end. Gives that, and how long it took by the stopped clock.
async fn end(acceptor: &mut Acceptor<Http<Silent>>, listeners: &[Listener]) -> (End, Duration) {
    let start = Instant::now();
    let mut signals = [signal(SignalKind::user_defined2()).unwrap()];
    let pulse = Pulse::default();
    let end = acceptor.accept_until_done(listeners, &mut signals, &pulse);
    (end.await, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn ends_when_nobody_has_been_connected_for_long_enough() {
    let test = async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let mut acceptor = acceptor();
        // It connects before anything is accepted, and stays for longer than nobody may.
        let client = StdUnixStream::connect(&path).unwrap();
        let leave = async {
            tokio::time::sleep(IDLE / 12).await;
            drop(client);
        };
        tokio::task::spawn_local(leave);
        let listeners = [Listener::Unix(listener, None)];
        let (end, took) = end(&mut acceptor, &listeners).await;
        assert_eq!(end, End::Idle);
        assert!(took >= IDLE + IDLE / 12 && took < IDLE * 2, "{took:?}");
        assert_eq!(acceptor.protocol.door.counts().accepted, 1);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_listening_socket_it_ends_with_the_last_connection() {
    let test = async {
        let mut acceptor = acceptor();
        let (near, far) = UnixStream::pair().unwrap();
        acceptor.take(Socket::Unix(near));
        tokio::task::spawn_local(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(far);
        });
        let (end, took) = end(&mut acceptor, &[]).await;
        assert_eq!(end, End::Served);
        assert!(took >= Duration::from_secs(1) && took < IDLE, "{took:?}");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_flood_on_one_socket_hides_none_of_the_others() {
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        listeners.push(Listener::Tcp(listener));
    }
    let connect = |address: &SocketAddr| TcpStream::connect(address).unwrap();
    let _flood: Vec<TcpStream> = (0..5).map(|_| connect(&addresses[0])).collect();
    let _other = connect(&addresses[1]);
    let (mut first, mut accepted) = (0, Vec::new());
    for _ in 0..2 {
        match accept(&listeners, &mut first).await.unwrap() {
            Accepted::Client(Socket::Tcp(stream)) => accepted.push(stream.local_addr().unwrap()),
            _ => panic!("another socket"),
        }
    }
    assert!(accepted.contains(&addresses[1]), "{accepted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shortage_costs_who_waits_a_connection_or_else_a_pause() {
    let mut acceptor = acceptor();
    let shortage = || Err(io::Error::from_raw_os_error(libc::EMFILE));
    let left = Err(io::ErrorKind::ConnectionAborted.into());
    assert_eq!(acceptor.accepted(left), None);
    let waiting = acceptor.protocol.door.admission.enter();
    assert_eq!(acceptor.accepted(shortage()), None);
    assert_eq!(acceptor.protocol.door.counts().shed, 1);
    waiting.until_shed().await;
    let until = acceptor.accepted(shortage());
    assert_eq!(until, Some(Instant::now() + ACCEPT_PAUSE));
}
