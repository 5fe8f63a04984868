"""`folder`: pictures that other programs write into a directory, by whatever means."""

import io
import itertools
import os
import re
import shutil
import time
from pathlib import Path

import piexif
import pytest
from media import photographs, upright
from PIL import Image

from harness.frames import difference
from harness.waiting import wait_for

CASES = Path(__file__).resolve().parents[2] / "fuzz" / "cases" / "picture"
NAMES = [
    "a.jpg",
    "B.JPG",
    "c.Jpeg",
    "-rf.jpg",
    "two words.jpg",
    "%d&=ä.jpg",
    "line\nbreak.jpg",
    "no.1.jpeg",
    "x" * 251 + ".jpg",
]


def write(path, data, age=0):
    path.write_bytes(data)
    if age:
        os.utime(path, (time.time() - age, time.time() - age))


def encoded(picture, **options):
    file = io.BytesIO()
    picture.save(file, **options)
    return file.getvalue()


def test_the_newest_by_mtime_is_shown_first_and_other_files_are_not(capture, folder, china, flower):
    write(folder / "z.jpg", china.jpeg, age=3000)
    write(folder / "a.jpg", flower.jpeg, age=2000)
    write(folder / "b.jpg", china.jpeg, age=4000)
    write(folder / "picture.jpg.tmp", china.jpeg)
    write(folder / "picture.txt", china.jpeg)
    (folder / "directory.jpg").mkdir()
    program = capture(f"folder:{folder}")
    assert difference(program.slot.frame(), flower.picture) < 12
    program.slot.wait_state("awake")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_do_not_matter(capture, folder, flower, name):
    program = capture(f"folder:{folder}")
    write(folder / name, flower.jpeg)
    program.slot.frame_like(flower.picture)


def test_every_way_to_write_is_seen(capture, folder, directory, china, flower):
    program = capture(f"folder:{folder}")

    def create():
        write(folder / "one.jpg", china.jpeg)

    def modify():
        with open(folder / "one.jpg", "r+b") as file:
            file.truncate()
            file.write(flower.jpeg)

    def rename_within():
        write(folder / ".two.jpg.part", china.jpeg)
        os.rename(folder / ".two.jpg.part", folder / "two.jpg")

    def rename_over():
        write(folder / "one.tmp", flower.jpeg)
        os.rename(folder / "one.tmp", folder / "one.jpg")

    def move_in():
        write(directory / "outside.jpg", china.jpeg)
        os.rename(directory / "outside.jpg", folder / "moved.jpg")

    def write_in_pieces():
        with open(folder / "pieces.jpg", "wb", buffering=0) as file:
            for at in range(0, len(flower.jpeg), 1000):
                file.write(flower.jpeg[at : at + 1000])

    def hard_link():
        write(directory / "linked.jpg", china.jpeg)
        os.link(directory / "linked.jpg", folder / "linked.jpg")

    def create_after_emptying():
        for file in folder.iterdir():
            file.unlink()
        write(folder / "one.jpg", flower.jpeg)

    ways = [
        create,
        modify,
        rename_within,
        rename_over,
        move_in,
        write_in_pieces,
        hard_link,
        create_after_emptying,
    ]
    for way, photo in zip(ways, itertools.cycle([china, flower])):
        way()
        print(way.__name__)
        program.slot.frame_like(photo.picture)


def test_a_half_written_picture_is_shown_when_it_is_whole_and_not_before(
    capture, folder, china, flower
):
    write(folder / "first.jpg", china.jpeg)
    program = capture(f"folder:{folder}")
    program.slot.frame_like(china.picture)
    half = len(flower.jpeg) // 2
    write(folder / "second.jpg", flower.jpeg[:half])
    for number in range(5):  # each is seen after the half one
        size = (64 + 16 * number, 48)
        write(folder / "third.jpg", encoded(china.picture.resize(size), format="JPEG"))
        program.slot.frame_where(
            lambda seen, size=size: seen.size == size, f"the picture of {size}"
        )
    with open(folder / "second.jpg", "ab") as file:
        file.write(flower.jpeg[half:])
    program.slot.frame_like(flower.picture)


