//! What another program tells of what it does: it is asked when this server is, and no more often
//! than anybody could tell.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use eyelid_daemon::LogLimit;
use eyelid_figures::{AskError, ask};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// For how long an answer holds: strangers may ask this server as often as they like.
pub(crate) const HOLDS: Duration = Duration::from_millis(250);

/// How far apart lines are about a program that does not answer as it should.
const BROKEN_LOGGED: Duration = Duration::from_secs(600);

/// Where a program's figures come from.
pub(crate) struct FigureSource<Figures> {
    program: &'static str,
    socket: PathBuf,
    /// When it was last asked, and what it told. Who comes meanwhile waits for that.
    last: Mutex<Option<(Instant, Told<Figures>)>>,
    broken: LogLimit,
}

/// What a program tells.
#[derive(Debug, PartialEq)]
pub(crate) enum Told<Figures> {
    /// This is so now.
    Figures(Rc<Figures>),
    /// Nothing, for it was killed.
    Killed,
    /// Nothing: it does not run, or does not tell.
    Nothing,
}

impl<Figures> Clone for Told<Figures> {
    fn clone(&self) -> Self {
        match self {
            Self::Figures(figures) => Self::Figures(figures.clone()),
            Self::Killed => Self::Killed,
            Self::Nothing => Self::Nothing,
        }
    }
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

    /// The figures of now; `None` where it does not run, or does not tell.
    pub(crate) async fn figures(&self) -> Option<Rc<Figures>> {
        match self.told().await {
            Told::Figures(figures) => Some(figures),
            Told::Killed | Told::Nothing => None,
        }
    }

    /// What is so now.
    pub(crate) async fn told(&self) -> Told<Figures> {
        let mut last = self.last.lock().await;
        if let Some((asked, told)) = &*last
            && asked.elapsed() < HOLDS
        {
            return told.clone();
        }
        let told = match ask(&self.socket).await {
            Ok(figures) => Told::Figures(Rc::new(figures)),
            Err(AskError::NotRunning) => Told::Nothing,
            Err(AskError::Killed) => Told::Killed,
            Err(error) => {
                self.log_broken(&error);
                Told::Nothing
            }
        };
        *last = Some((Instant::now(), told.clone()));
        told
    }

    fn log_broken(&self, error: &AskError) {
        if let Some(suppressed) = self.broken.allow(Instant::now().into_std()) {
            let (program, socket) = (self.program, &self.socket);
            log::warn!("{program} does not tell what it does, at {socket:?}: {error}{suppressed}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_figures::Answering;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn many_questions_are_one_and_nothing_is_told_of_one_that_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("status");
        let source = FigureSource::<u32>::new("it", socket.clone());
        assert_eq!(source.told().await, Told::Nothing);
        let program = Answering::bind(socket.clone()).unwrap();
        advance(HOLDS).await;
        let all = async { tokio::join!(source.told(), source.told(), source.told()) };
        let (answered, (one, two, three)) = tokio::join!(program.answer(|| 7), all);
        answered.unwrap();
        let seven = Told::Figures(Rc::new(7));
        assert!([one, two, three].iter().all(|it| *it == seven));
        drop(program);
        assert_eq!(source.told().await, seven, "that is a moment ago");
        advance(HOLDS).await;
        assert_eq!(source.told().await, Told::Nothing);
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        advance(HOLDS).await;
        assert_eq!(source.told().await, Told::Killed);
    }
}
