"""A camera whose picture is known, and programs that send it."""

import cable
import pytest

from harness import elsewhere, networks
from harness.feed import Feed, picture
from harness.namespaces import require_own
from harness.slot import Slot

NETWORK = """
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo src 127.0.0.1
"""


def pytest_sessionstart():
    """Groups need a network that is nobody else's, and so does another computer beside it."""
    require_own("net")
    require_own("mnt")
    elsewhere.make()
    networks.make(NETWORK)


@pytest.fixture
def jpeg(directory):
    """The picture."""
    return picture(directory / "picture.jpg")


@pytest.fixture
def feed(directory):
    """Shows pictures in slots, until the end of the test; gives the slot."""
    feeds = []

    def feed(slot, jpeg, **options):
        feeds.append(Feed(directory / slot, jpeg, **options))
        return feeds[-1]

    yield feed
    for each in feeds:
        each.stop()


@pytest.fixture
def slots(feed, jpeg):
    """Slots with one camera that shows the picture all the time."""
    return feed("slots", jpeg).slot


@pytest.fixture
def asleep(start, directory):
    """A camera that sleeps soon after the last look; its slot."""
    slot = directory / "slots"
    start("eyelid-capture", "--source", "test", "--slot", slot, "--linger", "1s")
    slot = Slot(slot)
    slot.frame()
    slot.wait_state("asleep")
    return slot


@pytest.fixture
def receiver_computer():
    """A computer of its own for receivers, at the end of a cable."""
    with cable.laid():
        yield


@pytest.fixture
def status(directory):
    """Where eyelid-rtp tells what it sends, if it is told to."""
    return directory / "status"


@pytest.fixture
def rtp(start, directory):
    """Starts eyelid-rtp with RTSP on a port of its choice; gives the program with its `url`."""

    def rtp(slots, *arguments, config=None):
        if config is not None:
            path = directory / "eyelid.toml"
            path.write_text(config)
            arguments = ["--config", path, *arguments]
        program = start("eyelid-rtp", "--slots", slots, "--rtsp", "127.0.0.1:0", *arguments)
        program.url = program.wait_log(r"rtsp://127\.0\.0\.1:[1-9]\d*")[0]
        return program

    return rtp


@pytest.fixture
def h264(start, rtp, directory):
    """Starts eyelid-video, and eyelid-rtp at its taps; gives a camera's URL."""

    def h264(slots, *arguments, **options):
        taps = directory / "taps"
        video = start(
            "eyelid-video", "--slots", slots, "--taps", taps, "--udp", "127.0.0.1:0",
            "--listen", "127.0.0.1:0",
        )  # fmt: skip
        video.wait_log("listening on")
        return rtp(slots, "--taps", taps, *arguments, **options).url + "/?codec=h264"

    return h264
