"""Strangers who may look, from ever new addresses: they do not fill the log."""

import re
from concurrent.futures import ThreadPoolExecutor

from asking import ask

STRANGERS = 400
LINES = 256  # docs/looks.md: so many at once
SNAPSHOT = b"GET /snapshot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def look(server, number):
    """Gets a snapshot from an address that nobody else has; gives the statuses."""
    return ask(server, SNAPSHOT, source=f"127.1.{number // 250}.{number % 250 + 1}").statuses


def test_strangers_of_many_addresses_do_not_fill_the_log(server):
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda number: look(server, number), range(STRANGERS)))
    assert statuses == [[200]] * STRANGERS
    # All of these looks end with it: more lines than there may be.
    assert server.program.stop() == 0
    told = re.findall(r"127\.1\.\d+\.\d+ looked at camera", server.program.log())
    assert LINES <= len(told) < LINES + 60, len(told)
