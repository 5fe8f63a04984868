//! What a client gets of the frames that come, on a socket pair and a clock that is stopped.

use eyelid_slot::CameraName;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::LocalSet;
use tokio::time::Instant as Clock;

use super::*;
use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::testing::{PLAIN, Slot};

const FRAME_BYTES: usize = 1000;

/// A writer, and its client's end of the socket.
fn writer() -> (StreamWriter, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let camera = CameraName::default();
    let clients = Rc::new(Clients::default());
    let entry = clients.enter("unix".to_owned(), None, camera.clone(), None);
    let counters = Metrics::new().streams(&camera);
    let socket = Rc::new(Socket::Unix(near));
    let writer = StreamWriter::new(socket, entry, PLAIN, counters, None, None);
    (writer, far)
}

/// Reads as many bytes.
async fn read(client: &mut UnixStream, bytes: usize) -> Vec<u8> {
    let mut read = vec![0; bytes];
    client.read_exact(&mut read).await.unwrap();
    read
}

/// Sends frames and has them read, until as much is known of the socket as is asked at first.
async fn acquaint(writer: &StreamWriter, client: &mut UnixStream, frames: &[Rc<SharedFrame>]) {
    for frame in frames {
        writer.drained().await.unwrap();
        writer.send(frame, 0).await.unwrap();
        read(client, part(frame).len()).await;
    }
    writer.drained().await.unwrap();
}

fn part(frame: &SharedFrame) -> &[u8] {
    PLAIN.part_of(frame)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_keeps_up_takes_a_whole_frame_in_passing() {
    let test = async {
        let frames = Slot::new().frames(6, FRAME_BYTES).await;
        let (writer, mut client) = writer();
        acquaint(&writer, &mut client, &frames[..3]).await;
        let newest = &frames[5];
        let taken = writer.offer(newest, now());
        assert!(matches!(taken, ControlFlow::Continue(())), "{taken:?}");
        assert_eq!(read(&mut client, part(newest).len()).await, part(newest));
        assert_eq!(writer.last(), newest.position());
        let counted = &writer.entry.client;
        assert_eq!((counted.sent.get(), counted.skipped.get()), (4, 2));
        let bytes: usize = frames[..3]
            .iter()
            .chain([newest])
            .map(|f| part(f).len())
            .sum();
        assert_eq!(counted.bytes.get(), bytes as u64);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_behind_what_has_not_been_taken() {
    let test = async {
        let frames = Slot::new().frames(5, 8 * FRAME_BYTES).await;
        let (writer, mut client) = writer();
        acquaint(&writer, &mut client, &frames[..3]).await;
        writer.send(&frames[3], 0).await.unwrap();
        let taken = writer.offer(&frames[4], now());
        assert!(
            matches!(taken, ControlFlow::Break(Wake::Backlogged)),
            "{taken:?}"
        );
        assert_eq!(writer.last(), frames[3].position());
        read(&mut client, part(&frames[3]).len()).await;
        writer.drained().await.unwrap();
        let taken = writer.offer(&frames[4], now());
        assert!(taken.is_continue(), "{taken:?}");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_frame_too_large_for_the_socket_follows() {
    let test = async {
        let mut slot = Slot::new();
        let frames = slot.frames(3, FRAME_BYTES).await;
        let large = slot.frames(1, 4 << 20).await;
        let (writer, mut client) = writer();
        acquaint(&writer, &mut client, &frames).await;
        let sent_bytes = match writer.offer(&large[0], now()) {
            ControlFlow::Break(Wake::Partial(_, bytes)) => bytes,
            other => panic!("{other:?}"),
        };
        assert_eq!(writer.last(), frames[2].position(), "it has not all gone");
        let (sent, got) = tokio::join!(
            writer.send(&large[0], sent_bytes),
            read(&mut client, part(&large[0]).len())
        );
        sent.unwrap();
        assert!(got == part(&large[0]));
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_fails_and_one_that_takes_nothing_for_long_is_gone() {
    let test = async {
        let frames = Slot::new().frames(4, 8 * FRAME_BYTES).await;
        let (left, mut client) = writer();
        acquaint(&left, &mut client, &frames[..3]).await;
        drop(client);
        let taken = left.offer(&frames[3], now());
        assert!(
            matches!(taken, ControlFlow::Break(Wake::Failed(_))),
            "{taken:?}"
        );
        let (stalled, _client) = writer();
        stalled.send(&frames[0], 0).await.unwrap();
        let start = Clock::now();
        let error = stalled.drained().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() > STALL && start.elapsed() < STALL * 2);
    };
    LocalSet::new().run_until(test).await;
}
