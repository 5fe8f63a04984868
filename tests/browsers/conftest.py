"""Chromium and Firefox, and cameras to look at."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from looking import wait_drawn, watched_page
from PIL import Image

from harness.browser import chromium_as_it_is, firefox_as_it_is, in_colours
from harness.http import free_port

BROWSERS = {"chromium": chromium_as_it_is, "firefox": firefox_as_it_is}
SIZE = (320, 240)
BRIGHT = range(128, 256, 16)  # the "no signal" card is dark


@pytest.fixture(scope="session")
def without_video(tmp_path_factory):
    """A directory of the programs but eyelid-video: `eyelid` starts what lies beside it."""
    directory = tmp_path_factory.mktemp("programs")
    for name in "eyelid", "eyelid-capture", "eyelid-server":
        shutil.copy2(Path(os.environ["EYELID_BIN"]) / name, directory)
    return directory


@pytest.fixture(scope="session")
def with_watch(without_video, tmp_path_factory):
    """The same, and eyelid-watch."""
    directory = tmp_path_factory.mktemp("programs")
    for path in [*without_video.iterdir(), Path(os.environ["EYELID_BIN"]) / "eyelid-watch"]:
        shutil.copy2(path, directory)
    return directory


@pytest.fixture(autouse=True)
def chosen_programs(request, monkeypatch, without_video, with_watch):
    """Has eyelid-video and eyelid-watch for their own tests alone: the others say how the page is
    without."""
    if request.module.__name__ == "test_alerts":
        monkeypatch.setenv("EYELID_BIN", str(with_watch))
    elif request.module.__name__ != "test_video":
        monkeypatch.setenv("EYELID_BIN", str(without_video))


@pytest.fixture(scope="session", params=BROWSERS)
def browser(request):
    """Each of the browsers."""
    with BROWSERS[request.param]() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A page with `complaints`: all that the browser says against it."""
    page = watched_page(browser)
    yield page
    page.close()


@pytest.fixture
def cameras(eyelid, directory):
    """Starts `eyelid` with test pictures and a short linger; again, it has the same port."""
    config, port = directory / "eyelid.toml", free_port()

    def cameras(*names):
        camera = 'source = "test"\nsize = "{}x{}"\nfps = 10\nlinger = "1s"\n'.format(*SIZE)
        config.write_text("".join(f"[cameras.{name}]\n{camera}" for name in names or ["default"]))
        return eyelid("--config", config, port=port)

    return cameras


@pytest.fixture
def cable(directory):
    """A file: the camera of `unreliable` works while it is there."""
    return directory / "cable"


@pytest.fixture
def unreliable(eyelid, directory, cable):
    """`eyelid` with a camera that fails when its cable is pulled."""
    for level in BRIGHT:
        Image.new("L", SIZE, level).save(directory / f"{level}.jpg")
    pictures = " ".join(f"{directory}/{level}.jpg" for level in BRIGHT)
    works = f"while [ -e {cable} ]; do for i in {pictures}; do cat $i; sleep 0.1; done; done"
    command = json.dumps(f"command:{works}; exit 3")  # a string of JSON is one of TOML
    config = directory / "eyelid.toml"
    config.write_text(
        f'[server]\ntimeout = "1s"\n[cameras.default]\nsource = {command}\nlinger = "1s"\n'
    )
    cable.touch()
    return eyelid("--config", config)


@pytest.fixture
def window(browser):
    """Opens a page in a window of a size; gives it once all its cameras are drawn."""

    @contextmanager
    def window(url, size, scheme="light", names=("default",)):
        with in_colours(browser.browser, scheme) as coloured:
            context = coloured.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme=scheme,
                has_touch=size[0] < 1000,
            )
            page = watched_page(context)
            page.goto(url, wait_until="commit")
            if names:
                wait_drawn(page, *names, times=0)
            yield page
            context.close()

    return window


@pytest.fixture
def rooms(eyelid, directory):
    """Starts `eyelid` with cameras of sizes, in this order, with titles if there are any."""

    def rooms(sizes, **titles):
        config = directory / "eyelid.toml"
        config.write_text(
            "".join(
                f'[cameras.{name}]\nsource = "test"\nfps = 10\nlinger = "1s"\nsize = "{size}"\n'
                + (
                    f"title = {json.dumps(titles[name], ensure_ascii=False)}\n"
                    if name in titles
                    else ""
                )
                for name, size in sizes.items()
            )
        )
        return eyelid("--config", config)

    return rooms
