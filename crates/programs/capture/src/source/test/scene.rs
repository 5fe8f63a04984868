//! What the test picture shows: colour bars, a grey ramp, something that moves, a clock, a number
//! and its size.

use std::time::{SystemTime, UNIX_EPOCH};

use eyelid_config::Size;
use eyelid_picture::{Canvas, Colour, Lettering};

/// Bars as television knows them, at 75 %: full colours bleed in 4:2:0.
const BARS: [Colour; 7] = [
    [191, 191, 191],
    [191, 191, 0],
    [0, 191, 191],
    [0, 191, 0],
    [191, 0, 191],
    [191, 0, 0],
    [0, 0, 191],
];

const PANEL: Colour = [18, 20, 26];
const BRIGHT: Colour = [240, 240, 240];
const DIM: Colour = [150, 158, 170];

/// How long the moving square takes from one side to the other and back.
const ROUND_MS: u128 = 4000;

/// The parts of the picture that stay, and where the others go.
pub(crate) struct Scene {
    background: Canvas,
    clock: Lettering,
    label: Lettering,
    square: u32,
    panel_top: u32,
    size_text: String,
}

impl Scene {
    pub(crate) fn new(size: Size, fps: f64) -> Self {
        let Size { width, height } = size;
        let panel_top = height * 2 / 3;
        let panel = height - panel_top;
        // The clock has 15 letters; they and a margin must fit.
        let letters_fit = |letters: u32| width * 2 / letters;
        Self {
            background: background(width, height, panel_top),
            clock: Lettering::within((panel * 2 / 5).min(letters_fit(17))),
            label: Lettering::within((panel / 5).min(letters_fit(32))),
            square: (height / 6).max(2),
            panel_top,
            size_text: format!("{width}x{height} {fps} fps"),
        }
    }

    /// Draws the frame with this number, taken at this moment.
    pub(crate) fn draw(&self, canvas: &mut Canvas, number: u64, captured: SystemTime) {
        canvas.copy_from(&self.background);
        self.draw_square(canvas, captured);
        let (date, time) = date_and_time(captured);
        let margin = self.label.advance();
        let text_height = self.clock.height() + 2 * self.label.height();
        let panel = canvas.height() - self.panel_top;
        let (left, gap) = (signed(margin), panel.saturating_sub(text_height) / 3);
        let mut y = self.panel_top + gap;
        self.clock.draw(canvas, left, signed(y), BRIGHT, &time);
        y += self.clock.height() + gap;
        let text = format!("#{number} {date} UTC");
        self.label.draw(canvas, left, signed(y), DIM, &text);
        y += self.label.height();
        self.label
            .draw(canvas, left, signed(y), DIM, &self.size_text);
    }

    /// Moves with the wall clock, so that a frame that is shown late is shown in the wrong place.
    fn draw_square(&self, canvas: &mut Canvas, captured: SystemTime) {
        let since_epoch = captured.duration_since(UNIX_EPOCH).unwrap_or_default();
        let in_round = since_epoch.as_millis() % ROUND_MS;
        let half = ROUND_MS / 2;
        let way = if in_round < half {
            in_round
        } else {
            ROUND_MS - in_round
        };
        let room = u128::from(canvas.width().saturating_sub(self.square));
        let x = u32::try_from(room * way / half).unwrap_or(0);
        let y = (self.panel_top / 2).saturating_sub(self.square / 2);
        let border = self.square / 8;
        canvas.rectangle(signed(x), signed(y), self.square, self.square, PANEL);
        let inner = self.square - 2 * border;
        canvas.rectangle(signed(x + border), signed(y + border), inner, inner, BRIGHT);
    }
}

fn background(width: u32, height: u32, panel_top: u32) -> Canvas {
    let mut canvas = Canvas::new(width, height, PANEL);
    let ramp_top = panel_top * 7 / 8;
    canvas.paint(|x, y| {
        if y < ramp_top {
            BARS[x as usize * BARS.len() / width as usize]
        } else if y < panel_top {
            let grey = x * 256 / width;
            [u8::try_from(grey).unwrap_or(u8::MAX); 3]
        } else {
            PANEL
        }
    });
    canvas
}

/// Splits a moment into its date and its time of day with milliseconds, UTC.
fn date_and_time(moment: SystemTime) -> (String, String) {
    let text = humantime::format_rfc3339_millis(moment.max(UNIX_EPOCH)).to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    (date.to_owned(), time.trim_end_matches('Z').to_owned())
}

fn signed(at: u32) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn drawn(size: Size, number: u64, moment: SystemTime) -> Canvas {
        let mut canvas = Canvas::new(1, 1, [0; 3]);
        Scene::new(size, 30.0).draw(&mut canvas, number, moment);
        canvas
    }

    #[test]
    fn every_frame_looks_different_and_the_same_one_the_same() {
        let size = Size {
            width: 640,
            height: 480,
        };
        let moment = UNIX_EPOCH + Duration::from_millis(1_795_207_369_123);
        let next = moment + Duration::from_millis(33);
        let picture = drawn(size, 1, moment);
        assert_eq!(picture, drawn(size, 1, moment));
        assert_ne!(picture, drawn(size, 2, moment));
        assert_ne!(picture, drawn(size, 1, next));
        assert_eq!(
            date_and_time(moment),
            ("2026-11-20".into(), "20:42:49.123".into())
        );
    }

    #[test]
    fn fits_every_size() {
        for side in [(16, 16), (16, 8192), (8192, 16), (160, 120)] {
            let size = Size {
                width: side.0,
                height: side.1,
            };
            let canvas = drawn(size, u64::MAX, UNIX_EPOCH - Duration::from_secs(1));
            assert_eq!((canvas.width(), canvas.height()), side);
        }
    }
}