@pytest.mark.parametrize("broken", ["empty", "cut off", "cut in its header", "text", "scrambled"])
def test_a_broken_picture_is_skipped(capture, folder, china, flower, broken):
    jpeg = china.jpeg
    scrambled = jpeg[:2000] + bytes(b ^ 0x5A for b in jpeg[2000:-2]) + jpeg[-2:]
    data = {
        "empty": b"",
        "cut off": jpeg[:-5000],
        "cut in its header": jpeg[:100],
        "text": b"text" * 99,
        "scrambled": scrambled,
    }[broken]
    write(folder / "old.jpg", flower.jpeg, age=100)
    write(folder / "broken.jpg", data)
    program = capture(f"folder:{folder}")
    program.wait_log("broken.jpg")
    assert difference(program.slot.frame(), flower.picture) < 12
    write(folder / "new.jpg", china.jpeg)
    program.slot.frame_like(china.picture)


def test_real_photographs_are_shown_without_their_thumbnails(capture, folder):
    program = capture(f"folder:{folder}")
    with_thumbnail = 0
    between = Image.new("RGB", (64, 48))
    for file in photographs():
        jpeg = file.read_bytes()
        with_thumbnail += jpeg.count(b"\xff\xd8") > 1
        write(folder / "photo.jpg", jpeg)
        print(file.name)
        program.slot.frame_like(upright(jpeg))
        write(folder / "between.jpg", encoded(between, format="JPEG"))
        program.slot.frame_like(between)
    assert with_thumbnail > 5, "too few of the photographs have thumbnails"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed_and_its_thumbnail_removed(
    capture, folder, china, flower, orientation
):
    small = flower.picture.resize((160, 107))
    exif = piexif.dump(
        {
            "0th": {piexif.ImageIFD.Orientation: orientation, piexif.ImageIFD.Make: b"Test"},
            "1st": {piexif.ImageIFD.Compression: 6},
            "thumbnail": encoded(small, format="JPEG"),
        }
    )
    jpeg = encoded(china.picture, format="JPEG", quality=90, exif=exif)
    assert jpeg.count(b"\xff\xd8") == 2
    write(folder / "photo.jpg", jpeg)
    program = capture(f"folder:{folder}")
    frame = program.slot.frame()
    assert frame.size == upright(jpeg).size
    assert difference(frame, upright(jpeg)) < 12
    assert frame.getexif().get(piexif.ImageIFD.Orientation, 1) == 1


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, "baseline-420"),
        ({"subsampling": 1}, "baseline-422"),
        ({"quality": 100, "subsampling": 0}, "baseline-444"),
        ({"restart_marker_rows": 1}, "baseline-420"),
        ({"optimize": True}, "baseline-420-optimized"),
        ({"qtables": [[16] * 64, [20] * 64, [24] * 64]}, "baseline-420-unusual"),
        ({"progressive": True}, "progressive-420"),
        ("L", "baseline-grey"),
        ("CMYK", None),
    ],
    ids=str,
)
def test_kinds_of_jpeg(capture, folder, flower, options, kind):
    """What browsers show is published as it came, and the state says what it is.

    What they do not show is encoded again.
    """
    picture = flower.picture.convert(options) if isinstance(options, str) else flower.picture
    jpeg = encoded(picture, format="JPEG", **(options if isinstance(options, dict) else {}))
    write(folder / "photo.jpg", jpeg)
    program = capture(f"folder:{folder}")
    assert difference(program.slot.frame(), picture) < 12
    program.slot.wait_state("awake", jpeg=kind or "baseline-420")
    _, published = program.slot.look()
    assert (published[2 + 18 :] == jpeg[2 + 18 :]) == (kind is not None), (
        "byte for byte behind JFIF"
    )
    assert Image.open(io.BytesIO(published)).mode == ("L" if options == "L" else "RGB")


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("jpeg-12-bits", "JPEG with other than 8 bits a sample, which browsers do not show"),
        ("gif", "neither JPEG nor PNG"),
    ],
)
def test_what_is_no_frame_is_refused_with_the_reason(capture, folder, case, why):
    write(folder / "photo.jpg", (CASES / case).read_bytes())
    program = capture(f"folder:{folder}")
    program.wait_log(re.escape(f'photo.jpg" skipped: {why}'))
    state = wait_for(lambda: (s := program.slot.state()) and s["waiting"] and s, "a reason")
    assert (state["state"], state["error"]) == ("awake", None)
    assert f'photo.jpg": {why}' in state["waiting"]


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "LA", "P", "1", "I;16"])
def test_png_is_converted_and_alpha_is_on_black(capture, folder, flower, mode):
    picture = flower.picture
    if "A" in mode:
        alpha = Image.linear_gradient("L").resize(picture.size)
        solid = picture.convert(mode[0] if mode == "LA" else "RGB")
        expected = Image.composite(solid, Image.new(solid.mode, solid.size), alpha)
        picture = solid.copy()
        picture.putalpha(alpha)
    elif mode == "I;16":
        expected = picture.convert("L")
        picture = expected.convert("I").point(lambda value: value * 257).convert("I;16")
    else:
        expected = picture = picture.convert(mode)
    write(folder / "picture.PNG", encoded(picture, format="PNG"))
    assert difference(capture(f"folder:{folder}").slot.frame(), expected) < 12


