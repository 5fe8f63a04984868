"""Who watches by WebRTC with aiortc: a second implementation, in Python."""

import asyncio
import json
import threading
from contextlib import suppress
from urllib.parse import urljoin

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from harness.http import get
from harness.offer import offer as offer  # for tests, as whep.offer
from harness.waiting import DEADLINE, wait_for


class Viewer(threading.Thread):
    """Watches by WHEP until it is closed; counts the pictures that it has decoded."""

    def __init__(self, url, path="/door/whep", **headers):
        super().__init__(daemon=True)
        self.url, self.path, self.headers = url, path, headers
        self.frames = 0
        self.size = None
        self.resource = None
        self.tag = None
        self.failed = None
        self._loop = asyncio.new_event_loop()
        self._closed = asyncio.Event()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait_frames(self, count):
        """Waits until it has decoded so many pictures."""
        wait_for(lambda: self.failed or self.frames >= count, f"{count} pictures")
        assert not self.failed, self.failed

    def run(self):
        """Watches, in a thread of its own."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._watch())
        except Exception as error:
            self.failed = error
        finally:
            with suppress(RuntimeError):
                self._loop.close()

    async def _watch(self):
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        playing = []

        @connection.on("track")
        def on_track(track):
            playing.append(asyncio.ensure_future(self._play(track)))

        await self._begin(connection)
        await self._closed.wait()
        for each in playing:
            each.cancel()
        await connection.close()

    async def _begin(self, connection):
        connection.addTransceiver("video", direction="recvonly")
        await connection.setLocalDescription(await connection.createOffer())
        asked = connection.localDescription.sdp
        answer = await self._post("application/sdp", asked, 201)
        self.resource = urljoin(self.path, answer.headers["location"])
        self.tag = answer.headers["etag"]
        described = RTCSessionDescription(answer.body.decode(), "answer")
        await connection.setRemoteDescription(described)

    async def _post(self, kind, body, status):
        headers = {"Content-Type": kind, **self.headers}
        post = (self.url, self.path, "POST", body.encode())
        answer = await asyncio.to_thread(get, *post, **headers)
        assert answer.status == status, (answer.status, answer.body)
        return answer

    async def _play(self, track):
        while True:
            frame = await track.recv()
            self.size = (frame.width, frame.height)
            self.frames += 1

    def close(self):
        """Ends it, as a page that is left does."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._closed.set)
        self.join(DEADLINE)


class JsonViewer(Viewer):
    """Watches as clients of camera-streamer do, which have the server offer."""

    def __init__(self, url, path="/door/webrtc", **headers):
        super().__init__(url, path, **headers)

    async def _begin(self, connection):
        offer = await self._ask({"type": "request", "iceServers": None})
        described = RTCSessionDescription(offer["sdp"], offer["type"])
        await connection.setRemoteDescription(described)
        await connection.setLocalDescription(await connection.createAnswer())
        ours = connection.localDescription
        await self._ask({"type": ours.type, "id": offer["id"], "sdp": ours.sdp})

    async def _ask(self, message):
        answer = await self._post("application/json", json.dumps(message), 200)
        return json.loads(answer.body)
