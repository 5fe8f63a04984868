"""What the README says of cameras and cargo.

`inside` has built by its line; here the result is started.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from harness.http import get
from harness.waiting import wait_for

README = Path("/eyelid/README.md").read_text()


@pytest.mark.skipif(
    "EYELID_SANITIZED" in os.environ, reason="cargo would build what is not looked at"
)
def test_the_readmes_lines_end_with_a_picture_of_libcameras_camera(start, directory):
    (run,) = re.findall(r"^    (cargo run .*--source libcamera)$", README, re.M)
    (build,) = re.findall(r"^`(cargo build .*libcamera.*?)`", README, re.M)
    assert (
        build.replace("--release", "--release --locked")
        in Path("tests/libcamera/inside").read_text()
    )
    # Not for cargo: the stand-in for the heap that cameras take their buffers from.
    preload = f"{os.environ['EYELID_PRELOADED']}/memfd_heap.so"
    runner = f'target."cfg(unix)".runner = ["env", "LD_PRELOAD={preload}"]'
    cargo, *words = shlex.split(run)
    listen = ["--listen", "127.0.0.1:0", "--slots", directory / "slots"]
    eyelid = start(
        cargo,
        "--config",
        runner,
        *words,
        *listen,
        cwd="/eyelid",
        env={**os.environ, "EYELID_HEAP_LOG": "/dev/null"},
    )
    url = wait_for(
        lambda: re.search(r"http://127\.0\.0\.1:[1-9]\d*", eyelid.out()), eyelid.log, 60
    )[0]
    answer = wait_for(
        lambda: (answer := get(url, "/snapshot")).status != 503 and answer, eyelid.log
    )
    assert answer.status == 200 and answer.body.startswith(b"\xff\xd8")
    (camera,) = re.findall(rb'"source":"([^"]*)"', get(url, "/status").body)
    assert camera == b"libcamera"
    # With the features that the first line built with; anything else would have to be compiled.
    assert "Compiling" not in eyelid.log() and "builds only" not in eyelid.log()
    version = subprocess.run(
        ["/target/release/eyelid-capture", "--version"], capture_output=True, check=True
    )
    assert version.stdout.split(b" with ")[1].strip() == b"libcamera,turbojpeg"
    assert eyelid.stop() == 0
