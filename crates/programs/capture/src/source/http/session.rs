//! A visit to one camera, from the moment somebody looks to the moment nobody does: a thread with a
//! runtime of its own, which asks, reads what comes as fast as it comes, and leaves the newest
//! frame. It ends when it is told to, with its sockets, or when nothing comes any more. A name that
//! is looked up just then is left to a helper thread, which ends with the resolver's own time-out.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eyelid_http_client::{Client, Login, Opened, Trust, Url};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use super::answer::{BELOW_A_PAGE, Kind, below};
use super::asking::{Asking, useless};
use super::handover::{Ended, Handover};
use super::rate::Rate;
use super::reading::Reading;

/// What a socket keeps that was not read: some frames of a camera, for a reader that was held up is
/// to go on with what is new. The system gives twice as much and bounds it by `net.core.rmem_max`
/// (208 KiB); a path of 50 ms carries 4 MB a second of it.
const RECEIVE_BUFFER_BYTES: usize = 208 << 10;

/// What is visited, and how.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) url: Url,
    pub(super) login: Option<Login>,
    pub(super) trust: Trust,
    /// From one request for a picture to the next.
    pub(super) interval: Duration,
    /// How many frames a second a stream is to have at most, if somebody says so.
    pub(super) rate: Option<Rate>,
}

/// A visit. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Session {
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Begins one.
    ///
    /// # Errors
    /// No thread.
    pub(super) fn begin(destination: Destination, handover: Arc<Handover>) -> io::Result<Self> {
        let (end, told_to_end) = oneshot::channel();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()?;
        let thread = std::thread::Builder::new().name("http".to_owned());
        let thread = thread.spawn(move || {
            let guard = EndGuard(&handover);
            runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = told_to_end => {}
                    ended = visit(destination, &handover) => handover.end(ended),
                }
            });
            drop(guard);
            // Not its end: it would wait for a name to be looked up.
            runtime.shutdown_background();
        })?;
        Ok(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // All that it does it does in steps of microseconds; only the system's authorities take
            // tens of milliseconds, once. That it has panicked is told.
            let _ = thread.join();
        }
    }
}

/// Says that nothing comes any more however the thread ends.
struct EndGuard<'a>(&'a Handover);

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0
                .end("source http: its thread has died".to_owned().into());
        }
    }
}

/// Asks and reads until nothing comes any more.
async fn visit(destination: Destination, handover: &Handover) -> Ended {
    let Err(ended) = try_visit(destination, handover).await;
    ended
}

async fn try_visit(
    destination: Destination,
    handover: &Handover,
) -> Result<std::convert::Infallible, Ended> {
    let Destination {
        mut url,
        login,
        trust,
        interval,
        rate,
    } = destination;
    let client = Client::with(trust, Some(RECEIVE_BUFFER_BYTES));
    let mut asking = Asking::new(client, url.clone(), login, rate);
    let mut reading = Reading::new(url.to_string());
    handover.wait_for(format!("{url} has not answered yet"));
    loop {
        let began = Instant::now();
        let (mut answer, mut kind);
        (answer, url, kind) = asking.ask_pictures(&url).await?;
        if kind == Kind::Page {
            (answer, url, kind) = stream_below(&mut asking, &url).await?;
        }
        if kind == Kind::Other {
            return Err(useless(&url, answer).await);
        }
        handover.left().keeps_rate = asking.keeps_rate(&answer, kind);
        reading.read(&mut answer, kind, handover).await?;
        drop(answer);
        sleep_until((began + interval).into()).await;
    }
}

/// Opens the stream, or the picture, beside a page.
async fn stream_below(asking: &mut Asking, page: &Url) -> Result<(Opened, Url, Kind), Ended> {
    for wanted in BELOW_A_PAGE {
        let Some(url) = below(page, wanted) else {
            continue;
        };
        let (answer, url, kind) = asking.ask_pictures(&url).await?;
        if matches!(kind, Kind::Stream | Kind::Picture) {
            log::info!("{page} answers with a page: its {wanted:?} is taken, a {kind:?}");
            return Ok((answer, url, kind));
        }
    }
    let tried = BELOW_A_PAGE.join(" and ");
    let why = format!(
        "{page}: answered with a page, and has no stream below it ({tried} were tried); give the \
         stream's own URL"
    );
    Err(why.into())
}
