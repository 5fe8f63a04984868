"""How a test looks at a page, and at the server behind it."""

import hashlib
import json
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe

from harness.http import get
from harness.waiting import DEADLINE, wait_for

PATIENCE = (
    3 * DEADLINE
)  # one question to a page passes through five processes; on a busy machine that takes seconds

in_chromium = pytest.mark.parametrize("browser", ["chromium"], indirect=True)

PHONE, SMALL, ON_ITS_SIDE, LAPTOP, WIDE = (
    (390, 844),
    (320, 640),
    (844, 390),
    (1280, 800),
    (2560, 1440),
)

# How much of the window is pictures; and whether anything of the page is beside or below it.
SEEN = """() => {
  const pictures = [...document.querySelectorAll('.picture')];
  const boxes = pictures.map((picture) => picture.getBoundingClientRect());
  const page = document.documentElement;
  return {
    share: boxes.reduce((sum, { width, height }) => sum + width * height, 0)
      / (innerWidth * innerHeight),
    widths: boxes.map(({ width }) => width / page.clientWidth), // beside the scroll bar
    wider: page.scrollWidth > innerWidth,
    higher: page.scrollHeight > innerHeight,
    letterboxes: [...document.querySelectorAll('canvas')].map((canvas) =>
      Math.abs(canvas.offsetWidth / canvas.offsetHeight - canvas.width / canvas.height)),
  };
}"""

# Looks at the canvases from inside the page, for a question from outside may take longer than a
# picture is there.
DRAWN = """async ([names, times, patience_ms]) => {
  const seen = new Map(names.map((name) => [name, new Set()]));
  const end = performance.now() + patience_ms;
  for (;;) {
    for (const [name, pictures] of seen) {
      const canvas = document.querySelector(`.camera[data-name="${name}"] canvas`);
      if (canvas?.width > 16 && pictures.size <= times) pictures.add(canvas.toDataURL());
    }
    const lacking = [...seen].filter(([, pictures]) => pictures.size <= times);
    if (lacking.length === 0 || performance.now() > end) {
      return lacking.map(([name, { size }]) => [name, size]);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}"""

NOTICES = """() => {
  window.notices = [];
  const notice = document.getElementById('notice');
  const observer = new MutationObserver(() => notices.push(notice.textContent));
  observer.observe(notice, { childList: true, subtree: true });
}"""


def watched_page(context):
    """Opens a page with `complaints`: all that the browser says against it."""
    page = context.new_page()
    page.set_default_timeout(1000 * PATIENCE)
    page.complaints = []
    page.on(
        "console", lambda message: message.type == "error" and page.complaints.append(message.text)
    )
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " e => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    return page


def wait_page(page, condition, what):
    """Waits until `condition()` is true; the page works meanwhile."""

    def holds():
        page.wait_for_timeout(20)
        return condition()

    return wait_for(
        holds, lambda: f"{what() if callable(what) else what}; {report(page)}", PATIENCE
    )


def report(page):
    """Says what the page shows of its cameras, and what the browser says against it."""
    cards = [" ".join(text.split()) for text in page.locator(".camera").all_inner_texts()]
    return f"cards: {cards}; complaints: {page.complaints}"


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


def wait_drawn(page, *cameras, times=3):
    """Waits until the viewer has drawn a few different frames of each of the cameras."""
    lacking = page.evaluate(DRAWN, [cameras or ["default"], times, PATIENCE * 1000])
    assert lacking == [], f"too few frames of {lacking} within {PATIENCE:.0f} s; {report(page)}"


def save_snapshots(page, *cameras):
    """Saves a snapshot of each of the cameras from the viewer, and waits until it says so."""
    page.evaluate(NOTICES)  # it says so for a few seconds only
    for camera in cameras:
        card(page, camera).locator(".snapshot").click()
        said = f"Snapshot saved: {'Camera' if camera == 'default' else camera}-"
        wait_page(
            page,
            lambda said=said: any(text.startswith(said) for text in page.evaluate("notices")),
            said,
        )


def wait_text(page, element, *wanted):
    """Waits until an element's text begins with one of the wanted ones."""
    text = element.text_content
    wait_page(page, lambda: text().strip().startswith(wanted), lambda: f"{wanted}, not {text()!r}")


def assert_accessible(page):
    """No rule of axe-core is broken."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@contextmanager
def hidden(page):
    """Has another tab before the page; gives its page."""
    with opened(page, "noopener") as other:
        wait_page(page, lambda: page.evaluate("document.hidden"), "the page is hidden")
        yield other
    page.bring_to_front()
    wait_page(page, lambda: not page.evaluate("document.hidden"), "the page is seen")


@contextmanager
def beside(page):
    """Has another window beside the page's, both of them seen; gives its page."""
    with opened(page, "noopener,popup,width=800,height=600") as other:
        for each in (page, other):
            wait_page(each, lambda each=each: not each.evaluate("document.hidden"), "both are seen")
        yield other


@contextmanager
def opened(page, features):
    """Opens another page, which does not share its process with this one."""
    with page.context.expect_page() as other:
        page.evaluate("features => { open('about:blank', '', features) }", features)
    other.value.complaints = []
    yield other.value
    other.value.close()


def streams(eyelid, what="address"):
    """Gives the addresses of the clients that have a stream open, or something else of them."""
    return [client[what] for client in json.loads(get(eyelid.url, "/status").body)["clients"]]
