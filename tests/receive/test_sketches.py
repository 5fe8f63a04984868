"""examples/esp32: what a user flashes compiles for each board, and obeys sleep and wake.

It is compiled with the declarations in `shim`, which are ours: no board and no library is here.
"""

import functools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SHIM = Path(__file__).parent / "shim"
EXAMPLES = Path(__file__).parents[2] / "examples" / "esp32"
BOARDS = ("AI_THINKER", "ATOMS3R_CAM", "M5STACK_A", "M5STACK_B")
STRICT = ["-Wall", "-Wextra", "-Werror", f"-I{SHIM}"]
JPEG = re.compile(r"(binary|post) \d+ ffd8\.\.ffd9")


def compile_cpp(*arguments):
    """Compiles C++, strictly."""
    subprocess.run(["g++", "-std=gnu++17", *STRICT, *arguments], check=True)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Gives what each program is linked with, by its name."""
    directory = tmp_path_factory.mktemp("parts")
    made = {name: directory / f"{name}.o" for name in ("board", "run_sketch", "run_esp_idf")}
    for name, path in made.items():
        compile_cpp(f"-I{EXAMPLES / 'esp-idf'}", "-c", SHIM / f"{name}.cpp", "-o", path)
    return made


@pytest.fixture(scope="module")
def built(parts, tmp_path_factory):
    """Gives what builds a sketch, once, as somebody would who has changed its settings.h."""

    @functools.cache
    def built(name, board, token):
        sketch = tmp_path_factory.mktemp(board) / name
        shutil.copytree(EXAMPLES / name, sketch)
        settings = (sketch / "settings.h").read_text()
        for old, new in (
            ("#define BOARD_AI_THINKER\n", f"#define BOARD_{board}\n"),
            ('CAMERA_TOKEN ""', f'CAMERA_TOKEN "{token}"'),
        ):
            assert old in settings
            settings = settings.replace(old, new)
        (sketch / "settings.h").write_text(settings)
        source = ["-x", "c++", "-include", "Arduino.h", sketch / f"{name}.ino", "-x", "none"]
        compile_cpp(*source, parts["run_sketch"], parts["board"], "-o", sketch / "program")
        return sketch / "program"

    return lambda name, board="AI_THINKER", token="": built(name, board, token)


@pytest.fixture(scope="module")
def esp_idf(parts, tmp_path_factory):
    """Gives the snippet for ESP-IDF as a program."""
    directory = tmp_path_factory.mktemp("esp-idf")
    source, made = EXAMPLES / "esp-idf" / "eyelid_push.c", directory / "eyelid_push.o"
    subprocess.run(["gcc", "-std=gnu17", *STRICT, "-c", source, "-o", made], check=True)
    compile_cpp(parts["run_esp_idf"], parts["board"], made, "-o", directory / "program")
    return directory / "program"


def run(program, *script):
    """Runs a program with a script; gives what it did before the script, and at each line of it."""
    done = subprocess.run(
        [program], input="\n".join(script), capture_output=True, text=True, timeout=20, check=True
    )
    before, *rest = re.split(r"^> .*\n", done.stdout, flags=re.MULTILINE)
    assert len(rest) == len(script), done.stdout
    return [part.splitlines() for part in (before, *rest)]


def pictures(lines):
    """Gives how many whole JPEGs were sent."""
    return len([line for line in lines if JPEG.fullmatch(line)])


SCRIPT = [
    "connected",
    "loop 5",
    'text {"eyelid":"sleep"}',
    "loop 5",
    'text {"eyelid":"wake"}',
    "loop 5",
    'text {"eyelid":"sleep"}',
    "loop 50",
    'text {"eyelid":"wake"}',
    "loop 5",
    "disconnected",
    "loop 5",
]


@pytest.mark.parametrize("board", BOARDS)
def test_a_sketch_sends_while_somebody_looks_only(built, board):
    before, *did = run(built("eyelid_camera", board), *SCRIPT)
    assert "begin 192.168.1.10 8765 /door eyelid.v1" in before
    assert "wifi sleep 0" in before
    assert [pictures(lines) for lines in did] == [0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 0, 0]
    raw = board == "ATOMS3R_CAM"
    camera = f"camera {'raw' if raw else 'jpeg'} size {0 if raw else 1} buffers 2 grab latest"
    assert f"{camera} in psram" in before
    # The time of each picture goes ahead of it.
    first, second, *_ = did[5]
    assert re.fullmatch(r'text \{"t":\d{4,}\}', first) and second.startswith("binary ")
    assert not [line for lines in did for line in lines if "given back" in line]


def test_a_sketch_says_its_token(built):
    before = run(built("eyelid_camera", "AI_THINKER", "secret"), "connected")[0]
    assert "authorization Bearer secret" in before
    assert not any("authorization" in line for line in run(built("eyelid_camera"), "connected")[0])


def test_a_sketch_begins_again_when_a_frame_could_not_be_sent(built):
    did = run(
        built("eyelid_camera"), "connected", 'text {"eyelid":"wake"}', "loop 1", "fail", "loop 3"
    )
    assert pictures(did[3]) == 1 and "disconnect" not in did[3]
    assert did[5].count("disconnect") == 1, "once: then it waits to be woken"


def test_the_snippet_for_esp_idf_sends_while_somebody_looks_only(esp_idf):
    before, *did = run(esp_idf, *SCRIPT)
    assert "begin ws://192.168.1.10:8765/door eyelid.v1" in before
    assert "headers Authorization: Bearer secret" in before
    # Woken, it sends at once; then its turns come.
    assert [pictures(lines) for lines in did] == [0, 0, 0, 0, 1, 5, 0, 0, 1, 5, 0, 0]


@pytest.mark.parametrize("board", BOARDS)
def test_a_time_lapse_sends_one_picture_and_sleeps(built, board):
    before, after = run(built("eyelid_timelapse", board), 'answer 200 {"awake":false}')
    assert "url http://192.168.1.10:8765/door" in before
    assert "header Content-Type: image/jpeg" in before
    assert pictures(before) == 1
    assert after[-2:] == ["timer 60 s", "deep sleep"]


def test_a_time_lapse_stays_up_while_somebody_looks(built):
    awake = 'answer 200 {"awake":true}'
    did = run(built("eyelid_timelapse"), awake, awake, 'answer 200 {"awake":false}')
    assert [pictures(lines) for lines in did] == [1, 1, 1, 0]
    assert [lines[-1] == "deep sleep" for lines in did] == [False, False, False, True]


@pytest.mark.parametrize("answer", ["answer 401", 'answer 422 {"error":"no JPEG"}', "nothing"])
def test_a_time_lapse_that_is_refused_sleeps(built, answer):
    assert run(built("eyelid_timelapse"), answer)[-1][-1] == "deep sleep"


def test_both_sketches_have_the_same_boards():
    one, other = (EXAMPLES / name / "board.h" for name in ("eyelid_camera", "eyelid_timelapse"))
    assert one.read_bytes() == other.read_bytes()
