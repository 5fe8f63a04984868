"""Takes the screenshot of Home Assistant; see `take-home-assistant`."""

import sys
from pathlib import Path

from PIL import Image
from programs import CARD, DASHBOARD_CAMERA, HomeAssistant, log_in, start_camera

from harness.browser import chromium
from harness.programs import private_directory, programs
from harness.square import wait_moves

COLOURS = 256  # a palette makes the file half as large


def main():
    path = Path(sys.argv[1]) / "home-assistant.png"
    with (
        private_directory() as directory,
        programs(directory) as start,
        chromium() as browser,
    ):
        home = HomeAssistant(start, directory / "home")
        server = start_camera(start, directory).open
        home.entity(
            home.add_mjpeg(DASHBOARD_CAMERA, f"{server.url}/stream", f"{server.url}/snapshot")
        )
        page = browser.new_page(viewport={"width": 900, "height": 400})
        log_in(page, home)
        wait_moves(page.locator(f"{CARD} img"))
        page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


main()
