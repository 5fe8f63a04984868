"""A host that shares two cameras, and lies: as one does that has its rights, or the hub itself.

    liar.py URL HOST

Every second answer is honest: a picture of one colour, another one each time, of the size that is
the camera's. The others are each of LIES in turn.
"""

import asyncio
import io
import itertools
import sys

import nats
import wire
from PIL import Image

SIZES = {"tall": (120, 160), "wide": (160, 120)}
INSTANCE = 7


def jpeg(size, shade, quality=90):
    """Gives a picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 60, 200)).save(file, "JPEG", quality=quality)
    return file.getvalue()


class Camera:
    """One of its cameras."""

    def __init__(self, name):
        self.name, self.size = name, SIZES[name]
        self.sequence = 0
        self.lies = itertools.cycle(LIES)
        self.answers = itertools.count()
        self.last = None  # the request of before, and its messages

    def honest(self, request):
        """A new frame."""
        self.sequence += 1
        picture = jpeg(self.size, self.sequence)
        return wire.frame(request, (INSTANCE, self.sequence), picture, self.size)


def oversized(camera, request):
    """Larger than was asked for, and it all comes."""
    huge = jpeg(camera.size, 0) + bytes(request.max_bytes)
    return wire.frame(request, (INSTANCE, camera.sequence + 1), huge, camera.size)


def larger_than_said(camera, request):
    """More bytes than its head says."""
    messages = camera.honest(request)
    number = (INSTANCE, camera.sequence)
    return [*messages, wire.part(request, number, 0, b"x" * 1000)] * 2


def absurd(camera, request):
    """A frame of 4 GB."""
    return [wire.head(request, (INSTANCE, camera.sequence + 1), 0xFFFFFFFF, camera.size)]


def torn(camera, request):
    """Its middle is missing."""
    picture = jpeg(camera.size, 5)
    number = (INSTANCE, camera.sequence + 1)
    half = len(picture) // 2
    return [
        wire.head(request, number, len(picture), camera.size),
        wire.part(request, number, 0, picture[:100]),
        wire.part(request, number, half, picture[half:]),
    ]


def never_ended(camera, request):
    """It ends before its end."""
    return camera.honest(request)[:1]


def cut(camera, request):
    """Whole by what its head says, and half a picture."""
    picture = jpeg(camera.size, 5)
    half = picture[: len(picture) // 2]
    return wire.frame(request, (INSTANCE, camera.sequence + 1), half, camera.size)


def replayed(camera, request):
    """What was said before, to the letter."""
    return camera.last or camera.honest(request)


def replayed_as_new(camera, request):
    """The frame of before, for this request."""
    number = (INSTANCE, max(camera.sequence, 1))
    return wire.frame(request, number, jpeg(camera.size, camera.sequence), camera.size)


def older(camera, request):
    """A frame from an hour ago, in the place of a new one."""
    number = (INSTANCE, camera.sequence + 1)
    picture = jpeg(camera.size, 0)
    return wire.frame(request, number, picture, camera.size, age_us=3_600_000_000)


def of_another_camera(camera, request):
    """The other camera's, under the number of this request."""
    [other] = SIZES.keys() - {camera.name}
    asked = wire.Request(
        request.id[:8] + wire.tag(f"eyelid.v1.{HOST}.{other}") + request.id[16:], 0, 0, ()
    )
    picture = jpeg(camera.size, 5)
    return wire.frame(asked, (INSTANCE, camera.sequence + 1000), picture, camera.size)


def of_another_asker(camera, request):
    """For somebody else."""
    asked = wire.Request(b"somebody" + request.id[8:], 0, 0, ())
    return wire.frame(asked, (INSTANCE, camera.sequence + 1), jpeg(camera.size, 5), camera.size)


def other_size(camera, request):
    """Another size than the picture's."""
    picture = jpeg(camera.size, 5)
    return wire.frame(request, (INSTANCE, camera.sequence + 1), picture, (4000, 3000))


def no_jpeg(camera, request):
    """No picture."""
    return wire.frame(request, (INSTANCE, camera.sequence + 1), b"<html>" * 100, camera.size)


def noise(camera, request):
    """No message."""
    return [b"", b"\0", b"\xff" * 1000, b"\1\2" + b"\0" * 10, wire.no_frame(request, 1, 77)]


def flood(camera, request):
    """A thousand heads."""
    return [
        wire.head(request, (INSTANCE, number), 1000, camera.size)
        for number in range(camera.sequence + 1, camera.sequence + 1000)
    ]


LIES = [
    oversized, larger_than_said, absurd, torn, never_ended, cut, replayed, replayed_as_new, older,
    of_another_camera, of_another_asker, other_size, no_jpeg, noise, flood,
]  # fmt: skip


async def main(url):
    """Shares until it is ended."""
    client = await nats.connect(url)
    cameras = {name: Camera(name) for name in SIZES}

    async def say(message, answers):
        for answer in answers:
            await client.publish(message.reply, answer)

    async def asked(message):
        request = wire.Request.parse(message.data)
        words = message.subject.split(".")[2:]
        if not words:
            await say(message, [wire.presence(request, HOST, INSTANCE)])
        elif len(words) == 1:
            await say(message, [wire.directory(request, HOST, INSTANCE, sorted(SIZES))])
        elif len(words) == 2 and words[1] in cameras:
            camera = cameras[words[1]]
            await asyncio.sleep(0.03)
            count = next(camera.answers)
            lie = next(camera.lies) if count % 2 else Camera.honest
            answers = lie(camera, request)
            await say(message, answers)
            camera.last = answers

    for subject in "eyelid.v1", f"eyelid.v1.{HOST}", f"eyelid.v1.{HOST}.>":
        await client.subscribe(subject, cb=asked)
    print("shares", flush=True)
    await asyncio.Event().wait()


URL, HOST = sys.argv[1:]
asyncio.run(main(URL))
