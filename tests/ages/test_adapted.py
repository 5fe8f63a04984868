"""A stream that is to fit a slow link, of a camera whose smaller rendition is the larger file.

At quality 20 `low`, which has 30, saves nothing. Whoever takes it all the same gets more bytes and
fewer frames than without.
"""

import time
from contextlib import closing

from harness.networks import inside
from harness.slow_links import HERE
from harness.stream import Stream

LOOK_S = 12.0  # a rung is kept for 3 s at least


def test_what_saves_no_bytes_is_passed_over(slow_clients, start, directory):
    _, computer, _ = slow_clients[0]
    slot = directory / "slots"
    picture = ["--size", "960x720", "--quality", "20"]
    start("eyelid-capture", "--slot", slot, "--source", "test", *picture)
    server = start("eyelid-server", "--slots", slot, "--listen", f"{HERE}:0")
    url = server.wait_log(r"http://[\d.]+:\d+")[0]
    seen = []
    with inside(computer):
        stream = Stream(url, "/stream?adapt=smooth")
    with closing(stream):
        end = time.monotonic() + LOOK_S
        while time.monotonic() < end:
            part = stream.part()
            seen.append((part.headers["x-rendition"], len(part.jpeg)))
    sizes = {}
    for name, size in seen:
        sizes.setdefault(name, []).append(size)
    low = sizes.get("low", [])
    assert low, f"the link was quick enough for {sizes.keys()}"
    assert min(low) > 0.9 * max(sizes["current"]), "it saves something: this test shows nothing"
    # It has to be seen once to be known.
    assert len(low) <= 2, f"{len(low)} of {len(seen)}"
