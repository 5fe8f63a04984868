//! Writes a card to stdout, for programs that carry one as it is: `card WIDTH HEIGHT TITLE TEXT >
//! card.jpg`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, title, text] = &arguments[..] else {
        return Err("use: card WIDTH HEIGHT TITLE TEXT > card.jpg".into());
    };
    let card = eyelid_picture::card(width.parse()?, height.parse()?, title, text);
    Ok(std::io::stdout().write_all(&card)?)
}
