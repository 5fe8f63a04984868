"""Pictures of a street in front of a door, drawn: what lies there, and what is written there."""

import io

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 640, 360
GREY, GRASS = (125, 130, 135), (70, 95, 60)
ORANGE, BLUE, MAGENTA = (235, 120, 20), (30, 60, 220), (220, 20, 200)


def draw(parcel=False, visitor=False, sign=False, size=(WIDTH, HEIGHT)):
    """Draws the scene as a JPEG: an orange parcel on the grass, a blue visitor, a magenta sign."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), GREY)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 250, WIDTH, HEIGHT), fill=GRASS)
    if parcel:
        pen.rectangle((400, 280, 460, 320), fill=ORANGE)
    if visitor:
        pen.rectangle((200, 120, 240, 260), fill=BLUE)
    if sign:
        pen.rectangle((40, 60, 140, 120), fill=MAGENTA)
        pen.text((45, 80), "SAY YES", fill=(255, 255, 255))
    out = io.BytesIO()
    picture.resize(size).save(out, "JPEG", quality=90)
    return out.getvalue()


def seen(jpeg):
    """Says what is in a picture, by its colours and where they are: names, and its size."""
    picture = Image.open(io.BytesIO(jpeg))
    assert picture.format == "JPEG"
    picture.load()
    size = picture.size
    pixels = list(picture.convert("RGB").resize((64, 36)).get_flattened_data())

    def share(colour, rows):
        of_rows = pixels[64 * rows.start : 64 * rows.stop]
        near = sum(
            all(abs(a - b) < 70 for a, b in zip(pixel, colour, strict=True)) for pixel in of_rows
        )
        return near / len(of_rows)

    found = {
        "parcel": share(ORANGE, range(25, 36)) > 0.005,
        "visitor": share(BLUE, range(8, 30)) > 0.005,
        "sign": share(MAGENTA, range(18)) > 0.01,
    }
    return {name for name, is_there in found.items() if is_there}, size
