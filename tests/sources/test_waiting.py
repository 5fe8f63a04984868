"""A camera that is awake and gives no frame: who asks for one is told why."""

import json

import pytest
from media import play

from harness.http import get, wait_listening
from harness.waiting import wait_for


@pytest.fixture
def reason(capture, start, directory):
    """Gives a function that starts a source and a server, and tells why a snapshot is refused."""

    def reason(source, *arguments):
        program = capture(source, *arguments)

        def waits():
            program.slot.look()
            return (program.slot.state() or {}).get("waiting")

        wait_for(waits, lambda: f"a reason; state: {program.slot.state()}")
        address = f"unix:{directory}/socket"
        start("eyelid-server", "--slots", program.slot.path, "--listen", address, "--timeout", "1s")
        wait_listening(address)
        answer = get(address, "/snapshot")
        assert answer.status == 503
        status = json.loads(get(address, "/status").body)["cameras"][0]
        assert (status["state"], status["error"]) == ("awake", None)
        told = json.loads(answer.body)["error"]
        assert status["waiting"] in told
        return told

    return reason


def test_an_empty_folder(reason, folder):
    assert (
        reason(f"folder:{folder}")
        == f'no frame yet: no picture in folder "{folder}" (*.jpg, *.jpeg or *.png)'
    )


def test_a_file_that_is_no_picture(reason, folder):
    (folder / "a.jpg").write_text("no picture")
    assert reason(f"folder:{folder}").endswith('a.jpg": neither JPEG nor PNG')


def test_a_folder_with_an_old_picture_only(reason, folder, china):
    (folder / "a.jpg").write_bytes(china.jpeg)
    assert reason(f"folder:{folder}") == f'no new frame for 1s: no new picture in folder "{folder}"'


def test_a_command_that_starts_slowly(reason):
    assert reason("command:exec sleep 1000") == "no frame yet: the command has written nothing yet"


def test_a_command_that_writes_h264(reason, video):
    command = play(video, "-c:v", "libx264", "-preset", "ultrafast", "-f", "h264")
    assert "no frame yet: the command writes H.264, not JPEGs" in reason(f"command:exec {command}")
