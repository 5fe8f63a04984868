"""The screenshot for the documentation."""

from harness.screenshots import check_screenshot


def test_the_screenshot_is_what_is_seen(directory):
    check_screenshot("viewer.png", "take.py", "browsers", directory)
