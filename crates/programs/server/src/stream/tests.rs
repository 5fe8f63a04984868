//! What a client of a stream sees, on a socket pair and a clock that is stopped.

use eyelid_http::Socket;
use eyelid_slot::CameraName;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::{JoinHandle, LocalSet};

use super::*;
use crate::clients::Clients;
use crate::metrics::Metrics;
use crate::testing::{DEADLINE, PLAIN, Slot};

/// A stream of the slot's camera, the client's end of which the head was read, and who is in the
/// list.
async fn stream(slot: &Slot) -> (JoinHandle<()>, UnixStream, Rc<Clients>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    let (camera, clients) = (CameraName::default(), Rc::<Clients>::default());
    let entry = clients.enter("unix".to_owned(), None, camera.clone(), None);
    let counters = Metrics::new().streams(&camera);
    let socket = Rc::new(Socket::Unix(near));
    let writer = StreamWriter::new(socket, entry, PLAIN, counters, None, None);
    let stream = Stream {
        view: slot.cameras.view(slot.camera(), None),
        writer: Rc::new(writer),
        head: b"HEAD\r\n\r\n".to_vec(),
        deadline: DEADLINE,
    };
    let stream = tokio::task::spawn_local(stream.run());
    let mut head = [0; 8];
    far.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HEAD\r\n\r\n");
    (stream, far, clients)
}

/// Reads the next part. Gives what precedes its JPEG.
async fn part(client: &mut UnixStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(client.read_u8().await.unwrap()));
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut jpeg = vec![0; length.unwrap().parse().unwrap()];
    client.read_exact(&mut jpeg).await.unwrap();
    assert!(jpeg.starts_with(b"\xFF\xD8") && jpeg.ends_with(b"\xFF\xD9"));
    head
}

fn is_card(head: &str) -> bool {
    head.contains("X-Eyelid-Signal: none")
}

#[tokio::test(start_paused = true)]
async fn the_card_comes_in_time_and_again_and_gives_way_to_the_first_frame() {
    let test = async {
        let mut slot = Slot::new();
        slot.watch();
        let (_stream, mut client, clients) = stream(&slot).await;
        let start = Instant::now();
        let first = part(&mut client).await;
        assert!(first.starts_with("--boundarydonotcross\r\n") && is_card(&first));
        let waited = start.elapsed();
        assert!(waited >= DEADLINE.timeout && waited < DEADLINE.timeout * 2);
        let start = Instant::now();
        assert!(is_card(&part(&mut client).await));
        let waited = start.elapsed();
        assert!(waited >= CARD_INTERVAL && waited < CARD_INTERVAL + DEADLINE.timeout * 2);
        slot.publish(1000);
        assert!(!is_card(&part(&mut client).await));
        let listed = &clients.list()[0];
        assert_eq!((listed.sent.get(), listed.skipped.get()), (1, 0));
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn another_reason_is_another_card_at_once() {
    let test = async {
        let mut slot = Slot::new();
        slot.watch();
        let (_stream, mut client, _) = stream(&slot).await;
        assert!(is_card(&part(&mut client).await));
        let start = Instant::now();
        let failed = eyelid_slot::State {
            error: Some("it is unplugged".to_owned()),
            ..eyelid_slot::State::new(eyelid_slot::Phase::Failed, SystemTime::now())
        };
        slot.publisher.set_state(&failed).unwrap();
        assert!(is_card(&part(&mut client).await));
        assert!(start.elapsed() < CARD_INTERVAL);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stopped_gets_the_newest_frame_when_it_goes_on() {
    let test = async {
        let mut slot = Slot::new();
        slot.watch();
        let (_stream, mut client, clients) = stream(&slot).await;
        // The socket would take several of them.
        for _ in 0..6 {
            slot.publish(30_000);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!is_card(&part(&mut client).await));
        let next = part(&mut client).await;
        let listed = &clients.list()[0];
        assert_eq!((listed.sent.get(), listed.skipped.get()), (2, 4), "{next}");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_is_no_longer_in_the_list_and_looks_no_more() {
    let test = async {
        let slot = Slot::new();
        slot.watch();
        let (stream, client, clients) = stream(&slot).await;
        assert_eq!((clients.list().len(), slot.camera().viewers()), (1, 1));
        drop(client);
        stream.await.unwrap();
        assert_eq!((clients.list().len(), slot.camera().viewers()), (0, 0));
    };
    LocalSet::new().run_until(test).await;
}
