"""A USB camera without hardware: the device's side of USB Video Class 1.0, spoken to the kernel's
vhci_hcd by USB/IP.

usage: usb_camera.py: plugs the camera in and stays. To kill it is to pull the cable.

It sends MJPEG over a bulk endpoint, and leaves out of each JPEG what everybody knows, as webcams
do: there is no JFIF segment and no Huffman table. The numbers are those of the kernel's
Documentation/usb/usbip_protocol.rst, of USB 2.0 chapter 9, and of the "USB Device Class Definition
for Video Devices" 1.0 with its payload "Motion-JPEG".
"""

import errno
import io
import select
import socket
import struct
import subprocess
import time
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT, FPS = 320, 240, 5
VENDOR, PRODUCT = 0x1209, 0x0001  # pid.codes has this one for tests
ID = f"{VENDOR:04x}:{PRODUCT:04x}"
NAMES = ["Eyelid", "Camera for tests"]

CONTROLLER = Path("/sys/devices/platform/vhci_hcd.0")
SYSFS = Path("/run/sysfs")
ORIGINAL = SYSFS / CONTROLLER.relative_to("/sys")
PORT, ADDRESS, HIGH_SPEED = 0, 0x10002, 3
STREAMS = Path("/run/usb-camera-streams")  # there while the kernel wants pictures


# The pictures


@cache
def frames():
    """Makes the JPEGs that the camera sends, in turn."""
    return [bare(painted(number)) for number in range(8)]


def painted(number):
    picture = Image.linear_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    ImageDraw.Draw(picture).rectangle((number * 40, 60, number * 40 + 39, 180), "orange", "navy")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=80)
    return file.getvalue()


def segments(jpeg):
    """Splits a JPEG: gives each segment as (marker, bytes).

    The last one is SOS, with all that follows.
    """
    position = 2
    while True:
        marker, length = struct.unpack_from(">HH", jpeg, position)
        end = None if marker == 0xFFDA else position + 2 + length
        yield marker, jpeg[position:end]
        if end is None:
            return
        position = end


def bare(jpeg):
    """Leaves out JFIF (APP0) and Huffman tables (DHT)."""
    return jpeg[:2] + b"".join(
        data for marker, data in segments(jpeg) if marker not in (0xFFE0, 0xFFC4)
    )


# What the camera says about itself


def descriptor(kind, pattern, *fields):
    body = struct.pack("<" + pattern, *fields)
    return bytes((2 + len(body), kind)) + body


DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT, ASSOCIATION, CLASS_SPECIFIC = (
    1,
    2,
    3,
    4,
    5,
    0x0B,
    0x24,
)
VIDEO, VIDEO_CONTROL, VIDEO_STREAMING, VIDEO_COLLECTION = 0x0E, 1, 2, 3
CAMERA_TERMINAL, USB_STREAM = 0x0201, 0x0101
BULK_IN, BULK = 0x81, 2
INTERVAL = 10_000_000 // FPS  # in 100 ns
FRAME_MAX, PAYLOAD_MAX = WIDTH * HEIGHT, 16384


def device():
    return descriptor(
        DEVICE, "H4B3H4B", 0x0200, 0xEF, 2, 1, 64, VENDOR, PRODUCT, 0x0100, 1, 2, 0, 1
    )


def configuration():
    # Unit 1 is the camera, without any control; its pictures go to unit 2, the stream.
    units = descriptor(CLASS_SPECIFIC, "BBHBB3HB3x", 2, 1, CAMERA_TERMINAL, 0, 0, 0, 0, 0, 3)
    units += descriptor(CLASS_SPECIFIC, "BBHBBB", 3, 2, USB_STREAM, 0, 1, 0)
    control = descriptor(CLASS_SPECIFIC, "BHHIBB", 1, 0x0100, 13 + len(units), 48_000_000, 1, 1)

    # One format, MJPEG, with one size at one rate; then what its colours are: BT.709's, by JPEG's
    # matrix.
    bits = 8 * FPS * FRAME_MAX
    formats = descriptor(CLASS_SPECIFIC, "9B", 6, 1, 1, 0, 1, 0, 0, 0, 0)
    formats += descriptor(
        CLASS_SPECIFIC,
        "3BHH4IBI",
        7,
        1,
        0,
        WIDTH,
        HEIGHT,
        bits,
        bits,
        FRAME_MAX,
        INTERVAL,
        1,
        INTERVAL,
    )
    formats += descriptor(CLASS_SPECIFIC, "4B", 0x0D, 1, 1, 4)
    streaming = descriptor(
        CLASS_SPECIFIC, "BBH8B", 1, 1, 14 + len(formats), BULK_IN, 0, 2, 0, 0, 0, 1, 0
    )

    body = b"".join(
        (
            descriptor(ASSOCIATION, "6B", 0, 2, VIDEO, VIDEO_COLLECTION, 0, 0),
            descriptor(INTERFACE, "7B", 0, 0, 0, VIDEO, VIDEO_CONTROL, 0, 0),
            control + units,
            descriptor(INTERFACE, "7B", 1, 0, 1, VIDEO, VIDEO_STREAMING, 0, 0),
            streaming + formats,
            descriptor(ENDPOINT, "BBHB", BULK_IN, BULK, 512, 0),
        )
    )
    return descriptor(CONFIGURATION, "H5B", 9 + len(body), 2, 1, 0, 0x80, 50) + body


def string(index):
    text = NAMES[index - 1].encode("utf-16-le") if index else struct.pack("<H", 0x0409)
    return descriptor(STRING, f"{len(text)}s", text)


def described(value):
    """Answers GET_DESCRIPTOR; None where there is no such thing."""
    kind, index = value >> 8, value & 0xFF
    if kind == STRING and index <= len(NAMES):
        return string(index)
    return {DEVICE: device, CONFIGURATION: configuration}.get(kind, lambda: None)()


