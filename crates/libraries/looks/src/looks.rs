//! The looks of a program, with its clock and its log.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_slot::CameraName;
use log::{Level, Record};
use tokio::sync::Notify;
use tokio::time::{self, sleep_until};

use crate::ledger::{Ledger, LookNow};
use crate::line::{Line, Sent};
use crate::looker::{Looker, Way};

/// It is looked at most so often which looks are over: a line may be so much late.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The looks of a program. One thread has them, so nothing in it needs a lock.
#[derive(Debug)]
pub struct Looks {
    ledger: RefCell<Ledger>,
    is_logged: Cell<bool>,
    /// A look may have no client from now on.
    quiet: Notify,
}

/// A client that looks, or will with its first frame, until it is dropped.
#[derive(Debug)]
pub struct Looking {
    looks: Rc<Looks>,
    looker: Looker,
    way: Way,
    has_begun: Cell<bool>,
}

impl Looks {
    /// Has none yet. They are counted, and told of in the log if that `is_logged`.
    pub fn new(is_logged: bool) -> Rc<Self> {
        Rc::new(Self {
            ledger: RefCell::default(),
            is_logged: Cell::new(is_logged),
            quiet: Notify::new(),
        })
    }

    /// Tells of looks in the log from now on, or does no more.
    pub fn set_logged(&self, is_logged: bool) {
        self.is_logged.set(is_logged);
    }

    /// Knows a client that is to get frames.
    pub fn looking(self: &Rc<Self>, looker: Looker, way: Way) -> Looking {
        Looking {
            looks: self.clone(),
            looker,
            way,
            has_begun: Cell::new(false),
        }
    }

    /// Somebody gets a single frame, of so many bytes.
    pub fn snapshot(&self, looker: &Looker, bytes: u64) {
        let lines = self.ledger.borrow_mut().snapshot(looker, bytes, now());
        self.tell(lines);
        self.quiet.notify_one();
    }

    /// Tells of looks when they are over.
    pub async fn run(&self) -> Infallible {
        let mut earliest = time::Instant::now();
        loop {
            let due = self.ledger.borrow().due();
            let Some(due) = due else {
                self.quiet.notified().await;
                continue;
            };
            sleep_until(earliest.max(due.into())).await;
            let lines = self.ledger.borrow_mut().over(now());
            self.tell(lines);
            earliest = time::Instant::now() + CHECK_EVERY;
        }
    }

    /// Tells of all looks that are not over: the program ends.
    pub fn end(&self) {
        let lines = self.ledger.borrow_mut().end_all(now());
        self.tell(lines);
    }

    /// The looks that there are, the oldest first.
    pub fn now(&self) -> Vec<LookNow> {
        self.ledger.borrow().now(now())
    }

    /// How many looks at each camera have begun, of those that have had any.
    pub fn counts(&self) -> BTreeMap<CameraName, u64> {
        self.ledger.borrow().counts().clone()
    }

    fn tell(&self, lines: impl IntoIterator<Item = Line>) {
        if self.is_logged.get() {
            lines.into_iter().for_each(|line| log(&line));
        }
    }
}

impl Looking {
    /// The client gets its first frame, or gets frames again; nothing if it has them already.
    pub fn begin(&self) {
        if !self.has_begun.replace(true) {
            let mut ledger = self.looks.ledger.borrow_mut();
            let line = ledger.enter(&self.looker, self.way, now());
            drop(ledger);
            self.looks.tell(line);
        }
    }

    /// The client gets no more frames. This is what it got since it began.
    pub fn end(&self, frames: u64, bytes: u64) {
        if self.has_begun.replace(false) {
            let mut ledger = self.looks.ledger.borrow_mut();
            let line = ledger.leave(&self.looker, Sent { frames, bytes }, now());
            drop(ledger);
            self.looks.tell(line);
            self.looks.quiet.notify_one();
        }
    }

    /// The user, where passwords are asked for.
    pub fn user(&self) -> Option<&str> {
        self.looker.user.as_deref()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.end(0, 0);
    }
}