def test_old_pictures_are_deleted_and_nothing_else_is(capture, folder, china, flower):
    for number in range(5):
        write(folder / f"old-{number}.JPG", china.jpeg, age=3600)
    write(folder / "old.png", encoded(china.picture, format="PNG"), age=3600)
    write(folder / "notes.txt", b"keep me", age=3600)
    (folder / "deeper").mkdir()
    write(folder / "deeper" / "old.jpg", china.jpeg, age=3600)
    write(folder / "young.jpg", flower.jpeg)
    program = capture(f"folder:{folder}", "--delete-older-than", "10min")
    program.slot.frame_like(flower.picture)
    wait_for(
        lambda: not list(folder.glob("old*")),
        lambda: f"the old pictures are gone: {list(folder.iterdir())}",
    )
    assert sorted(path.name for path in folder.iterdir()) == ["deeper", "notes.txt", "young.jpg"]
    assert [path.name for path in (folder / "deeper").iterdir()] == ["old.jpg"]


def test_nothing_is_deleted_unasked(capture, folder, china, flower):
    write(folder / "old.jpg", china.jpeg, age=10 * 365 * 86400)
    write(folder / "young.jpg", flower.jpeg)
    program = capture(f"folder:{folder}")
    program.slot.frame_like(flower.picture)
    assert program.stop() == 0
    assert len(list(folder.iterdir())) == 2


def test_a_folder_that_goes_away_is_failed_and_found_again(capture, folder, china, flower):
    write(folder / "one.jpg", china.jpeg)
    program = capture(f"folder:{folder}")
    program.slot.frame_like(china.picture)
    shutil.rmtree(folder)
    state = wait_for(
        lambda: program.slot.look() and (s := program.slot.state())["state"] == "failed" and s,
        "failed",
    )
    assert str(folder) in state["error"]
    folder.mkdir()
    write(folder / "two.jpg", flower.jpeg)
    program.slot.frame_like(flower.picture)
    program.slot.wait_state("awake")


def test_many_pictures_are_no_trouble(capture, folder, china, flower):
    write(folder / "one.jpg", china.jpeg, age=10)
    for number in range(3000):
        os.link(folder / "one.jpg", folder / f"{number}.jpg")
    program = capture(f"folder:{folder}")
    program.slot.frame_like(china.picture)
    for number in range(3000):
        os.link(folder / "one.jpg", folder / f"again-{number}.jpg")
    write(folder / "last.jpg", flower.jpeg)
    program.slot.frame_like(flower.picture)


def test_a_missing_directory_is_named_and_may_come(capture, directory, china):
    program = capture(f"folder:{directory}/nowhere")
    program.wait_log(f'failed: folder "{directory}/nowhere"')
    (directory / "nowhere").mkdir()
    write(directory / "nowhere" / "one.jpg", china.jpeg)
    program.slot.frame_like(china.picture)
