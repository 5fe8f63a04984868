use super::*;
use crate::coded::Coded;
use crate::testing::{START, coded, coded_of, door, run, until};

use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::task::yield_now;

/// Taps of a camera `door`, in a directory of their own.
struct Rig {
    feeds: Rc<Feeds>,
    taps: Taps,
    directory: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let feeds = Rc::new(Feeds::stand_in(|name| *name == door()));
        let directory = tempfile::tempdir().unwrap();
        let taps = Taps::new(feeds.clone(), Some(directory.path().join("taps")));
        taps.listen(None).unwrap();
        taps.serve(&[door()]);
        Self {
            feeds,
            taps,
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("taps").join(name)
    }

    async fn connect(&self, name: &str) -> UnixStream {
        UnixStream::connect(self.path(name)).await.unwrap()
    }

    /// Offers a picture. Gives whether a keyframe was asked for.
    fn offer(&self, picture: Coded) -> bool {
        self.feeds.offer(&door(), picture)
    }
}

async fn read_exact(stream: &mut UnixStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(bytes, expected);
}

#[test]
fn other_users_may_connect_and_not_put_sockets_there() {
    run(async {
        let rig = Rig::new();
        let mode = |name: &str| fs::metadata(rig.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("door.h264"), mode(TIMED_SOCKET)), (0o666, 0o666));
        assert_eq!(mode(".") & 0o002, 0);
    });
}

#[test]
fn the_first_bytes_are_those_of_a_keyframe_and_then_all_that_comes() {
    run(async {
        let rig = Rig::new();
        let mut stream = rig.connect("door.h264").await;
        until(|| rig.feeds.viewers(&door()) == 1).await;
        rig.offer(coded(false, 1, 0));
        let key = coded(true, 2, 33);
        rig.offer(key.clone());
        read_exact(&mut stream, &key.annex_b).await;
        let next = coded(false, 3, 66);
        rig.offer(next.clone());
        read_exact(&mut stream, &next.annex_b).await;
        // Gone: nobody watches.
        drop(stream);
        until(|| rig.feeds.viewers(&door()) == 0).await;
    });
}

#[test]
fn a_reader_that_names_its_camera_is_told_the_times() {
    run(async {
        let rig = Rig::new();
        let mut stream = rig.connect("timed").await;
        stream.write_all(b"do").await.unwrap();
        yield_now().await;
        stream.write_all(b"or\nk").await.unwrap();
        until(|| rig.feeds.viewers(&door()) == 1).await;
        for (is_key, number, at_ms, flags) in
            [(true, 7, 0, 1), (false, 8, 33, 0), (true, 11, 250, 3)]
        {
            let picture = coded(is_key, number, at_ms);
            rig.offer(picture.clone());
            assert_eq!(
                stream.read_u32().await.unwrap(),
                picture.annex_b.len() as u32
            );
            assert_eq!(stream.read_u32().await.unwrap(), flags);
            let at = START + Duration::from_millis(at_ms);
            assert_eq!(u128::from(stream.read_u64().await.unwrap()), at.as_nanos());
            assert_eq!(stream.read_u64().await.unwrap(), number);
            read_exact(&mut stream, &picture.annex_b).await;
        }
    });
}

#[test]
fn a_name_of_no_camera_ends_the_connection() {
    run(async {
        let rig = Rig::new();
        for named in [&b"window\n"[..], b"..\n", b"\n", &[b'a'; 65], b"\xFF\n"] {
            let mut stream = rig.connect("timed").await;
            stream.write_all(named).await.unwrap();
            assert_eq!(stream.read_u8().await.ok(), None, "{named:?}");
        }
    });
}

#[test]
fn a_keyframe_may_be_asked_for() {
    run(async {
        let rig = Rig::new();
        let mut stream = rig.connect("door.h264").await;
        until(|| rig.feeds.viewers(&door()) == 1).await;
        let is_asked = rig.offer(coded(true, 1, 0));
        assert!(!is_asked);
        stream.write_all(b"?k").await.unwrap();
        let mut number = 1;
        loop {
            number += 1;
            let picture = coded(false, number, number * 33);
            let is_asked = rig.offer(picture);
            if is_asked {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn who_does_not_read_loses_pictures_up_to_a_keyframe_and_delays_nobody() {
    run(async {
        let rig = Rig::new();
        let mut slow = rig.connect("door.h264").await;
        let mut quick = rig.connect("door.h264").await;
        until(|| rig.feeds.viewers(&door()) == 2).await;
        // More than a socket takes.
        let slice = vec![3; 100_000];
        for number in 1..50 {
            let picture = coded_of(number == 1, number, number * 33, &slice);
            rig.offer(picture.clone());
            read_exact(&mut quick, &picture.annex_b).await;
        }
        // Whatever the slow one gets is whole, and after the gap a keyframe.
        let key = coded_of(true, 50, 50 * 33, &slice);
        let mut seen = 0;
        let reading = async {
            loop {
                let mut start = [0; 5];
                slow.read_exact(&mut start).await.unwrap();
                assert_eq!(start[..4], [0, 0, 0, 1]);
                let is_key = start[4] == 0x67;
                let whole = coded_of(is_key, 0, 0, &slice).annex_b;
                read_exact(&mut slow, &whole[5..]).await;
                seen += 1;
                if is_key && seen > 1 {
                    return;
                }
            }
        };
        let offering = async {
            loop {
                sleep(Duration::from_millis(20)).await;
                rig.offer(key.clone());
            }
        };
        tokio::select! {
            () = reading => {}
            () = offering => {}
        }
        assert!(seen < 40, "{seen}");
    });
}

#[test]
fn a_camera_that_goes_takes_its_tap_along() {
    run(async {
        let rig = Rig::new();
        let mut stream = rig.connect("door.h264").await;
        until(|| rig.feeds.viewers(&door()) == 1).await;
        rig.taps.serve(&[]);
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        until(|| !rig.path("door.h264").exists()).await;
        rig.taps.serve(&[door()]);
        rig.connect("door.h264").await;
        let (path, timed) = (rig.path("door.h264"), rig.path("timed"));
        drop(rig.taps);
        until(|| !path.exists() && !timed.exists()).await;
    });
}

#[test]
fn a_socket_has_so_many_readers_and_no_more() {
    run(async {
        let rig = Rig::new();
        let mut streams = Vec::new();
        for _ in 0..MOST_READERS {
            streams.push(rig.connect("door.h264").await);
        }
        until(|| rig.feeds.viewers(&door()) == MOST_READERS).await;
        let mut one_more = rig.connect("door.h264").await;
        assert_eq!(one_more.read(&mut [0]).await.unwrap(), 0);
        streams.pop();
        until(|| rig.feeds.viewers(&door()) < MOST_READERS).await;
        let _another = rig.connect("door.h264").await;
        until(|| rig.feeds.viewers(&door()) == MOST_READERS).await;
    });
}
