"""Takes the screenshots; see `take`."""

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness.browser import chromium
from harness.programs import binary

NAMES = ["default", "bed", "nozzle", "door", "garden"]


@contextmanager
def eyelid(cameras):
    """Runs eyelid with these cameras, name to source; gives the viewer's address."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
        lines = [
            f'[cameras.{name}]\nsource = {json.dumps(source)}\nsize = "1280x720"\n'
            for name, source in cameras.items()
        ]
        config = Path(home) / "eyelid.toml"
        config.write_text("".join(lines))
        program = subprocess.Popen(
            [
                binary("eyelid"),
                "--listen",
                "127.0.0.1:0",
                "--slots",
                f"{home}/webcam",
                "--config",
                config,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            for line in program.stdout:
                if found := re.search(r"viewer +(\S+)", line):
                    yield found[1]
                    break
        finally:
            program.terminate()
            program.wait(timeout=20)


def shot(browser, url, path, width, height, dark=False, script=True, before=None):
    """Takes one screenshot once the page shows what it is to show."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        java_script_enabled=script,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    page.goto(url, wait_until="commit")
    if script:
        page.wait_for_selector(".camera")
        page.wait_for_selector(".camera[data-state=connecting]", state="detached", timeout=20000)
    time.sleep(2.5)  # rate and age are averages over a while: they are to look as they do in use
    if before:
        before(page)
    page.screenshot(path=path)
    context.close()


def main():
    images = Path(sys.argv[1])
    every = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with chromium() as browser:
        with eyelid(dict.fromkeys(NAMES[:2], "test")) as url:
            shot(browser, url, images / "viewer.png", 1280, 640, dark=True)
        if every:
            every.mkdir(parents=True, exist_ok=True)
            for count in (1, 2, 5):
                with eyelid(dict.fromkeys(NAMES[:count], "test")) as url:
                    for width, height in ((390, 844), (1280, 800)):
                        for dark in (False, True):
                            name = f"{count}-{width}-{'dark' if dark else 'light'}.png"
                            shot(browser, url, every / name, width, height, dark)
                    shot(browser, url, every / f"{count}-noscript.png", 1280, 800, script=False)
                    shot(
                        browser,
                        url,
                        every / f"{count}-paused.png",
                        390,
                        844,
                        before=lambda page: (page.keyboard.press("Space"), time.sleep(17)),
                    )
            with eyelid({"default": "test", "bed": "command:exit 1"}) as url:
                for width, height in ((390, 844), (1280, 800)):
                    shot(browser, url, every / f"failed-{width}.png", width, height)


main()
