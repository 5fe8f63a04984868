//! What is wanted: the renditions that a client may get, from the largest to the smallest, and how
//! many frames a second.

/// A rendition of a frame, as far as its size in bytes goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The frame as configured.
    Main,
    /// The same width and height in fewer bytes.
    Low,
    /// Half the width and height.
    Half,
    /// A quarter of the width and height.
    Quarter,
}

impl Rung {
    /// All there are, the largest first.
    pub const ALL: [Self; 4] = [Self::Main, Self::Low, Self::Half, Self::Quarter];

    /// Its place in [`Rung::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Which rungs a client may get, and what it would rather do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ladder {
    /// All of them, for who would rather have motion than detail. `Low` looks nearly like `Main`,
    /// so it is taken as soon as the link carries clearly fewer than all frames of `Main`; `Half`
    /// where that comes so often and `Low` does not, or where `Low` comes too rarely.
    Smooth,
    /// Only `Main` and `Low`, for who would rather have detail, or may not see a change of size:
    /// ffmpeg, OpenCV and recorders break. `Main` for as long as it comes often enough.
    Sharp,
}

impl Ladder {
    /// Says whether a client may get a rung.
    pub(crate) fn has(self, rung: Rung) -> bool {
        match self {
            Self::Smooth => true,
            Self::Sharp => matches!(rung, Rung::Main | Rung::Low),
        }
    }
}

/// How many frames a second are wanted of a client's stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WantedRate {
    /// What the source gives at most, where that is known.
    pub source_fps: Option<f64>,
    /// What the client wants at most.
    pub cap_fps: Option<f64>,
    /// How many there should be, if source and client allow it, before pictures are large.
    pub min_fps: f64,
}

impl WantedRate {
    /// All frames that source and client allow; `None` if there is no limit.
    pub(super) fn all_fps(self) -> Option<f64> {
        let limits = [self.source_fps, self.cap_fps].into_iter().flatten();
        limits.filter(|fps| *fps > 0.0).reduce(f64::min)
    }

    /// As many of them as there should be at least.
    pub(super) fn least_fps(self) -> f64 {
        self.all_fps()
            .map_or(self.min_fps, |all| all.min(self.min_fps))
    }
}
