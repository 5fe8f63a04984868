"""What OctoPrint does when a camera is gone for a picture of a time-lapse.

And what without the right snapshot URL.
"""

import http.client
import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image
from programs import Camera

from harness.frames import check_frame
from harness.http import get
from harness.square import way
from harness.waiting import DEADLINE, wait_for


@pytest.fixture(scope="module")
def route_name():
    """OctoPrint fetches snapshots itself: what is in front of it does not matter."""
    return "direct"


def numbers(pictures):
    """Gives the numbers that OctoPrint has given to pictures."""
    return [int(path.stem.rpartition("-")[2]) for path in pictures]


def frames(film, directory):
    """Gives the pictures of a film."""
    command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", film, directory / "%03d.png"]
    subprocess.run(command, check=True, timeout=2 * DEADLINE)
    return [Image.open(path) for path in sorted(directory.glob("*.png"))]


@pytest.fixture
def film_without_camera(octoprint, start, directory):
    """Makes a film while the camera is gone for the second picture; gives the numbers of the two
    that OctoPrint got before and after it, and what the film shows.
    """

    def film_without_camera(timeout, interval):
        camera = Camera(start, directory, "--timeout", timeout)
        octoprint.configure_webcam(f"{camera.url}/?action=stream", f"{camera.url}/?action=snapshot")
        with octoprint.printing(interval):
            octoprint.pictures(0)  # and the first one
            camera.capture.stop(signal.SIGKILL)
            heard = len(octoprint.program.out())
            wait_for(
                lambda: "503 Server Error" in octoprint.program.out()[heard:], "OctoPrint is told"
            )
            camera.plug_in()
            pictures = octoprint.pictures(2)
        for path in pictures:
            way(check_frame(path.read_bytes()))  # fails at what is not the camera's
        return numbers(pictures), frames(
            octoprint.film(pictures[0].name.rpartition("-")[0]), directory
        )

    return film_without_camera


def test_a_timelapse_goes_on_without_the_picture_that_there_was_no_camera_for(film_without_camera):
    pictures, film = film_without_camera(timeout="500ms", interval=4)
    assert pictures == [0, 1], "OctoPrint gives the number again"
    assert len(film) > len(pictures)
    for frame in film:
        way(frame)  # fails at what is not the camera's


def test_a_film_ends_at_a_picture_refused_after_the_next_one_was_asked_for(film_without_camera):
    pictures, film = film_without_camera(timeout="4s", interval=2)
    assert pictures == [0, 2], "OctoPrint has given the next number already"
    assert len(film) == 1


def test_a_mode_that_was_saved_before_the_snapshot_url_is_off_until_saved_again(octoprint, route):
    octoprint.configure_webcam(f"{route.stream}/?action=stream", "")
    assert octoprint.choose_timelapse("timed", interval=10) == "off"
    route.configure()
    assert octoprint.timelapse() == "off"
    assert octoprint.choose_timelapse("timed", interval=10) == "timed"


def test_with_the_stream_url_as_snapshot_url_octoprint_waits_until_it_is_killed(octoprint, route):
    def streamed_s():
        clients = json.loads(get(route.stream, "/status").body)["clients"]
        return max((client["connected_s"] for client in clients), default=0)

    with ThreadPoolExecutor() as pool:
        answer = pool.submit(octoprint.test_snapshot, f"{route.stream}/?action=stream", timeout=1)
        wait_for(lambda: streamed_s() > 2, "OctoPrint reads for longer than its time-out")
        octoprint.program.process.send_signal(signal.SIGTERM)
        wait_for(lambda: streamed_s() > 4, "OctoPrint reads on")
        assert octoprint.program.running() and not answer.done()
        octoprint.program.stop(signal.SIGKILL)
        with pytest.raises(http.client.RemoteDisconnected):
            answer.result()