fn log(line: &Line) {
    if Level::Info > log::max_level() {
        return;
    }
    log::logger().log(
        &Record::builder()
            .level(Level::Info)
            .target(module_path!())
            .module_path_static(Some(module_path!()))
            .key_values(line)
            .args(format_args!("{line}"))
            .build(),
    );
}

/// Tokio's clock, which tests may stop.
fn now() -> Instant {
    time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::tests::Fields;
    use log::{LevelFilter, Log, Metadata};
    use std::sync::Mutex;
    use tokio::time::sleep;

    /// A line that was logged: its words, and its fields.
    type Logged = (String, Vec<(String, String)>);

    static LOGGED: Mutex<Vec<Logged>> = Mutex::new(Vec::new());

    struct Kept;

    impl Log for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let mut fields = Fields::default();
            record.key_values().visit(&mut fields).unwrap();
            let line = (record.args().to_string(), fields.0);
            LOGGED.lock().unwrap().push(line);
        }

        fn flush(&self) {}
    }

    fn take_logged() -> Vec<Logged> {
        std::mem::take(&mut *LOGGED.lock().unwrap())
    }

    /// The words alone.
    fn words() -> Vec<String> {
        let logged = take_logged().into_iter();
        logged.map(|(words, _)| words).collect()
    }

    fn anna() -> Looker {
        Looker {
            camera: "door".parse().unwrap(),
            user: Some("anna".into()),
            address: "192.0.2.7".into(),
            proxy: None,
        }
    }

    /// One test, for a process has one log.
    #[tokio::test(start_paused = true)]
    async fn looks_are_in_the_log_with_their_fields_while_that_is_wanted() {
        log::set_logger(&Kept).unwrap();
        log::set_max_level(LevelFilter::Info);
        let looks = Looks::new(true);
        let scenario = async {
            let stream = looks.looking(anna(), Way::Stream);
            sleep(Duration::from_secs(5)).await;
            assert_eq!((words().len(), looks.now().len()), (0, 0), "no frame yet");
            stream.begin();
            stream.begin();
            let began = take_logged();
            assert_eq!(began.len(), 1);
            assert_eq!(
                began[0].0,
                r#""anna" at 192.0.2.7 looks at camera "door" by MJPEG"#
            );
            let has = |name: &str, value: &str| {
                let field = (name.to_owned(), value.to_owned());
                began[0].1.contains(&field)
            };
            assert!(has("EYELID_USER", "anna") && has("EYELID_LOOK", "began"));
            sleep(Duration::from_secs(4)).await;
            stream.end(60, 6000);
            drop(stream);
            sleep(Duration::from_secs(14)).await;
            assert_eq!((words().len(), looks.now().len()), (0, 1));
            sleep(Duration::from_secs(2)).await;
            let ended = words();
            assert!(
                ended[0].ends_with(": 60 frames, 6000 bytes in 4.0 s"),
                "{ended:?}"
            );
            assert_eq!((ended.len(), looks.now().len()), (1, 0));
            // Then there is nothing to wait for until the next one.
            sleep(Duration::from_secs(3600)).await;
            looks.snapshot(&anna(), 100);
            sleep(Duration::from_secs(16)).await;
            assert_eq!(words().len(), 1);
            looks.set_logged(false);
            looks.snapshot(&anna(), 100);
            sleep(Duration::from_secs(16)).await;
            assert_eq!(words().len(), 0);
            assert_eq!(looks.counts()[&anna().camera], 3, "all the same");
            looks.set_logged(true);
            let last = looks.looking(anna(), Way::Stream);
            last.begin();
            looks.end();
            assert_eq!(words().len(), 2);
            log::set_max_level(LevelFilter::Warn);
            looks.looking(anna(), Way::Stream).begin();
            assert_eq!(words().len(), 0);
        };
        tokio::select! {
            () = scenario => {}
            never = looks.run() => match never {},
        }
    }
}
