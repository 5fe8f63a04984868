"""Clients that people have, each as a function that gives what sends one picture."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import websocket
from websockets.sync.client import connect

from harness.waiting import DEADLINE

HERE = Path(__file__).parent
NODE = Path(sys.executable).parent / "node"
MODULES = Path(os.environ["EYELID_TESTS_CACHE"]) / "receive/node_modules"


@contextmanager
def by_websockets(start, receiver, directory):
    """PyPI's `websockets`."""
    with connect(f"ws://127.0.0.1:{receiver.port}/door") as connection:
        yield connection.send


@contextmanager
def by_websocket_client(start, receiver, directory):
    """PyPI's `websocket-client`, as it comes: it sends an origin."""
    connection = websocket.create_connection(f"ws://127.0.0.1:{receiver.port}/door")
    yield connection.send_binary
    connection.close()


@contextmanager
def by_ws(start, receiver, directory):
    """npm's `ws`."""
    url = f"ws://127.0.0.1:{receiver.port}/door"
    node = subprocess.Popen(
        [NODE, HERE / "ws_camera.js", url, "arduino"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"NODE_PATH": str(MODULES)},
    )
    try:
        assert node.stdout.readline() == "open arduino\n"
        write = _writing(directory)

        def send(jpeg):
            print(write(jpeg), file=node.stdin, flush=True)

        yield send
        node.stdin.close()
        assert node.wait(DEADLINE) == 0
        # It was told nothing but the end, which it wished for.
        assert node.stdout.read() == "close 1000\n"
    finally:
        node.kill()
        node.wait()


def curl(*options):
    """curl with these options, in which FILE is the file that has the picture."""

    @contextmanager
    def client(start, receiver, directory):
        write = _writing(directory)

        def send(jpeg):
            path = str(write(jpeg))
            words = [option.replace("FILE", path) for option in options]
            command = ["curl", "-sS", "--fail-with-body", *words, f"{receiver.url}/door"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
            assert (done.returncode, done.stderr) == (0, ""), done
            assert done.stdout in ('{"awake":true}', '{"awake":false}'), done.stdout

        yield send

    return client


@contextmanager
def by_endless_curl(start, receiver, directory):
    """One curl that sends a stream of pictures, as cameras serve it."""
    kind = "Content-Type: multipart/x-mixed-replace; boundary=frame"
    curl = subprocess.Popen(
        ["curl", "-sS", "-H", kind, "-T", "-", f"{receiver.url}/door"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:

        def send(jpeg):
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            curl.stdin.write(head.encode() + jpeg + b"\r\n")
            curl.stdin.flush()

        yield send
        curl.stdin.write(b"--frame--\r\n")
        said, _ = curl.communicate(timeout=DEADLINE)
        assert said.startswith(b'{"awake":'), said
    finally:
        curl.kill()
        curl.wait()


CLIENTS = {
    "websockets": by_websockets,
    "websocket-client": by_websocket_client,
    "ws": by_ws,
    "curl -T": curl("-T", "FILE"),
    "curl --data-binary": curl("--data-binary", "@FILE"),
    "curl -F": curl("-F", "imageFile=@FILE"),
    "curl -T -": by_endless_curl,
}


def _writing(directory):
    """Gives a function that writes a picture into a file of its own, and gives its path."""
    numbers = count()

    def write(jpeg):
        path = directory / f"picture{next(numbers)}.jpg"
        path.write_bytes(jpeg)
        return path

    return write


@contextmanager
def sending_on(send, pictures):
    """Sends one picture after the other until it is left."""
    stop = threading.Event()

    def run():
        while not stop.is_set():
            send(next(pictures))
            stop.wait(0.05)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
