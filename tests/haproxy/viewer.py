"""usage: viewer.py URL SECONDS

Looks at a stream for some seconds after a warm-up, and prints as JSON the median age in seconds of
its frames, their rate, and the bits per second that they took. It is a program because it runs in
the network of a slow viewer. The first frames are left out: they meet empty buffers.
"""

import json
import statistics
import sys
import time
from urllib.parse import urlsplit

from proxied import ProxiedStream

WARM_UP = 5.0


def main(url, seconds):
    path = urlsplit(url).path + "?" + urlsplit(url).query
    ages, bytes_received, first, last = [], 0, 0.0, 0.0
    with ProxiedStream(url, path) as stream:
        start = time.monotonic()
        while time.monotonic() < start + WARM_UP + seconds:
            part = stream.part()
            arrived, last = time.time(), time.monotonic()
            if last < start + WARM_UP:
                first = last
                continue
            ages.append(arrived - float(part.headers["x-timestamp"]))
            bytes_received += len(part.jpeg)
    result = {
        "age": statistics.median(ages),
        "rate": len(ages) / (last - first),
        "bits": 8 * bytes_received / (last - first),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
