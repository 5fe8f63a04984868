"""How old the pictures of a slow viewer are: 25 KB a frame, 15 a second, a proxy, and 2 Mbit/s,
which are 10 a second.

One frame takes 0.1 s on such a link; all else of an age is what waits in buffers. So the bounds say
nothing of how fast the machine is. docs/reverse-proxy.md has what was measured.
"""

import network
import pytest
from test_proxies import NGINX_UNBUFFERED, STREAM

pytestmark = pytest.mark.usefixtures("camera")


def age(seconds=10):
    """Gives the median age of what the slow viewer sees, in seconds."""
    view = network.view(STREAM, seconds=seconds)
    assert 0.75 * network.LINK < view["bits"] < 1.02 * network.LINK, (
        f"the link is not what decides: {view}"
    )
    return view["age"]


def test_haproxy_as_people_have_it_is_bearable(configuration, haproxy):
    # The kernel sizes haproxy's buffers as it likes; it takes the server some seconds to learn what
    # they hold. A server that fills them shows the past of 8 s and more.
    haproxy(configuration)
    assert age(seconds=20) <= 1.3


def test_haproxy_after_the_script_shows_the_present(tuned, haproxy):
    haproxy(tuned)
    assert age() <= 0.7


def test_nginx_with_a_small_buffer_is_bearable(nginx):
    # It has no setting for what the kernel holds of the camera's frames before nginx takes them.
    nginx(*NGINX_UNBUFFERED)
    assert age() <= 1.3
