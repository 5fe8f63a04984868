//! Who takes part, and what that is to those who do not.

use eyelid_consumer::{Deadline, RateCap};
use eyelid_slot::CameraName;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{advance, sleep};

use super::*;
use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::stream::Stream;
use crate::testing::{DEADLINE, PLAIN, Slot};
use crate::writer::StreamWriter;

const MS: Duration = Duration::from_millis(1);
const FRAME_BYTES: u64 = 98_000;

/// Nothing but a hang takes so long.
const HUNG: Duration = Duration::from_secs(60);

/// Two ends of a connection on loopback.
async fn connection() -> (Rc<Socket>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(client, listener.accept());
    let socket = Socket::Tcp(server.unwrap().0);
    socket.prepare();
    (Rc::new(socket), client.unwrap())
}

/// A client that gets nothing but what a test says.
async fn taker(all: &Rc<TurnTakers>) -> TurnTaker {
    let (socket, _) = connection().await;
    TurnTaker::new(all.clone(), socket, None)
}

/// A frame that takes so long, and after which the source rests for so long.
async fn frame(taker: &TurnTaker, took: Duration, rest: Duration, shows_link: bool) {
    taker.on_write(now(), FRAME_BYTES);
    advance(took).await;
    taker.on_drained(Waited::Yes, shows_link);
    advance(rest).await;
    taker.on_next_frame(Some(30.0));
}

#[tokio::test(start_paused = true)]
async fn who_is_late_twice_takes_part_and_leaves_when_it_keeps_up() {
    let all = Rc::new(TurnTakers::default());
    let taker = taker(&all).await;
    frame(&taker, MS * 80, MS * 5, true).await;
    assert!(!taker.takes_part());
    frame(&taker, MS * 80, MS * 5, true).await;
    assert!(taker.takes_part());
    assert_eq!(taker.sending(), Sending::Freely);
    for _ in 1..30 {
        frame(&taker, MS * 20, MS * 13, true).await;
        assert!(taker.takes_part());
    }
    frame(&taker, MS * 20, MS * 13, true).await;
    assert!(!taker.takes_part());
    assert_eq!(all.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_late_now_and_then_or_has_a_slow_source_or_a_rate_of_its_own_takes_no_part() {
    let taker = taker(&Rc::default()).await;
    for _ in 0..10 {
        frame(&taker, MS * 80, MS * 5, true).await;
        frame(&taker, MS * 20, MS * 13, true).await;
    }
    for _ in 0..10 {
        frame(&taker, MS * 80, MS * 120, true).await;
    }
    for _ in 0..10 {
        // Nobody looked when that had drained.
        taker.on_write(now(), FRAME_BYTES);
        advance(MS * 200).await;
        taker.on_drained(Waited::No, true);
        taker.on_next_frame(Some(30.0));
    }
    assert!(!taker.takes_part());
}

#[tokio::test(start_paused = true)]
async fn hiccups_far_apart_are_not_two_in_a_row() {
    let taker = taker(&Rc::default()).await;
    for _ in 0..10 {
        frame(&taker, MS * 80, MS * 5, true).await;
        for _ in 0..100 {
            // As while it keeps up: each frame goes when it comes.
            taker.on_write_in_passing(now());
            advance(MS * 33).await;
        }
    }
    assert!(!taker.takes_part());
}

#[tokio::test(start_paused = true)]
async fn who_shows_no_link_takes_no_part_and_leaves() {
    let all = Rc::new(TurnTakers::default());
    let hidden = taker(&all).await;
    for _ in 0..10 {
        frame(&hidden, MS * 80, MS * 5, false).await;
    }
    assert!(!hidden.takes_part());
    let taker = taker(&all).await;
    for _ in 0..2 {
        frame(&taker, MS * 80, MS * 5, true).await;
    }
    assert_eq!(all.count(), 1);
    frame(&taker, MS * 80, MS * 5, false).await;
    assert_eq!(all.count(), 0);
    for _ in 0..2 {
        frame(&taker, MS * 80, MS * 5, true).await;
    }
    assert_eq!(all.count(), 1);
    drop(taker);
    assert_eq!(all.count(), 0);
}

#[tokio::test]
async fn clients_that_keep_up_take_no_part() {
    let test = async {
        let (mut slot, all) = (Slot::new(), Rc::new(TurnTakers::default()));
        slot.watch();
        let (clients, camera) = (Rc::new(Clients::default()), CameraName::default());
        for _ in 0..5 {
            let (socket, mut client) = connection().await;
            let turn = TurnTaker::new(all.clone(), socket.clone(), None);
            let entry = clients.enter("loopback".to_owned(), None, camera.clone(), None);
            let counters = Metrics::new().streams(&camera);
            let writer = StreamWriter::new(socket, entry, PLAIN, counters, None, Some(turn));
            let stream = Stream {
                view: slot.cameras.view(slot.camera(), None),
                writer: Rc::new(writer),
                head: Vec::new(),
                deadline: DEADLINE,
            };
            tokio::task::spawn_local(stream.run());
            tokio::task::spawn_local(async move {
                let mut buffer = vec![0; 1 << 20];
                while client.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
            });
        }
        let fewest_sent = || clients.list().iter().map(|client| client.sent.get()).min();
        for frame in 1..=40 {
            slot.publish(98_000);
            // The next one comes when this one has gone to all.
            while fewest_sent() < Some(frame) {
                sleep(MS).await;
            }
            assert_eq!(all.count(), 0, "frame {frame}");
        }
    };
    let local = LocalSet::new();
    let test = local.run_until(test);
    timeout(HUNG, test).await.unwrap();
}

#[tokio::test]
async fn a_client_with_a_rate_of_its_own_is_not_waited_for_until_its_next_frame_is_due() {
    let test = async {
        let (mut slot, all) = (Slot::new(), Rc::new(TurnTakers::default()));
        slot.watch();
        let (clients, camera) = (Rc::new(Clients::default()), CameraName::default());
        let (socket, mut client) = connection().await;
        let turn = TurnTaker::new(all.clone(), socket.clone(), None);
        turn.enter();
        let entry = clients.enter("loopback".to_owned(), None, camera.clone(), None);
        let counters = Metrics::new().streams(&camera);
        let writer = StreamWriter::new(socket, entry, PLAIN, counters, None, Some(turn));
        let writer = Rc::new(writer);
        // Not over before the test is, and no frame too old for it.
        let interval = HUNG * 2;
        let stream = Stream {
            view: slot
                .cameras
                .view(slot.camera(), Some(RateCap::new(interval))),
            writer: writer.clone(),
            head: Vec::new(),
            deadline: Deadline {
                timeout: interval,
                max_age: interval,
            },
        };
        tokio::task::spawn_local(stream.run());
        tokio::task::spawn_local(async move {
            let mut buffer = vec![0; 1 << 20];
            while client.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
        });
        slot.publish(98_000);
        while clients.list()[0].sent.get() == 0 {
            sleep(MS).await;
        }
        let taker = writer.turn.as_ref().unwrap();
        // A copy is told, so that this changes nothing.
        let is_waited_for = || {
            let mut punctuality = *taker.punctuality.borrow();
            punctuality.on_drained(now(), Waited::No)
        };
        while is_waited_for() {
            sleep(MS).await;
        }
        // Whether it still takes part depends on how fast loopback was (`Pacer::shows_link`).
        assert_eq!(clients.list()[0].sent.get(), 1);
    };
    let local = LocalSet::new();
    let test = timeout(HUNG, local.run_until(test));
    test.await.expect("the others wait for it");
}
