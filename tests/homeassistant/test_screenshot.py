"""The screenshot for the documentation."""

import pytest

from harness.screenshots import check_screenshot


@pytest.fixture(autouse=True)
def camera():
    """The script starts all that it needs itself."""


def test_the_screenshot_is_what_is_seen(directory):
    check_screenshot("home-assistant.png", "take_home_assistant.py", "homeassistant", directory)
