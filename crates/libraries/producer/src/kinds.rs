//! What `state.json` says of the frames' kind: a source whose frames are now of one kind, now of
//! another, must not have it written anew with each.

use std::time::{Duration, Instant};

use eyelid_jpeg::JpegKind;

/// A kind that has changed twice within this is told as [`MIXED`], until it has been the same for
/// as long.
const STEADY: Duration = Duration::from_secs(10);

const MIXED: &str = "mixed";

/// The kinds of the last frames.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    newest: Option<JpegKind>,
    changed: Option<Instant>,
    mixed: bool,
}

impl Kinds {
    /// A frame of this kind was published. Gives what is told of it from now on, where that is
    /// news.
    pub(crate) fn published(
        &mut self,
        kind: Option<JpegKind>,
        now: Instant,
    ) -> Option<Option<String>> {
        let is_steady = self
            .changed
            .is_none_or(|at| now.duration_since(at) >= STEADY);
        if kind != self.newest {
            // The first frame is no change.
            self.mixed = self.newest.is_some() && !is_steady;
            self.changed = self.newest.map(|_| now);
            self.newest = kind;
        } else if self.mixed && is_steady {
            self.mixed = false;
        } else {
            return None;
        }
        Some(match kind {
            _ if self.mixed => Some(MIXED.to_owned()),
            kind => kind.map(|kind| kind.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_jpeg::{JpegProcess, Sampling};

    fn kind(process: JpegProcess) -> Option<JpegKind> {
        Some(JpegKind {
            process,
            bits: 8,
            sampling: Sampling::Yuv420,
            peculiarity: None,
        })
    }

    #[test]
    fn a_kind_that_changes_all_the_time_is_told_once() {
        let (baseline, progressive) = (kind(JpegProcess::Baseline), kind(JpegProcess::Progressive));
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut kinds, mut told, mut changes) = (Kinds::default(), None, Vec::new());
        let mut frame = |at: u32, kind| {
            if let Some(news) = kinds.published(kind, start + second * at)
                && news != told
            {
                told = news;
                changes.push((at, told.clone().unwrap()));
            }
        };
        (0..5).for_each(|at| frame(at, baseline));
        frame(5, progressive);
        for at in 6..30 {
            frame(at, if at % 2 == 0 { baseline } else { progressive });
        }
        (30..50).for_each(|at| frame(at, progressive));
        frame(50, baseline);
        let expected = [
            (0, "baseline-420"),
            (5, "progressive-420"),
            (6, "mixed"),
            (39, "progressive-420"),
            (50, "baseline-420"),
        ];
        let changes: Vec<_> = changes.iter().map(|(at, told)| (*at, &told[..])).collect();
        assert_eq!(changes, expected);
    }
}
