//! Whether a second stream does the first any harm.

use libcamera::camera::Camera;
use libcamera::properties;

use super::controls;
use crate::source::hardware::buffer_encoder::Layout;

/// A rate that differs by less is the same.
const SAME_RATE: f64 = 0.98;

/// What a camera's stream is like in one configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamFacts {
    layout: Layout,
    /// Frames per second at most, where the camera says.
    fastest: Option<f64>,
    /// Left, top, width and height of what the sensor gives in the mode that it is in, in pixels of
    /// the sensor.
    sensors_part: Option<(i32, i32, u32, u32)>,
}

impl StreamFacts {
    /// Reads them of a camera that is configured, and whose stream has this layout.
    pub(super) fn of(camera: &Camera<'_>, layout: Layout) -> Self {
        let part = camera.properties().get::<properties::ScalerCropMaximum>();
        Self {
            layout,
            fastest: controls::rate(camera.controls()).map(|(_, fastest)| fastest),
            sensors_part: part
                .ok()
                .map(|part| (part.x, part.y, part.width, part.height)),
        }
    }

    /// Says what is worse with another stream `beside` than it is alone.
    pub(super) fn harm(&self, beside: &Self) -> Option<&'static str> {
        let slower = |alone: f64, beside: f64| beside < alone * SAME_RATE;
        if self.layout != beside.layout {
            Some("its frames would have another size or format")
        } else if self.sensors_part != beside.sensors_part {
            // It would show another part of the scene, and have other noise.
            Some("the sensor would be in another mode")
        } else if let (Some(alone), Some(beside)) = (self.fastest, beside.fastest)
            && slower(alone, beside)
        {
            Some("its frames would come more slowly")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::hardware::choice::Format;
    use eyelid_jpeg::Turn;

    #[test]
    fn another_layout_mode_or_rate_is_harm() {
        let alone = StreamFacts {
            layout: Layout {
                format: Format::Yuv420,
                size: "1280x720".parse().unwrap(),
                stride: 1280,
                turn: Turn::NONE,
                limited_range: false,
            },
            fastest: Some(60.0),
            sensors_part: Some((0, 0, 4608, 2592)),
        };
        assert_eq!(alone.harm(&alone), None);
        let mut other = alone;
        other.layout.stride = 1344;
        assert!(alone.harm(&other).unwrap().contains("size or format"));
        let mut other = alone;
        other.sensors_part = Some((768, 432, 3072, 1728));
        assert!(alone.harm(&other).unwrap().contains("mode"));
        let mut other = alone;
        other.fastest = Some(14.0);
        assert!(alone.harm(&other).unwrap().contains("slowly"));
        other.fastest = Some(59.9);
        assert_eq!(alone.harm(&other), None);
        other.fastest = None;
        assert_eq!(alone.harm(&other), None, "nothing is known");
    }
}
