//! What each `eyelid-watch` tells of the camera that it watches: there is one for each, if any.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use eyelid_figures::{WatchFigures, watch_socket};
use eyelid_slot::CameraName;
use futures_util::future::join_all;

use crate::figure_source::FigureSource;

/// The cameras that are watched, and what for.
pub(crate) type WatchedCameras = HashMap<CameraName, Rc<WatchFigures>>;

/// All programs that may watch a camera.
pub(crate) struct Watchers {
    doors: PathBuf,
    /// One for each camera there is.
    sources: RefCell<HashMap<CameraName, Rc<FigureSource<WatchFigures>>>>,
}

impl Watchers {
    /// Those that have their sockets in this directory.
    pub(crate) fn new(doors: PathBuf) -> Self {
        Self {
            doors,
            sources: RefCell::default(),
        }
    }

    /// Asks those of these cameras, all at once: one that is stuck is not waited for longer than
    /// two.
    pub(crate) async fn figures(&self, cameras: Vec<CameraName>) -> WatchedCameras {
        let asked = self.sources(cameras).into_iter();
        let told = join_all(asked.map(async |(name, source)| (name, source.figures().await)));
        let told = told.await.into_iter();
        told.filter_map(|(name, figures)| Some((name, figures?)))
            .collect()
    }

    fn sources(
        &self,
        cameras: Vec<CameraName>,
    ) -> Vec<(CameraName, Rc<FigureSource<WatchFigures>>)> {
        let mut sources = self.sources.borrow_mut();
        sources.retain(|name, _| cameras.contains(name));
        let of = |name: CameraName| {
            let source = sources.entry(name.clone()).or_insert_with(|| {
                let socket = watch_socket(&self.doors, &name);
                Rc::new(FigureSource::new("eyelid-watch", socket))
            });
            (name, source.clone())
        };
        cameras.into_iter().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_figures::{Answering, RuleFigures};
    use std::time::SystemTime;

    #[tokio::test]
    async fn those_that_run_tell_of_their_cameras() {
        let doors = tempfile::tempdir().unwrap();
        let watchers = Watchers::new(doors.path().to_owned());
        let names: Vec<CameraName> = ["door", "attic"].map(|name| name.parse().unwrap()).into();
        assert!(watchers.figures(names.clone()).await.is_empty());
        let socket = watch_socket(doors.path(), &names[0]);
        std::fs::create_dir(socket.parent().unwrap()).unwrap();
        let figures = WatchFigures {
            since: SystemTime::UNIX_EPOCH,
            watching: true,
            blind: None,
            rules: vec![RuleFigures {
                name: "parcel".into(),
                state: "standing".into(),
                since: None,
            }],
        };
        let answering = Answering::bind(socket).unwrap();
        // What was told last holds for a moment.
        let other = Watchers::new(doors.path().to_owned());
        let told = tokio::select! {
            never = Answering::answer_all(Some(&answering), || figures.clone()) => match never {},
            told = other.figures(names.clone()) => told,
        };
        assert_eq!(told.keys().collect::<Vec<_>>(), [&names[0]]);
        assert_eq!(*told[&names[0]], figures);
        other.figures(vec![]).await;
        assert!(other.sources.borrow().is_empty());
    }
}
