//! From a number and a moment to an encoded picture, of one size.

use std::borrow::Cow;
use std::time::SystemTime;

use eyelid_config::Size;
use eyelid_jpeg::{EncodedPicture, Pixels, Turn};
use eyelid_picture::{Canvas, Encoder};
use eyelid_producer::EncodedFrame;

use super::scene::Scene;
use crate::Settings;
use crate::source::SourceError;

/// Draws, turns and encodes.
pub(crate) struct Painter {
    scene: Scene,
    canvas: Canvas,
    turn: Turn,
    turned: Pixels,
    encoder: Encoder,
    quality: u8,
}

impl Painter {
    /// Makes one for pictures of this size, which say that they come at this rate.
    pub(crate) fn new(size: Size, fps: f64, settings: &Settings) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(settings.tables());
        Self {
            scene: Scene::new(size, fps),
            canvas: Canvas::new(size.width, size.height, [0; 3]),
            turn: settings.turn(),
            turned: Pixels {
                width: 0,
                height: 0,
                rgb: Vec::new(),
            },
            encoder,
            quality: settings.quality.percent(),
        }
    }

    /// Makes the frame with this number, taken at this moment.
    pub(crate) fn frame(
        &mut self,
        number: u64,
        captured: SystemTime,
    ) -> Result<EncodedFrame<'_>, SourceError> {
        self.scene.draw(&mut self.canvas, number, captured);
        let canvas = &self.canvas;
        let (rgb, width, height) = if self.turn == Turn::NONE {
            (canvas.rgb(), canvas.width(), canvas.height())
        } else {
            self.turn.apply_into(
                canvas.rgb(),
                canvas.width(),
                canvas.height(),
                &mut self.turned,
            );
            (&self.turned.rgb[..], self.turned.width, self.turned.height)
        };
        let jpeg = self.encoder.encode_rgb(rgb, width, height, self.quality)?;
        Ok(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(jpeg),
                width,
                height,
            },
            captured,
        })
    }
}
