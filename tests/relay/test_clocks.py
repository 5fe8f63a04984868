"""Clocks of the two hosts that are an hour apart."""

import time

import pytest

from harness.clock import Clock

HOUR_S = 3600


@pytest.mark.parametrize("offset_s", [HOUR_S, -HOUR_S])
def test_the_age_is_right_whatever_the_far_clock_says(offset_s, camera, share, fetch, directory):
    clock = Clock(directory)
    clock.set(offset_s)
    far = camera("far", env=clock.environment)
    share("far", env=clock.environment)
    slot = fetch().slot("far.default")
    slot.frame()
    newest = slot.mtime()
    for _ in range(5):
        captured, _ = slot.look_after(newest)
        age_s = time.time() - captured / 1e9
        assert -0.05 < age_s < 2, f"{age_s} s old"
        newest = captured
    assert abs(far.mtime() / 1e9 - clock.now()) < 60
