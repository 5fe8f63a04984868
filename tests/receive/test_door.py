"""Pushing at the server's door: users know one port."""

import contextlib
import os
import select
import socket

import pytest
from cameras import Pushing
from pictures import mark, picture
from receiver import bearer, configuration, converse, head, shown, token_file
from wire import BINARY, WebSocket, frame

from harness.http import free_port, get
from harness.programs import binary
from harness.slot import Slot
from harness.stream import Stream
from harness.waiting import wait_for


@pytest.fixture
def door(start, directory):
    """A server whose connections for `/push` start a receiver; gives a function that starts both.

    Its arguments are the configuration and options of the server; it gives the server's URL.
    """

    def door(text, *options):
        (directory / "eyelid.toml").write_text(text)
        (directory / "doors").mkdir()
        common = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
        where = ["--listen", directory / "doors/receive", "--seqpacket"]
        receive = [binary("eyelid-receive"), *common]
        activated = start("systemd-socket-activate", *where, *receive)
        activated.wait_log("Listening on")
        listen = ["--listen", "127.0.0.1:0", "--doors", directory / "doors"]
        server = start("eyelid-server", *common, *listen, *options)
        return server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]

    return door


@pytest.mark.parametrize(("path", "name"), [("/door/push", "door"), ("/push", "default")])
def test_a_picture_posted_and_a_websocket(door, directory, path, name):
    url = door(configuration("door", "default"))
    slot = Slot(directory / "slots" if name == "default" else directory / "slots" / name)
    for method in "POST", "PUT":
        answer = get(url, path, method, jpeg := picture(1))
        assert (answer.status, answer.body) == (200, b'{"awake":true}')
        shown(slot, jpeg)
    with WebSocket(url, path) as camera:
        # Longer than what a server has read with the head.
        camera.send_jpeg(jpeg := picture(2, 300_000))
        shown(slot, jpeg)
        with Pushing(camera.send_jpeg), Stream(url, f"/{name}/stream") as stream:
            numbers = [mark(stream.part().jpeg).number for _ in range(10)]
            assert numbers[1:] == sorted(set(numbers[1:]))
            assert mark(get(url, f"/{name}/snapshot").body)


def test_what_comes_with_the_head_is_not_lost(door, directory):
    """Bytes that the server has read already are handed over, in both ways."""
    url = door(configuration("door"))
    slot = Slot(directory / "slots/door")
    jpeg = picture(1)
    whole = head("POST", "/door/push", f"Content-Length: {len(jpeg)}", "Connection: close") + jpeg
    assert converse(url, whole)[0] == 200
    shown(slot, jpeg)
    jpeg = picture(2)
    lines = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    upgrade = head("GET", "/door/push", *lines, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as camera:
        camera.sendall(upgrade + frame(BINARY, jpeg))
        assert camera.recv(12) == b"HTTP/1.1 101"
        shown(slot, jpeg)


def test_tokens_and_names_hold_at_the_door(door, directory):
    tokens = token_file(directory / "tokens", ("door", "secret"))
    url = door(configuration("door", token_file=tokens))
    assert get(url, "/door/push", "POST", picture(1)).status == 401
    assert WebSocket(url, "/door/push").close_code(5) == 1008
    token = {"Authorization": "Bearer secret"}
    jpeg = picture(2)
    assert get(url, "/door/push", "POST", jpeg, **token).status == 200
    shown(Slot(directory / "slots/door"), jpeg)
    assert WebSocket(url, "/door/push", bearer("secret")).status == 101
    for path in "/garden/push", "/../push", "/%2e%2e/push", "/push/door":
        # What is nobody's is the server's, and takes no pictures.
        assert get(url, path, "POST", picture(1), **token).status in (404, 405), path


def test_without_tokens_a_proxys_clients_push_nothing_at_the_door(door):
    url = door(configuration("door"))
    assert get(url, "/door/push", "POST", picture(1), **{"X-Forwarded-For": "::1"}).status == 403
    assert WebSocket(url, "/door/push", "Via: 1.1 proxy").status == 403
    assert WebSocket(url, "/door/push", "Origin: http://evil.example").status == 403


def test_a_camera_is_a_client_of_the_servers_and_ends_with_it(door, directory):
    url = door(configuration("door"), "--max-clients", "2")
    cameras = [WebSocket(url, "/door/push")]
    cameras[0].send_jpeg(jpeg := picture(1))
    shown(Slot(directory / "slots/door"), jpeg)
    with Stream(url, "/door/stream"):
        assert WebSocket(url, "/door/push").status == 503
    wait_for(lambda: WebSocket(url, "/door/push").status == 101, "room")
    assert cameras[0].close_code() == 4001


def test_who_shows_a_wrong_token_takes_no_clients_place(door, directory):
    """A guesser waits for a second to be told so; others are served meanwhile."""
    tokens = token_file(directory / "tokens", ("door", "secret"))
    url = door(configuration("door", token_file=tokens), "--max-clients", "2")
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    lines = [bearer("guess"), "Content-Length: 1"]
    for _ in range(5):
        with contextlib.ExitStack() as stack:
            guessers = [stack.enter_context(socket.create_connection(address)) for _ in range(2)]
            for guesser in guessers:
                guesser.sendall(head("POST", "/door/push", *lines) + b"x")
            wait_for(lambda: get(url, "/status").status == 200, "room for who asks")
            told, _, _ = select.select(guessers, [], [], 0)
            answers = [guesser.recv(12) for guesser in guessers]
            if not told and answers == [b"HTTP/1.1 401"] * 2:
                return  # both were waiting still
    pytest.fail("there is room only when guessers have gone")


def test_without_a_receiver_it_is_said_which_package_has_it(start, directory):
    (directory / "doors").mkdir()
    (directory / "eyelid.toml").write_text(configuration("default"))
    where = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    listen = ["--listen", "127.0.0.1:0", "--doors", directory / "doors"]
    server = start("eyelid-server", *where, *listen)
    url = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    answer = get(url, "/push", "POST", picture(1))
    assert answer.status == 404
    assert b"eyelid-receive" in answer.body


def test_two_kinds_of_passed_sockets_at_once(start, directory):
    """What uses it: `eyelid`, and systemd with both in one unit."""
    (directory / "eyelid.toml").write_text(configuration("door"))
    (directory / "doors").mkdir()
    port, door = free_port(), directory / "doors/receive"
    tcp = socket.create_server(("127.0.0.1", port))
    hand_over = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    hand_over.bind(str(door))
    hand_over.listen()

    def pass_on():
        os.dup2(os.dup(tcp.fileno()), 3)
        os.dup2(os.dup(hand_over.fileno()), 4)

    arguments = ["--slots", directory / "slots", "--config", directory / "eyelid.toml"]
    environment = os.environ | {"LISTEN_FDS": "2"}
    start("eyelid-receive", *arguments, preexec_fn=pass_on, close_fds=False, env=environment)
    server = start("eyelid-server", *arguments, "--listen", "127.0.0.1:0", "--doors", door.parent)
    through = server.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0]
    for number, url in enumerate([f"http://127.0.0.1:{port}", through]):
        path = "/door" if number == 0 else "/door/push"
        jpeg = picture(number)
        assert get(url, path, "POST", jpeg).status == 200
        shown(Slot(directory / "slots/door"), jpeg)