PROBE, COMMIT = 1, 2
NEGOTIATED = struct.pack("<HBBI5HII", 1, 1, 1, INTERVAL, 0, 0, 0, 0, 0, FRAME_MAX, PAYLOAD_MAX)


def answer(kind, request, value, index):
    """Answers a control request: the data for the host, None for a stall."""
    match kind, request:
        case 0x80, 6:
            return described(value)
        case ((0x80 | 0x81 | 0x82), 0):  # GET_STATUS
            return bytes(2)
        case (
            (0x00, 9) | (0x01, 11) | (0x02, 1)
        ):  # SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE of the endpoint
            return b""
    if index & 0xFF == 1 and value >> 8 in (PROBE, COMMIT):
        match kind, request:
            case 0x21, 0x01:  # SET_CUR: there is but one thing to agree upon
                return b""
            case 0xA1, (0x81 | 0x82 | 0x83 | 0x87):  # GET_CUR, _MIN, _MAX, _DEF
                return NEGOTIATED
            case 0xA1, 0x85:  # GET_LEN
                return struct.pack("<H", len(NEGOTIATED))
            case 0xA1, 0x86:  # GET_INFO: can be read and set
                return b"\x03"
    return None


# USB/IP

SUBMIT, UNLINK = 1, 2
COMMAND = struct.Struct(
    ">5III12x8s"
)  # of UNLINK the first after five is the number of what is taken back
SETUP = struct.Struct("<BBHHH")
REPLY = struct.Struct(">5IiI20x")  # its command is 2 more than that it replies to


class Cable:
    """The camera as the kernel sees it.

    Waits for the kernel's wishes, and for the next picture to be due.
    """

    def __init__(self, kernel):
        self._kernel = kernel
        self._frames = frames()
        self._number = 0
        self._sent = 0  # bytes of this frame
        self._due = 0.0
        self._reads = []  # what the kernel would like to read: (number, length)

    def run(self):
        """Answers until the kernel hangs up."""
        while True:
            wait = max(0.0, self._due - time.monotonic()) if self._reads else None
            if select.select([self._kernel], [], [], wait)[0]:
                command = self._kernel.recv(COMMAND.size, socket.MSG_WAITALL)
                if not command:
                    return
                self._obey(*COMMAND.unpack(command))
            while self._reads and time.monotonic() >= self._due:
                self._send_payload()

    def _obey(self, command, number, _address, reading, endpoint, first, length, setup):
        if command == UNLINK:
            there = [read for read in self._reads if read[0] == first]
            self._reads = [read for read in self._reads if read[0] != first]
            if not self._reads:
                STREAMS.unlink(missing_ok=True)
            self._reply(UNLINK, number, -errno.ECONNRESET if there else 0)
        elif endpoint:
            self._reads.append((number, length))
            STREAMS.touch()
        else:
            if length and not reading:
                self._kernel.recv(length, socket.MSG_WAITALL)
            kind, request, value, index, _ = SETUP.unpack(setup)
            data = answer(kind, request, value, index)
            if (kind, request, value >> 8) == (0x21, 0x01, COMMIT):
                self._sent, self._due = 0, time.monotonic()
            if data is None:
                self._reply(SUBMIT, number, -errno.EPIPE)
            elif reading:
                self._reply(SUBMIT, number, 0, data[:length])
            else:
                self._reply(SUBMIT, number, 0, actual=length)

    def _reply(self, command, number, status, data=b"", actual=None):
        length = len(data) if actual is None else actual
        self._kernel.sendall(REPLY.pack(command + 2, number, 0, 0, 0, status, length) + data)

    def _send_payload(self):
        number, length = self._reads.pop(0)
        frame = self._frames[self._number % len(self._frames)]
        part = frame[self._sent : self._sent + min(length, PAYLOAD_MAX) - 2]
        self._sent += len(part)
        last = self._sent == len(frame)
        # A payload's header: its length; end of header, end of frame, and a bit that changes with
        # each frame.
        flags = 0x80 | (0x02 if last else 0) | self._number & 1
        self._reply(SUBMIT, number, 0, bytes((2, flags)) + part)
        if last:
            self._number += 1
            self._sent = 0
            self._due += 1 / FPS


def prepare():
    """Makes the host's side ready, once.

    libcamera names a camera by the firmware's path of the controller that it is plugged into. This
    controller is known to no firmware: it gets a path by a file system in front of its directory.
    What was there is still to be seen in a sysfs of our own.
    """
    subprocess.run(["modprobe", "vhci-hcd"], check=True)
    SYSFS.mkdir()
    mount("-t", "sysfs", "sysfs", SYSFS)
    mount("-t", "tmpfs", "-o", "mode=755", "vhci_hcd", CONTROLLER)
    (CONTROLLER / "firmware_node").mkdir()
    (CONTROLLER / "firmware_node" / "path").write_text("\\_SB_.VHCI\n")
    for bus in ORIGINAL.glob("usb[0-9]*"):
        (CONTROLLER / bus.name).mkdir()
        mount("--bind", bus, CONTROLLER / bus.name)


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def main():
    STREAMS.unlink(missing_ok=True)
    ours, kernels = socket.socketpair()
    cable = Cable(ours)  # before the kernel asks: it does not wait long
    with kernels:
        attach = f"{PORT} {kernels.fileno()} {ADDRESS} {HIGH_SPEED}"
        while True:
            try:
                (ORIGINAL / "attach").write_text(attach)
                break
            except OSError as error:
                if error.errno != errno.EBUSY:  # it has not let go of the last one yet
                    raise
                time.sleep(0.05)
    cable.run()


if __name__ == "__main__":
    main()
