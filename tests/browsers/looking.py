"""How a test looks at a page, and at the server behind it."""

import hashlib
import io
import json
from contextlib import contextmanager

from PIL import Image

from harness import get, wait_for


def wait_page(page, condition, what):
    """Waits until `condition()` is true; the page works meanwhile."""

    def holds():
        page.wait_for_timeout(20)
        return condition()

    return wait_for(holds, lambda: f"{what() if callable(what) else what}; complaints: {page.complaints}")


def picture(element):
    """Gives an element of a page as it is seen."""
    return Image.open(io.BytesIO(element.screenshot()))


def wait_moves(page, element, times=3):
    """Waits until an element of the page, as it is seen, has changed a few times."""
    seen = set()

    def changed():
        seen.add(hashlib.sha256(element.screenshot()).digest())
        return len(seen) > times

    wait_page(page, changed, lambda: f"the picture changes; seen: {len(seen)}")


def card(page, camera="default"):
    """Gives a camera's card on the viewer page."""
    return page.locator(f'.camera[data-name="{camera}"]')


def wait_drawn(page, camera="default", times=3):
    """Waits until the viewer has drawn a few different frames of a camera."""
    canvas = card(page, camera).locator("canvas")
    seen = set()

    def drawn():
        seen.add(canvas.evaluate("canvas => canvas.width > 16 && canvas.toDataURL()"))
        return len(seen - {False}) > times

    wait_page(page, drawn, lambda: f"the viewer draws frames of {camera}; seen: {len(seen)}")


def wait_text(page, element, *wanted):
    """Waits until an element's text begins with one of the wanted ones."""
    text = element.text_content
    wait_page(page, lambda: text().strip().startswith(wanted), lambda: f"{wanted}, not {text()!r}")


@contextmanager
def hidden(page):
    """Has another tab before the page; gives its page."""
    with page.context.expect_page() as other:  # one that page does not share its process with
        page.evaluate("() => { open('about:blank', '', 'noopener') }")
    wait_page(page, lambda: page.evaluate("document.hidden"), "the page is hidden")
    other.value.complaints = []
    yield other.value
    other.value.close()
    page.bring_to_front()
    wait_page(page, lambda: not page.evaluate("document.hidden"), "the page is seen")


def streams(eyelid):
    """Gives the addresses of the clients that have a stream open."""
    return [client["address"] for client in json.loads(get(eyelid.url, "/status").body)["clients"]]
