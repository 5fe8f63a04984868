"""What people's clients push arrives byte for byte, in the slot and with those who look."""

from itertools import count

import pytest
from clients import CLIENTS, sending_on
from pictures import mark, picture
from receiver import shown

from harness.http import get
from harness.stream import Stream
from harness.waiting import wait_for


def recorded(pictures, made):
    """Gives the same pictures, and keeps each."""
    for jpeg in pictures:
        made.append(jpeg)
        yield jpeg


@pytest.mark.parametrize("client", CLIENTS)
def test_each_picture_arrives_as_it_was_sent(client, start, directory, receiver, server):
    # Lengths with every remainder by 4, which is a mask's length.
    made = []
    pictures = recorded((picture(number, 19_000 + number) for number in count()), made)
    with CLIENTS[client](start, receiver, directory) as send:
        for _ in range(5):
            send(jpeg := next(pictures))
            shown(receiver.slot(), jpeg)
        with sending_on(send, pictures):
            answer = get(server, "/door/snapshot")
            assert answer.status == 200
            assert answer.body in made
            with Stream(server, "/door/stream") as stream:
                parts = [stream.part() for _ in range(5)]
        assert all(part.live() and part.jpeg in made for part in parts)
        numbers = [mark(part.jpeg).number for part in parts]
        assert numbers == sorted(set(numbers)), "each is newer than the one before"
    assert receiver.slot().state()["source"] == "push"


def test_ffmpeg_posts_a_stream(start, directory, receiver, server):
    files = [directory / f"in{number}.jpg" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(picture(number))
    jpegs = {file.read_bytes() for file in files}
    files = ["-framerate", "10", "-f", "image2", "-loop", "1", "-i", directory / "in%d.jpg"]
    copy = ["-c:v", "copy", "-f", "mpjpeg", "-method", "POST"]
    ffmpeg = start("ffmpeg", "-v", "error", "-re", *files, *copy, f"{receiver.url}/door")
    seen = set()

    def all_seen():
        if look := receiver.slot().look():
            seen.add(look[1])
        return seen >= jpegs

    wait_for(all_seen, lambda: f"all pictures; {len(seen)} seen: {ffmpeg.log()}")
    assert seen == jpegs, "a picture that was not sent"
    assert get(server, "/door/snapshot").body in jpegs
    with Stream(server, "/door/stream") as stream:
        assert {stream.part().jpeg for _ in range(6)} == jpegs
    assert ffmpeg.running(), ffmpeg.log()
