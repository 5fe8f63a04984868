"""Takes the screenshot of OctoPrint; see `take-octoprint`."""

import sys
from pathlib import Path

from PIL import Image
from programs import Camera, log_in, running_octoprint, show_tab

from harness.browser import chromium
from harness.programs import private_directory, programs
from harness.waiting import wait_for

COLOURS = 256  # a palette makes the file half as large


def main():
    path = Path(sys.argv[1]) / "octoprint.png"
    with (
        private_directory() as directory,
        programs(directory) as start,
        running_octoprint(start, directory / "octoprint") as octoprint,
        chromium() as browser,
    ):
        address = Camera(start, directory).url
        octoprint.configure_webcam(f"{address}/?action=stream", f"{address}/?action=snapshot")
        page = browser.new_page(viewport={"width": 1160, "height": 620})
        log_in(page, octoprint.url)
        show_tab(page, "control")
        image = page.locator("#webcam_image")
        wait_for(
            lambda: image.evaluate("image => image.naturalWidth") == 640, "the stream's picture"
        )
        page.wait_for_timeout(1000)  # for notices that fade
        page.screenshot(path=path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(path, optimize=True)


main()
