//! From a number and a moment to an encoded picture, of one size.

use std::borrow::Cow;
use std::time::SystemTime;

use eyelid_config::Size;
use eyelid_jpeg::{EncodedPicture, Pixels, Turn};
use eyelid_picture::{Canvas, Encoder, PixelKind, Planes};
use eyelid_producer::{EncodedFrame, PlanesFrame};

use super::scene::Scene;
use crate::Settings;
use crate::source::SourceError;

/// Draws, turns and encodes.
pub(crate) struct Painter {
    drawing: Drawing,
    planes: Planes,
    encoder: Encoder,
    quality: u8,
}

/// The picture of one frame, once somebody wanted it.
struct Drawing {
    scene: Scene,
    canvas: Canvas,
    turn: Turn,
    turned: Pixels,
    /// Which frame it shows.
    number: Option<u64>,
}

/// Red, green and blue of a picture, and its size.
struct Drawn<'a> {
    rgb: &'a [u8],
    width: u32,
    height: u32,
}

impl Painter {
    /// Makes one for pictures of this size, which say that they come at this rate.
    pub(crate) fn new(size: Size, fps: f64, settings: &Settings) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(settings.tables());
        Self {
            drawing: Drawing {
                scene: Scene::new(size, fps),
                canvas: Canvas::new(size.width, size.height, [0; 3]),
                turn: settings.turn(),
                turned: Pixels {
                    width: 0,
                    height: 0,
                    rgb: Vec::new(),
                },
                number: None,
            },
            planes: Planes::default(),
            encoder,
            quality: settings.quality.percent(),
        }
    }

    /// The size that it draws in, before it turns.
    pub(crate) fn size(&self) -> Size {
        Size {
            width: self.drawing.canvas.width(),
            height: self.drawing.canvas.height(),
        }
    }

    /// Makes the frame with this number, taken at this moment.
    pub(crate) fn frame(
        &mut self,
        number: u64,
        captured: SystemTime,
    ) -> Result<EncodedFrame<'_>, SourceError> {
        let Drawn { rgb, width, height } = self.drawing.of(number, captured);
        let jpeg = self.encoder.encode_rgb(rgb, width, height, self.quality)?;
        Ok(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(jpeg),
                width,
                height,
                kind: None,
            },
            captured,
        })
    }

    /// Makes the same frame, before it is encoded.
    pub(crate) fn planes(
        &mut self,
        number: u64,
        captured: SystemTime,
    ) -> Result<PlanesFrame<'_>, SourceError> {
        let Drawn { rgb, width, height } = self.drawing.of(number, captured);
        let planes = &mut self.planes;
        let planes = planes.from_pixels(rgb, width, height, PixelKind::Rgb)?;
        Ok(PlanesFrame { planes, captured })
    }
}

impl Drawing {
    /// Draws a frame, unless it is there already, and turns it as the options say.
    fn of(&mut self, number: u64, captured: SystemTime) -> Drawn<'_> {
        let (canvas, is_turned) = (&mut self.canvas, self.turn != Turn::NONE);
        let (width, height) = (canvas.width(), canvas.height());
        if self.number.replace(number) != Some(number) {
            self.scene.draw(canvas, number, captured);
            if is_turned {
                let turned = &mut self.turned;
                self.turn.apply_into(canvas.rgb(), width, height, turned);
            }
        }
        if is_turned {
            return Drawn {
                rgb: &self.turned.rgb,
                width: self.turned.width,
                height: self.turned.height,
            };
        }
        Drawn {
            rgb: canvas.rgb(),
            width,
            height,
        }
    }
}
