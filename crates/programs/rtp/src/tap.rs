//! A camera as H.264, from `eyelid-video`: its socket `timed`, by which programs read all cameras.
//! To be connected to it is demand; nothing is kept here, so who does not read gets the next
//! keyframe later.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use eyelid_h264::{TIMED_SOCKET, TimedHeader};
use eyelid_slot::CameraName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::ReadHalf;

use crate::key_asks::KeyAsks;

/// Of a picture that is read; the tap promises no bound.
const MOST_BYTES: u32 = 16 << 20;

/// A connection to a camera's tap.
#[derive(Debug)]
pub(crate) struct Tap {
    stream: UnixStream,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessUnit {
    /// Its NAL units behind start codes; before the picture of a keyframe its parameter sets.
    pub(crate) annex_b: Vec<u8>,
    /// It can be decoded without any other.
    pub(crate) is_key: bool,
    /// The moment of capture.
    pub(crate) captured: SystemTime,
}

impl Tap {
    /// Connects, which wakes the camera. Its first picture is a keyframe.
    ///
    /// # Errors
    /// What the system said, as a rule that there is no such socket.
    pub(crate) async fn connect(directory: &Path, camera: &CameraName) -> io::Result<Self> {
        let mut stream = UnixStream::connect(directory.join(TIMED_SOCKET)).await?;
        let line = format!("{camera}\n");
        stream.write_all(line.as_bytes()).await?;
        Ok(Self { stream })
    }

    /// Reads the next picture, and passes on meanwhile who asks for a keyframe. It is to be read to
    /// its end: a picture that was given up is lost, and the connection with it.
    ///
    /// # Errors
    /// What the system said, or that it is no picture that came.
    pub(crate) async fn next(&mut self, asks: &KeyAsks) -> io::Result<AccessUnit> {
        let (reading, writing) = self.stream.split();
        tokio::select! {
            biased;
            never = asks.pass_on(&writing) => match never {},
            unit = AccessUnit::read(reading) => unit,
        }
    }
}

impl AccessUnit {
    async fn read(mut stream: ReadHalf<'_>) -> io::Result<Self> {
        let mut header = [0; TimedHeader::BYTES];
        stream.read_exact(&mut header).await?;
        let TimedHeader {
            length,
            is_key,
            captured,
            ..
        } = TimedHeader::of(header);
        if length > MOST_BYTES {
            let error = format!("a picture of {length} bytes, and {MOST_BYTES} are the most");
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        let mut annex_b = vec![0; length as usize];
        stream.read_exact(&mut annex_b).await?;
        Ok(Self {
            annex_b,
            is_key,
            captured,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::UnixListener;

    fn header(length: u32, flags: u32, nanoseconds: u64) -> Vec<u8> {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(flags.to_be_bytes());
        bytes.extend(nanoseconds.to_be_bytes());
        bytes.extend(7u64.to_be_bytes());
        bytes
    }

    #[tokio::test]
    async fn names_its_camera_and_reads_pictures() {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(TIMED_SOCKET)).unwrap();
        let camera: CameraName = "door".parse().unwrap();
        let (tap, accepted) =
            tokio::join!(Tap::connect(directory.path(), &camera), listener.accept());
        let (mut tap, mut far) = (tap.unwrap(), accepted.unwrap().0);
        let mut name = [0; 5];
        far.read_exact(&mut name).await.unwrap();
        assert_eq!(&name, b"door\n");
        let nanoseconds = 1_700_000_000_123_456_789;
        far.write_all(&header(3, 1, nanoseconds)).await.unwrap();
        far.write_all(&[1, 2, 3]).await.unwrap();
        far.write_all(&header(0, 2, 0)).await.unwrap();
        let asks = KeyAsks::default();
        let first = tap.next(&asks).await.unwrap();
        let captured = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        assert_eq!(
            (first.annex_b, first.is_key, first.captured),
            (vec![1, 2, 3], true, captured)
        );
        assert!(!tap.next(&asks).await.unwrap().is_key);
        far.write_all(&header(MOST_BYTES + 1, 0, 0)).await.unwrap();
        let error = tap.next(&asks).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
