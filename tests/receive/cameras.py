"""Cameras that push all the time."""

import threading
import time
from collections import deque

from pictures import picture


class Pushing:
    """A camera that pushes so many pictures a second, each stamped when it was taken.

    It has two buffers and fills each as soon as it is empty, as ESP32's do by default: while one is
    sent, the other holds the next picture, however long that takes. So after a stall two pictures
    are old: that in the socket, and that in the camera's hand.
    """

    def __init__(self, send, fps=20, length=19_000):
        self._send = send
        self._interval_s = 1 / fps
        self._length = length
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0
        self.longest_send_s = 0.0
        self.error = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        # When each buffer was filled, or will be, in seconds of the monotonic clock.
        buffers = deque([time.monotonic(), time.monotonic() + self._interval_s])
        while not self._stop.is_set():
            taken = buffers.popleft()
            self._stop.wait(max(taken - time.monotonic(), 0))
            captured_ns = time.time_ns() - int((time.monotonic() - taken) * 1e9)
            jpeg = picture(self.sent, self._length, captured_ns)
            began = time.monotonic()
            try:
                self._send(jpeg)
            except OSError as error:
                self.error = error
                return
            now = time.monotonic()
            self.longest_send_s = max(self.longest_send_s, now - began)
            self.sent += 1
            # The camera's next picture, in the buffer that is empty now.
            passed = (now - buffers[-1]) // self._interval_s
            buffers.append(buffers[-1] + max(passed + 1, 1) * self._interval_s)
