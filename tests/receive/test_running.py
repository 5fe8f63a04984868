"""Starting, reloading and ending; what is wrong with a configuration is said at once."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cameras import Pushing
from pictures import picture
from receiver import configuration, shown, token_file
from wire import BINARY, WebSocket, frame

from harness.http import free_port, get, wait_listening
from harness.processes import children
from harness.programs import binary
from harness.slot import Slot
from harness.waiting import wait_for

CONFIGURATION, USAGE = 78, 2
OURS = "Sec-WebSocket-Protocol: eyelid.v1"


def test_a_signal_ends_it_and_its_cameras(receiver):
    camera = receiver.camera()
    camera.send_jpeg(jpeg := picture(1))
    shown(receiver.slot(), jpeg)
    began = time.monotonic()
    receiver.program.process.send_signal(signal.SIGTERM)
    assert camera.close_code() in (1001, None)
    assert receiver.program.wait() == 0
    assert time.monotonic() - began < 3
    state = Slot(receiver.slots / "door").state()
    assert (state["state"], state["push"]["connected"]) == ("asleep", False)


def test_the_servers_status_is_of_now_though_nobody_looks(receiver, server):
    """It asks the receiver: nothing is written, and nobody is woken."""

    def told():
        (camera,) = json.loads(get(server, "/status").body)["cameras"]
        assert camera["state"] == "asleep", "asking woke it"
        return camera["push"]

    assert receiver.post(picture(1)).status == 200
    wait_for(lambda: receiver.slot().state()["state"] == "asleep", "its sleep")
    assert told()["connected"] is False
    with receiver.camera() as camera:
        with Pushing(camera.send_jpeg):
            frames = wait_for(lambda: told()["fps"] and told()["frames"], "its rate")
            wait_for(lambda: told()["frames"] > frames, "more frames")
            push = told()
            assert push["connected"] and push["bytes"] > frames and push["address"], push
        camera.send(frame(BINARY, b"no picture"))
        wait_for(lambda: told()["refused"] == 1, "what is refused")
        assert told()["last_error"], told()
    wait_for(lambda: not told()["connected"], "its end")
    assert told()["fps"] is None


def test_of_a_receiver_that_was_killed_no_camera_is_connected(receiver, server):
    def told():
        time.sleep(0.3)  # for as long an answer holds
        return json.loads(get(server, "/status").body)["cameras"][0]["push"]

    with receiver.camera() as camera, Pushing(camera.send_jpeg):
        receiver.wait_push(connected=True)
        receiver.program.process.kill()
        receiver.program.wait()
    assert receiver.slot().state()["push"]["connected"], "nobody has written otherwise"
    left = told()
    assert (left["connected"], left["fps"], "address" in left) == (False, None, False)


def test_reloading_adds_and_removes_cameras_and_keeps_the_others(receive, directory):
    receiver = receive(configuration("door", "old"))
    door, old = receiver.camera("/door"), receiver.camera("/old")
    for camera, name in (door, "door"), (old, "old"):
        camera.send_jpeg(jpeg := picture(1))
        shown(receiver.slot(name), jpeg)
    assert receiver.post(picture(1), "/new").status == 404
    receiver.reload(configuration("door", "new"))
    wait_for(lambda: receiver.post(picture(1), "/new").status == 200, "the new camera")
    assert old.close_code() in (1000, 1001, 1008)
    assert receiver.post(picture(1), "/old").status == 404
    assert set(receiver.status()) == {"door", "new"}
    door.send_jpeg(jpeg := picture(2))
    shown(receiver.slot("door"), jpeg)
    # And back again: its slot is as good as ever.
    receiver.reload(configuration("door", "old"))
    wait_for(lambda: receiver.post(jpeg, "/old").status == 200, "the old camera")
    shown(receiver.slot("old"), jpeg)
    assert door.silent()


def test_reloading_takes_new_tokens_and_bounds(receive, directory):
    tokens = token_file(directory / "tokens", ("door", "one"))
    receiver = receive(configuration("door", token_file=tokens))
    one, two = {"Authorization": "Bearer one"}, {"Authorization": "Bearer two"}
    assert receiver.post(picture(1), **one).status == 200
    token_file(directory / "tokens", ("door", "two"))
    smaller = configuration(("door", {"max_bytes": "10KiB"}), token_file=tokens)
    receiver.reload(smaller)
    wait_for(lambda: receiver.post(picture(1, 9_000), **two).status == 200, "the new token")
    assert receiver.post(picture(1, 9_000), **one).status == 401
    assert receiver.post(picture(1, 19_000), **two).status == 413


def test_a_broken_configuration_is_told_and_the_old_one_stays(receiver):
    camera = receiver.camera()
    receiver.reload("[receive.cameras.garden]\nlingger = '1s'\n")
    receiver.program.wait_log("lingger")
    camera.send_jpeg(jpeg := picture(1))
    shown(receiver.slot(), jpeg)
    assert receiver.post(picture(1), "/garden").status == 404
    assert camera.silent()


# What is wrong, and what must be said of it: beside the file's name.
WRONG = {
    "an unknown key": ("[receive]\n\nlisten_ = []\n", ["eyelid.toml", "3", "listen_"]),
    "a camera's unknown key": (
        "[receive.cameras.door]\nfps = 3\n",
        ["eyelid.toml", "2", "fps"],
    ),
    "a name with dots": ('[receive.cameras."../door"]\n', ["eyelid.toml", "1", "../door"]),
    "a name that is a URL's": ("[receive.cameras.stream]\n", ["eyelid.toml", "1", "stream"]),
    "no duration": (
        "[receive.cameras.door]\nlinger = 'soon'\n",
        ["eyelid.toml", "2", "linger", "soon"],
    ),
    "no size": (
        "[receive.cameras.door]\nmax-bytes = '1 mile'\n",
        ["eyelid.toml", "2", "max-bytes", "1 mile"],
    ),
    "too large": (
        "[receive.cameras.door]\nmax-bytes = '33MiB'\n",
        ["eyelid.toml", "2", "max-bytes", "32"],
    ),
    "nothing": ("[receive.cameras.door]\nmax-bytes = '0B'\n", ["eyelid.toml", "2", "max-bytes"]),
    "a bad address": ("[receive]\nlisten = ['8765x']\n", ["eyelid.toml", "2", "listen", "8765x"]),
    "two of one name": (
        "[cameras.door]\nsource = 'test'\n[receive.cameras.door]\n",
        ["eyelid.toml", "door"],
    ),
    "too many": (
        "[receive]\nmax-cameras = 1\n[receive.cameras.a]\n[receive.cameras.b]\n",
        ["eyelid.toml", "max-cameras", "1", "2"],
    ),
    "no such token file": (
        "[receive.cameras.door]\ntoken-file = '/nowhere/tokens'\n",
        ["token-file", "/nowhere/tokens", "No such file"],
    ),
    "two with one slot": (
        "[receive.cameras.a]\nslot = '/dev/shm/x'\n[receive.cameras.b]\nslot = '/dev/shm/x'\n",
        ["eyelid.toml", "4", "slot", '"a"'],
    ),
}


@pytest.mark.parametrize("check", [["--check"], []], ids=["--check", "starting"])
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(start, directory, what, check):
    text, words = WRONG[what]
    (directory / "eyelid.toml").write_text(text)
    where = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    program = start("eyelid-receive", *where, "--listen", "127.0.0.1:0", *check)
    assert program.wait() == CONFIGURATION, program.log()
    said = program.out() if check else program.log()
    assert all(word in said for word in words), said
    assert len(said.splitlines()) < 12, said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("door", ["tokens", "line 2"]),
        ("door:1234", ["tokens", "line 2"]),
        ("door:" + "g" * 64, ["tokens", "line 2"]),
        ("../door:" + "a" * 64, ["tokens", "line 2", "name"]),
    ],
)
def test_what_is_wrong_with_a_token_file_is_said(start, directory, line, words):
    (directory / "tokens").write_text(f"# tokens\n{line}\n")
    tokens = str(directory / "tokens")
    (directory / "eyelid.toml").write_text(configuration("door", token_file=tokens))
    where = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    program = start("eyelid-receive", *where, "--check")
    assert program.wait() == CONFIGURATION, program.log()
    assert all(word in program.out() for word in words), program.out()


def test_a_check_finds_nothing_and_makes_nothing(start, directory):
    tokens = token_file(directory / "tokens", ("door", "secret"))
    text = configuration("door", token_file=tokens, listen=["127.0.0.1:1"])
    (directory / "eyelid.toml").write_text(text)
    before = sorted(directory.iterdir())
    where = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    program = start("eyelid-receive", *where, "--check")
    assert program.wait() == 0, program.log()
    assert sorted(directory.iterdir()) == before


@pytest.mark.parametrize("arguments", [["--slot", "x"], ["--listen", "nowhere"], ["more"]])
def test_wrong_usage(start, directory, arguments):
    program = start("eyelid-receive", "--slots", directory, *arguments)
    assert program.wait() == USAGE, program.log()


@pytest.mark.parametrize("name", ["door", "default"])
def test_a_second_one_for_the_same_slots_is_told_and_harms_nobody(receive, start, name):
    receiver = receive(configuration(name))
    camera = receiver.camera(f"/{name}")
    camera.send_jpeg(jpeg := picture(1))
    shown(receiver.slot(name), jpeg)
    where = ["--slots", receiver.slots, "--config", receiver.config, "--listen", "127.0.0.1:0"]
    second = start("eyelid-receive", *where)
    assert second.wait() == 1
    said = second.log()
    slot = receiver.slots if name == "default" else receiver.slots / name
    for word in f'slot "{slot}"', f"process {receiver.pid} ", "--slots":
        assert word in said, said
    camera.send_jpeg(jpeg := picture(2))
    shown(receiver.slot(name), jpeg)
    # Whatever it dies of, what it had is free.
    receiver.program.process.kill()
    receiver.program.wait()
    third = receive(configuration(name))
    assert third.post(picture(3), f"/{name}").status == 200


def test_a_second_one_for_other_cameras_of_the_same_slots(receive, start, directory):
    door = receive(configuration("door"))
    (directory / "other.toml").write_text(configuration("garden", "door"))
    where = ["--slots", door.slots, "--config", directory / "other.toml"]
    other = start("eyelid-receive", *where, "--listen", "127.0.0.1:0")
    url = other.wait_log(r"listening on (http://[^ ]*:\d+)")[1]
    jpeg = picture(1)
    assert get(url, "/garden", "POST", jpeg).status == 200
    shown(Slot(door.slots / "garden"), jpeg)
    assert get(url, "/door", "POST", picture(2)).status == 404
    assert 'camera "door" cannot push' in other.log()
    jpeg = picture(3)
    assert door.post(jpeg).status == 200
    shown(door.slot(), jpeg)


def test_one_that_is_started_while_the_last_one_ends_waits_for_it(receive):
    before = receive(configuration("door"))
    camera = before.camera()
    before.program.process.send_signal(signal.SIGSTOP)
    before.program.process.send_signal(signal.SIGTERM)
    with ThreadPoolExecutor() as pool:
        starting = pool.submit(receive, configuration("door"))
        time.sleep(0.3)
        before.program.process.send_signal(signal.SIGCONT)
        after = starting.result()
    assert after.post(picture(1)).status == 200
    assert camera.close_code() in (1001, None)
    assert before.program.wait() == 0
    assert (after.slots / ".door.lock").read_text() == str(after.pid)
    after.program.process.send_signal(signal.SIGTERM)
    assert after.program.wait() == 0
    assert not list(after.slots.glob(".*"))


def test_an_address_that_is_taken(start, receiver, directory):
    where = ["--slots", directory / "others", "--config", receiver.config]
    program = start("eyelid-receive", *where, "--listen", f"127.0.0.1:{receiver.port}")
    assert program.wait() == 1
    assert f"127.0.0.1:{receiver.port}" in program.log()
    assert "in use" in program.log()


def test_addresses_of_the_configuration(start, directory):
    ports = [free_port(), free_port("::1")]
    listen = [f"127.0.0.1:{ports[0]}", f"[::1]:{ports[1]}"]
    (directory / "eyelid.toml").write_text(configuration("door", listen=listen))
    where = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    start("eyelid-receive", *where)
    for url in f"http://127.0.0.1:{ports[0]}", f"http://[::1]:{ports[1]}":
        wait_listening(url)
        jpeg = picture(1)
        assert get(url, "/door", "POST", jpeg).status == 200
        shown(Slot(directory / "slots/door"), jpeg)


def test_an_idle_one_ends_with_the_newest_picture_in_the_slot(receive):
    receiver = receive(configuration(("door", {"linger": "200ms"})), "--idle-exit", "2s")
    slot = receiver.slot()
    first = picture(1)
    assert receiver.post(first).status == 200
    shown(slot, first)
    assert receiver.post(picture(2)).status == 200  # for the look
    slot.wait_state("asleep")
    before = time.time_ns()
    newest = picture(3)
    assert receiver.post(newest).status == 200
    after = time.time_ns()
    receiver_ends = receiver.program.wait(10)
    assert receiver_ends == 0
    mtime, jpeg = Slot(receiver.slots / "door").look()
    assert jpeg == newest
    assert before <= mtime <= after
    assert Slot(receiver.slots / "door").state()["state"] == "asleep"


def test_one_with_a_camera_is_not_idle(receive):
    receiver = receive(configuration(("door", {"linger": "200ms"})), "--idle-exit", "1s")
    slot = receiver.slot()
    with receiver.camera("/door", OURS) as camera:
        camera.send_jpeg(jpeg := picture(1))
        shown(slot, jpeg)
        camera.send_jpeg(picture(2))  # for the look
        slot.wait_state("asleep")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert receiver.program.running()
            time.sleep(0.05)
        slot.look()
    began = time.monotonic()
    assert receiver.program.wait(10) == 0
    assert time.monotonic() - began > 0.8


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_passed_socket(start, directory, kind):
    (directory / "eyelid.toml").write_text(configuration("door"))
    port = free_port()
    path = directory / "socket"
    ours = {"tcp": f"127.0.0.1:{port}", "unix": str(path)}[kind]
    theirs = {"tcp": f"http://127.0.0.1:{port}", "unix": f"unix:{path}"}[kind]
    arguments = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    command = [binary("eyelid-receive"), *arguments, "--idle-exit", "1s"]
    program = start("systemd-socket-activate", "-l", ours, *command)
    program.wait_log("Listening on")
    with WebSocket(theirs, "/door") as camera:
        camera.send_jpeg(jpeg := picture(1))
        shown(Slot(directory / "slots/door"), jpeg)
        assert children(program.pid) == [], "it is the program itself"
    assert program.wait() == 0


def test_idle_it_costs_nothing(receiver):
    """Asleep, with a camera that was told so: no processor time."""
    slot = receiver.slot()
    with receiver.camera("/door", OURS) as camera:
        camera.send_jpeg(jpeg := picture(1))
        shown(slot, jpeg)
        camera.send_jpeg(picture(2))
        slot.wait_state("asleep")
        clock = ~receiver.pid << 3 | 2  # clock_getcpuclockid(3)
        before = time.clock_gettime(clock)
        time.sleep(3)
        assert time.clock_gettime(clock) - before < 0.015
