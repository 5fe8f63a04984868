"""Headless browsers, for the suites that look at pages."""

import io
import os
from contextlib import contextmanager, suppress

from PIL import Image
from playwright.sync_api import Error, sync_playwright

from harness.processes import alive, descendants
from harness.programs import private_directory, programs
from harness.waiting import wait_for

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium():
    """Runs Debian's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=FLAGS
        )
        yield browser
        browser.close()


@contextmanager
def chromium_as_it_is():
    """Runs Chromium and gives the context of its window. A page behind another tab is hidden there,
    as a person would have it; where Playwright starts Chromium, every page says that it is seen.
    """
    with (
        private_directory() as directory,
        programs(directory) as start,
        sync_playwright() as playwright,
    ):
        options = [
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={directory}/profile",
            "about:blank",
        ]
        program = start(
            "/usr/bin/chromium", *FLAGS, *options, env=os.environ | {"HOME": str(directory)}
        )
        address = program.wait_log(r"DevTools listening on (ws://\S+)")[1]
        browser = playwright.chromium.connect_over_cdp(address, no_defaults=True)
        yield browser.contexts[0]
        helpers = descendants(program.pid)
        with suppress(Error):  # it may hang up before it answers
            browser.new_browser_cdp_session().send("Browser.close")
        # They write into the directory to the end.
        program.wait()
        wait_for(lambda: not any(map(alive, helpers)), "the end of Chromium's helpers")


@contextmanager
def firefox():
    """Runs Debian's Firefox by WebDriver BiDi; Playwright's own Firefox is another program."""
    with sync_playwright() as playwright:
        browser = launch_firefox(playwright.firefox)
        yield browser
        browser.close()


def launch_firefox(firefox, **preferences):
    """Starts Firefox with settings of `about:config`."""
    return firefox.launch(
        channel="moz-firefox",
        executable_path="/usr/bin/firefox-esr",
        headless=True,
        firefox_user_prefs=preferences,
    )


@contextmanager
def firefox_as_it_is():
    """Runs Firefox and gives a context."""
    with firefox() as browser:
        yield browser.new_context(no_viewport=True)


@contextmanager
def in_colours(browser, scheme):
    """Gives the browser, or one like it, whose user likes `light` or `dark`.

    Firefox takes that as a setting alone.
    """
    firefox = browser.browser_type
    if firefox.name != "firefox" or scheme == "light":
        yield browser
        return
    dark = {"layout.css.prefers-color-scheme.content-override": 0}
    other = launch_firefox(firefox, **dark)
    yield other
    other.close()


def picture(element):
    """Gives an element of a page as it is seen."""
    return Image.open(io.BytesIO(element.screenshot()))
