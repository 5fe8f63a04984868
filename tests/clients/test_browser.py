"""Headless Chromium shows the viewer page and a bare `<img>`."""

import hashlib
import re

import pytest

from browser import chromium
from harness import free_port, wait_for


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A page with `complaints`: all that Chromium says against it."""
    page = browser.new_page()
    page.complaints = []
    page.on("console", lambda message: message.type == "error" and page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    yield page
    page.close()


@pytest.fixture
def camera(eyelid, directory):
    """`eyelid` with the test picture and a short linger; called again, it starts once more at the same port."""
    config = directory / "eyelid.toml"
    config.write_text('[cameras.default]\nsource = "test"\nlinger = "1s"\n')
    port = free_port()
    return lambda: eyelid("--config", config, port=port)


def wait_moves(page, picture, times=3):
    """Waits until an element of the page, as it is seen, has changed a few times."""
    seen = set()

    def changed():
        page.wait_for_timeout(20)  # lets the page work
        seen.add(hashlib.sha256(picture.screenshot()).digest())
        return len(seen) > times

    wait_for(changed, lambda: f"the picture changes; seen: {len(seen)}, complaints: {page.complaints}")


def wait_drawn(page, times=3):
    """Waits until the viewer has drawn a few different frames."""
    canvas = page.locator("canvas").first
    seen = set()

    def drawn():
        page.wait_for_timeout(20)
        seen.add(canvas.evaluate("canvas => canvas.width > 16 && canvas.toDataURL()"))
        return len(seen - {False}) > times

    wait_for(drawn, lambda: f"the viewer draws frames; seen: {len(seen)}, complaints: {page.complaints}")


def test_a_bare_image_moves(page, camera):
    page.set_content(f'<img src="{camera().url}/stream">', wait_until="commit")
    image = page.locator("img")
    wait_for(lambda: image.evaluate("image => image.naturalWidth") > 1, lambda: f"a picture; {page.complaints}")
    wait_moves(page, image)
    assert page.complaints == []


def test_the_viewer_shows_a_moving_picture_without_complaint(page, camera):
    page.goto(camera().url + "/", wait_until="commit")
    wait_drawn(page)
    wait_moves(page, page.locator("canvas"))
    assert page.complaints == []


def test_the_viewer_works_behind_a_prefix(page, camera):
    page.goto(camera().url + "/webcam/", wait_until="commit")
    wait_drawn(page)
    assert page.complaints == []


def test_the_viewer_works_without_scripts(browser, camera):
    page = browser.new_page(java_script_enabled=False)
    page.complaints = []
    page.goto(camera().url + "/", wait_until="commit")
    wait_moves(page, page.locator("noscript img").or_(page.locator("img[src$=stream]")).first)
    page.close()


def test_the_camera_falls_asleep_when_paused_and_wakes_again(page, camera):
    eyelid = camera()
    page.goto(eyelid.url + "/", wait_until="commit")
    wait_drawn(page)
    page.get_by_role("button", name=re.compile("^pause", re.I)).click()
    wait_for(lambda: page.wait_for_timeout(20) or eyelid.slot.state()["state"] == "asleep", "the camera asleep")
    page.get_by_role("button", name=re.compile("^resume", re.I)).click()
    wait_drawn(page)
    assert page.complaints == []


def test_the_camera_falls_asleep_when_the_page_is_left(page, camera):
    eyelid = camera()
    page.goto(eyelid.url + "/", wait_until="commit")
    wait_drawn(page)
    page.goto("about:blank")
    eyelid.slot.wait_state("asleep")


def test_the_viewer_recovers_from_a_restart_of_the_server(page, camera):
    eyelid = camera()
    page.goto(eyelid.url + "/", wait_until="commit")
    wait_drawn(page)
    assert eyelid.stop() == 0
    camera()
    wait_drawn(page)
