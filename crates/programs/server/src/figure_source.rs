//! What a program tells of what it sends past this server: it is asked when this server is, and no
//! more often than anybody could tell.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eyelid_daemon::LogLimit;
use eyelid_figures::{AskError, ask};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// For how long an answer holds: strangers may ask this server as often as they like.
const HOLDS: Duration = Duration::from_millis(250);

/// How far apart lines are about a program that does not answer as it should.
const BROKEN_LOGGED: Duration = Duration::from_secs(600);

/// Where the figures of one program come from.
pub(crate) struct FigureSource<Figures> {
    program: &'static str,
    socket: PathBuf,
    /// When it was last asked, and what it told. Who comes meanwhile waits for that.
    last: Mutex<Option<(Instant, Option<Rc<Figures>>)>>,
    broken: LogLimit,
}

impl<Figures: DeserializeOwned> FigureSource<Figures> {
    /// The program that answers at this socket, if it runs.
    pub(crate) fn new(program: &'static str, socket: PathBuf) -> Self {
        Self {
            program,
            socket,
            last: Mutex::default(),
            broken: LogLimit::new(1, BROKEN_LOGGED),
        }
    }

    /// What is so now; `None` where it does not run, or does not tell.
    pub(crate) async fn figures(&self) -> Option<Rc<Figures>> {
        let mut last = self.last.lock().await;
        if let Some((asked, figures)) = &*last
            && asked.elapsed() < HOLDS
        {
            return figures.clone();
        }
        let figures = match ask(&self.socket).await {
            Ok(figures) => Some(Rc::new(figures)),
            Err(AskError::NotRunning) => None,
            Err(error) => {
                self.log_broken(&error);
                None
            }
        };
        *last = Some((Instant::now(), figures.clone()));
        figures
    }

    fn log_broken(&self, error: &AskError) {
        if let Some(suppressed) = self.broken.allow(Instant::now().into_std()) {
            let Self {
                program, socket, ..
            } = self;
            log::warn!("{program} does not tell what it sends, at {socket:?}: {error}{suppressed}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::SystemTime;

    use eyelid_figures::{Answering, RtpFigures, rtp_socket};
    use tokio::time::advance;

    fn figures() -> RtpFigures {
        RtpFigures {
            since: SystemTime::now(),
            destinations: Vec::new(),
            sessions: Vec::new(),
            session_totals: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_questions_are_one_and_nothing_is_told_of_one_that_has_ended() {
        let doors = tempfile::tempdir().unwrap();
        let source = FigureSource::new("eyelid-rtp", rtp_socket(doors.path()));
        assert_eq!(source.figures().await, None::<Rc<RtpFigures>>);
        fs::create_dir(doors.path().join("rtp")).unwrap();
        let program = Answering::bind(rtp_socket(doors.path())).unwrap();
        advance(HOLDS).await;
        let all = async { tokio::join!(source.figures(), source.figures(), source.figures()) };
        let (answered, (one, two, three)) = tokio::join!(program.answer(figures), all);
        answered.unwrap();
        let one = one.unwrap();
        assert!([two, three].iter().all(|it| *it.as_ref().unwrap() == one));
        drop(program);
        assert!(source.figures().await.is_some(), "that is a moment ago");
        advance(HOLDS).await;
        assert_eq!(source.figures().await, None);
    }
}
