"""Receivers that are stricter than players, or older: retina, and openRTSP of live555."""

import hashlib

import players
import pytest

needs_retina = pytest.mark.skipif(
    not players.RETINA.exists(), reason="no Rust here to build the client by retina with"
)


@pytest.fixture
def openrtsp():
    roots = list(players.INSTALLED.glob("openrtsp-*[!w]"))
    if not roots:
        pytest.skip("Debian's unstable release had no openRTSP (tests/rtp/environment)")
    return roots[0]


@needs_retina
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_retina(rtp, slots, jpeg, directory, transport):
    shown = players.retina(rtp(slots).url + "/", directory, transport)
    assert shown == [players.pixels(jpeg)] * players.FRAMES


@needs_retina
def test_retina_with_a_password(rtp, slots, jpeg, directory):
    secret = hashlib.md5(b"anna:Eyelid:secret").hexdigest()
    (directory / "htdigest").write_text(f"anna:Eyelid:{secret}\n")
    url = rtp(slots, "--auth-file", directory / "htdigest").url
    shown = players.retina(url, directory, "tcp", "anna", "secret")
    assert shown == [players.pixels(jpeg)] * players.FRAMES
    with pytest.raises(AssertionError, match="401"):
        players.retina(url, directory, "tcp", "anna", "wrong")


@pytest.mark.parametrize("options", [[], ["-t"]], ids=["udp", "tcp"])
def test_openrtsp(rtp, slots, jpeg, directory, openrtsp, options):
    shown = players.openrtsp(openrtsp, rtp(slots).url, directory, *options)
    assert len(shown) > 5
    assert set(shown) == {players.pixels(jpeg)}
