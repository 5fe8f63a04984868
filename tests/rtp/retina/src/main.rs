//! usage: eyelid-tests-retina URL tcp|udp FRAMES DIRECTORY [USER PASSWORD]
//!
//! Plays a stream by retina, as strictly as it can be told to be, and writes so many frames into
//! files of DIRECTORY, in their order: the JPEGs that its depacketizer makes of the packets. What
//! retina finds wrong, and a packet that is missing, is an error.

use std::env::args;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt;
use retina::client::{
    Credentials, InitialSequenceNumberPolicy, InitialTimestampPolicy, PlayOptions, Session,
    SessionGroup, SessionIdPolicy, SessionOptions, SetupOptions, TeardownPolicy, Transport,
    UnassignedChannelDataPolicy, UnknownRtcpSsrcPolicy,
};
use retina::codec::{CodecItem, VideoFrame};
use tokio::time::timeout;

/// Longer than any frame takes to come, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two frames of one stream.
const LONGEST_JUMP_S: NonZeroU32 = NonZeroU32::new(10).expect("not 0");

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = args().skip(1).collect();
    let (place, credentials) = match &arguments[..] {
        [place @ .., user, password] if place.len() == 4 => {
            let (username, password) = (user.clone(), password.clone());
            (place, Some(Credentials { username, password }))
        }
        place if place.len() == 4 => (place, None),
        _ => bail!("usage: URL tcp|udp FRAMES DIRECTORY [USER PASSWORD]"),
    };
    let [url, transport, frames, directory] = place else {
        unreachable!("it has four words");
    };
    let frames = frames.parse().context("the number of frames")?;
    let transport = transport.parse().context("the transport")?;
    play(url, transport, credentials, frames, directory.as_ref()).await
}

async fn play(
    url: &str,
    transport: Transport,
    credentials: Option<Credentials>,
    frames: usize,
    directory: &Path,
) -> anyhow::Result<()> {
    let group = Arc::new(SessionGroup::default());
    let options = SessionOptions::default()
        .creds(credentials)
        .session_group(group.clone())
        .teardown(TeardownPolicy::Always)
        .unassigned_channel_data(UnassignedChannelDataPolicy::Error)
        .session_id(SessionIdPolicy::RequireMatch);
    let mut session = timeout(PATIENCE, Session::describe(url.parse()?, options)).await??;
    let [stream] = session.streams() else {
        bail!("not one stream: {:?}", session.streams());
    };
    ensure!(stream.encoding_name() == "jpeg", "{stream:?}");
    ensure!(stream.clock_rate_hz() == 90_000, "{stream:?}");
    let set_up = session.setup(0, SetupOptions::default().transport(transport));
    timeout(PATIENCE, set_up).await??;
    let options = PlayOptions::default()
        .initial_timestamp(InitialTimestampPolicy::Require)
        .initial_seq(InitialSequenceNumberPolicy::Respect)
        .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::AbortSession)
        .enforce_timestamps_with_max_jump_secs(LONGEST_JUMP_S);
    let mut items = timeout(PATIENCE, session.play(options)).await??.demuxed()?;
    let (mut seen, mut last) = (0, None);
    // A report says when frames were captured, so one has to come, too.
    let mut reported = false;
    while seen < frames || !reported {
        let item = timeout(PATIENCE, items.next()).await?;
        match item.context("the stream has ended")?? {
            CodecItem::VideoFrame(frame) => {
                check(&frame, last)?;
                last = Some(frame.timestamp().timestamp());
                seen += 1;
                if seen <= frames {
                    std::fs::write(directory.join(format!("{seen:03}.jpg")), frame.data())?;
                }
            }
            CodecItem::Rtcp(_) => reported = true,
            item => bail!("unexpected: {item:?}"),
        }
    }
    drop(items);
    timeout(PATIENCE, group.await_teardown()).await??;
    Ok(())
}

fn check(frame: &VideoFrame, last_90k: Option<i64>) -> anyhow::Result<()> {
    ensure!(frame.loss() == 0, "{} packets are missing", frame.loss());
    let timestamp_90k = frame.timestamp().timestamp();
    if let Some(last_90k) = last_90k {
        ensure!(last_90k < timestamp_90k, "time stands still");
    }
    Ok(())
}
