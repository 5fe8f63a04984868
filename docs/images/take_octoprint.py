"""Takes the screenshot of OctoPrint; see `take-octoprint`."""

import sys

import harness
from browser import chromium
from programs import log_in, running_octoprint, start_camera

COLOURS = 256  # a palette makes the file half as large


def main():
    with (
        harness.private_directory() as directory,
        harness.programs(directory) as start,
        running_octoprint(start, directory / "octoprint") as octoprint,
        chromium() as browser,
    ):
        camera = start_camera(start, directory)
        address = f"http://127.0.0.1:{camera.port}"
        octoprint.configure_webcam(f"{address}/?action=stream", f"{address}/?action=snapshot")
        page = browser.new_page(viewport={"width": 1160, "height": 620})
        log_in(page, f"http://127.0.0.1:{octoprint.port}")
        page.click("#control_link a")
        image = page.locator("#webcam_image")
        harness.wait_for(lambda: image.evaluate("image => image.naturalWidth") == 640, "the stream's picture")
        page.wait_for_timeout(1000)  # for notices that fade
        page.screenshot(path=sys.argv[1])
    with harness.Image.open(sys.argv[1]) as picture:
        small = picture.convert("RGB").quantize(COLOURS)
    small.save(sys.argv[1], optimize=True)


main()
