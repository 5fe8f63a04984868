//! Letters of any size: fixed-width fonts enlarged by a whole factor, so that they stay sharp.

use std::convert::Infallible;

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_6X13, FONT_9X15, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};

use crate::{Canvas, Colour};

/// The fonts to choose from. They hold ISO 8859-1 and show `?` for everything else.
const FONTS: [&MonoFont<'static>; 4] = [&FONT_6X10, &FONT_6X13, &FONT_9X15, &FONT_10X20];

/// A font at a size. Every letter takes the same room.
#[derive(Clone, Copy, Debug)]
pub struct Lettering {
    font: &'static MonoFont<'static>,
    scale: u32,
}

impl Lettering {
    /// Chooses the largest letters that are at most this high, or the smallest there are.
    pub fn within(height_px: u32) -> Self {
        let mut best = Self {
            font: FONTS[0],
            scale: 1,
        };
        for font in FONTS {
            let candidate = Self {
                font,
                scale: height_px / font.character_size.height,
            };
            if candidate.scale > 0 && candidate.height() >= best.height() {
                best = candidate;
            }
        }
        best
    }

    /// Height of a line in pixels.
    pub fn height(self) -> u32 {
        self.font.character_size.height * self.scale
    }

    /// Width of one letter in pixels.
    pub fn advance(self) -> u32 {
        self.font.character_size.width * self.scale
    }

    /// Width of a text in pixels.
    pub fn width(self, text: &str) -> u32 {
        let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        self.advance().saturating_mul(letters)
    }

    /// Draws one line whose top left corner is at `x`, `y`. A control character is drawn as a
    /// space.
    pub fn draw(self, canvas: &mut Canvas, x: i32, y: i32, colour: Colour, text: &str) {
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let style = MonoTextStyle::new(self.font, BinaryColor::On);
        let mut pen = Pen {
            canvas,
            x,
            y,
            scale: self.scale,
            colour,
        };
        let Ok(_) = Text::with_baseline(&line, Point::zero(), style, Baseline::Top).draw(&mut pen);
    }
}

/// Draws each pixel of a letter as a square.
struct Pen<'a> {
    canvas: &'a mut Canvas,
    x: i32,
    y: i32,
    scale: u32,
    colour: Colour,
}

impl DrawTarget for Pen<'_> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        let scale = i32::try_from(self.scale).unwrap_or(i32::MAX);
        let place = |origin: i32, at: i32| origin.saturating_add(at.saturating_mul(scale));
        for Pixel(point, _) in pixels.into_iter().filter(|pixel| pixel.1.is_on()) {
            let (x, y) = (place(self.x, point.x), place(self.y, point.y));
            self.canvas
                .rectangle(x, y, self.scale, self.scale, self.colour);
        }
        Ok(())
    }
}

impl OriginDimensions for Pen<'_> {
    fn size(&self) -> Size {
        Size::new(self.canvas.width(), self.canvas.height())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fill_the_height_given_and_are_never_smaller_than_the_smallest_font() {
        assert_eq!(Lettering::within(0).height(), 10);
        assert_eq!(Lettering::within(12).height(), 10);
        assert_eq!(Lettering::within(15).height(), 15);
        assert_eq!(Lettering::within(41).height(), 40);
        for height in 10..400 {
            let got = Lettering::within(height).height();
            assert!(got <= height && got * 5 > height * 3, "{height}: {got}");
        }
    }

    #[test]
    fn an_enlarged_letter_is_the_letter_enlarged() {
        let drawn = |scale: u32| {
            let lettering = Lettering::within(20 * scale);
            let mut canvas = Canvas::new(40 * scale, 20 * scale, [0; 3]);
            lettering.draw(&mut canvas, 0, 0, [255; 3], "R\u{e9}\u{20ac}?");
            canvas
        };
        let (small, large) = (drawn(1), drawn(3));
        let lit = |canvas: &Canvas, x: u32, y: u32| {
            canvas.rgb()[((y * canvas.width() + x) * 3) as usize] == 255
        };
        for y in 0..60 {
            for x in 0..120 {
                assert_eq!(lit(&large, x, y), lit(&small, x / 3, y / 3), "{x},{y}");
            }
        }
        for y in 0..20 {
            for x in 20..30 {
                assert_eq!(lit(&small, x, y), lit(&small, x + 10, y), "the euro is ?");
            }
        }
        assert!((0..10).any(|x| lit(&small, x, 10)), "something is drawn");
    }
}
