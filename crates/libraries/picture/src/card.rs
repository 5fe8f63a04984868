//! The "no signal" card: what a stream shows while there is no camera.

use crate::{Canvas, Colour, Encoder, Lettering};

const BACKGROUND: Colour = [24, 28, 34];
const LINE: Colour = [70, 80, 94];
const TITLE: Colour = [226, 230, 236];
const TEXT: Colour = [152, 162, 176];

/// Large flat areas and letters: they stay clean at this quality, and the card is small.
const QUALITY: u8 = 85;

/// Draws a calm, dark card with a title and a text below it, and gives it as JPEG. Sides are kept
/// within 160x120 and 1920x1080. Text that does not fit ends in "...".
pub fn card(width: u32, height: u32, title: &str, text: &str) -> Vec<u8> {
    let canvas = draw(width.clamp(160, 1920), height.clamp(120, 1080), title, text);
    encode(&canvas)
}

#[expect(
    clippy::expect_used,
    reason = "the encoder refuses only sizes that clamping rules out"
)]
fn encode(canvas: &Canvas) -> Vec<u8> {
    Encoder::default()
        .encode_rgb(canvas.rgb(), canvas.width(), canvas.height(), QUALITY)
        .expect("a card has a size that JPEG has")
        .to_vec()
}

fn draw(width: u32, height: u32, title: &str, text: &str) -> Canvas {
    let mut canvas = Canvas::new(width, height, BACKGROUND);
    let margin = width / 16;
    let column = width - 2 * margin;
    let large = Lettering::within((height / 9).min(width / 16));
    let small = Lettering::within((height / 18).min(width / 28));
    let gap = small.height() / 2;

    let title_lines = wrap(title, letters_in(column, large), 2);
    let head = lines_height(&title_lines, large) + gap + 1 + gap;
    let room = (height * 7 / 8).saturating_sub(head) / small.height().max(1);
    let text_lines = wrap(text, letters_in(column, small), room as usize);

    let mut y = height.saturating_sub(head + lines_height(&text_lines, small)) / 2;
    let left = i32::try_from(margin).unwrap_or(0);
    for line in &title_lines {
        large.draw(&mut canvas, left, down(y), TITLE, line);
        y += large.height();
    }
    y += gap;
    canvas.rectangle(left, down(y), column, 1 + height / 360, LINE);
    y += 1 + gap;
    for line in &text_lines {
        small.draw(&mut canvas, left, down(y), TEXT, line);
        y += small.height();
    }
    canvas
}

fn down(y: u32) -> i32 {
    i32::try_from(y).unwrap_or(i32::MAX)
}

fn letters_in(width: u32, lettering: Lettering) -> usize {
    (width / lettering.advance().max(1)).max(1) as usize
}

fn lines_height(lines: &[String], lettering: Lettering) -> u32 {
    u32::try_from(lines.len()).unwrap_or(u32::MAX) * lettering.height()
}

/// Breaks a text into lines of at most `columns` letters, between words where that is possible.
fn wrap(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for (index, piece) in letters.chunks(columns).enumerate() {
            let space = usize::from(used > 0);
            if index > 0 || used + space + piece.len() > columns {
                lines.extend((used > 0).then(|| std::mem::take(&mut line)));
                used = 0;
            } else if space > 0 {
                line.push(' ');
                used += 1;
            }
            line.extend(piece);
            used += piece.len();
        }
    }
    lines.extend((used > 0).then_some(line));
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            shorten(last, columns);
        }
    }
    lines
}

/// Ends a line in "..." within `columns` letters.
fn shorten(line: &mut String, columns: usize) {
    let keep = columns.saturating_sub(3);
    *line = line.chars().take(keep).collect();
    line.truncate(line.trim_end().len());
    line.extend(std::iter::repeat_n('.', columns.min(3)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_jpeg::whole;

    #[test]
    fn wraps_between_words_and_breaks_words_that_are_too_long() {
        assert_eq!(wrap("a calm card", 6, 9), ["a calm", "card"]);
        assert_eq!(wrap("to abcdefgh i", 3, 9), ["to", "abc", "def", "gh", "i"]);
        assert_eq!(wrap("gh i", 4, 9), ["gh i"]);
        assert_eq!(wrap("  \n ", 3, 9), Vec::<String>::new());
        assert_eq!(wrap("one two three four", 7, 2), ["one two", "thre..."]);
        assert_eq!(wrap("one two", 3, 0), Vec::<String>::new());
        assert_eq!(wrap("ab", 1, 1), ["."]);
    }

    #[test]
    fn every_size_gives_a_whole_jpeg_within_bounds() {
        let long = "the camera does not answer, and this is why: ".repeat(50);
        for (width, height, wanted) in [
            (0, 0, (160, 120)),
            (160, 120, (160, 120)),
            (640, 480, (640, 480)),
            (161, 1080, (161, 1080)),
            (1920, 121, (1920, 121)),
            (9999, 9999, (1920, 1080)),
        ] {
            for text in ["", "short", &long] {
                let jpeg = card(width, height, "Kamera \u{fc}ber Bord \u{1f980}", text);
                let (header, length) = whole(&jpeg).unwrap();
                assert_eq!((header.width, header.height), wanted);
                assert_eq!(length, jpeg.len());
            }
        }
    }

    #[test]
    fn the_letters_are_there() {
        let empty = draw(640, 480, "", "");
        let with_text = draw(640, 480, "", "camera asleep");
        let with_title = draw(640, 480, "no signal", "camera asleep");
        let lit = |canvas: &Canvas, colour: Colour| {
            canvas.rgb().chunks(3).filter(|p| *p == colour).count()
        };
        assert_eq!(lit(&empty, TEXT), 0);
        assert!(lit(&with_text, TEXT) > 300);
        assert!(lit(&with_title, TITLE) > 300);
    }
}
