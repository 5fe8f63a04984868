"""Who may share and look: keys, rights by subject, TLS, and rights that end."""

import subprocess
import time

import pytest
from hosts import HUB
from hub import Hub, Key
from jwts import Operator

from harness.waiting import wait_for


@pytest.fixture
def keys(directory):
    """Keys of who shares and who looks."""
    return Key(directory, "sharer"), Key(directory, "fetcher")


@pytest.fixture
def hub(start, directory, keys):
    """A hub that lets in who has these keys, each for what is its own."""
    sharer, fetcher = keys
    return Hub(start, directory, [sharer.sharer("far"), fetcher.fetcher()])


def test_keys_let_in(camera, share, fetch, hub, keys):
    camera("far")
    share("far", "--creds", keys[0].file)
    assert fetch("--creds", keys[1].file).slot("far.default").frame().size == (640, 360)


def test_who_has_no_key_is_told(fetch, hub):
    program = fetch()
    program.wait_log("(?i)auth")
    assert not program.slots.exists() or not list(program.slots.glob("*.*/"))


def test_a_name_that_is_not_ones_own_is_refused(camera, share, fetch, hub, keys):
    camera("far")
    refused = share("far", "--creds", keys[0].file, name="other")
    refused.wait_log(
        "(?i)(permission|refuse|not allow).*other|other.*(permission|refuse|not allow)"
    )
    near = fetch("--creds", keys[1].file)
    time.sleep(1)
    assert not near.slots.exists() or not list(near.slots.glob("other.*"))


def test_who_may_look_at_one_camera_sees_no_other(camera, share, fetch, hub, keys):
    camera("far")
    door = camera("far", "door", size="320x240")
    share("far", "--creds", keys[0].file)
    one = ["eyelid.v1.far", "eyelid.v1.far.door", "eyelid.v1.far.door.*"]
    hub.reload([keys[0].sharer("far"), keys[1].fetcher(*one)])
    near = fetch("--creds", keys[1].file, "--only", "far.*")
    assert near.slot("far.door").frame().size == (320, 240)
    default = near.slot("far.default")
    default.wait_state("asleep")

    def refused():
        default.look()
        return default.state()["state"] == "failed" and default.state()

    state = wait_for(refused, lambda: f"refused: {default.state()}")
    assert "eyelid.v1.far.default" in state["error"] and "does not let" in state["error"]
    assert near.running() and door.state()["state"] != "failed"


@pytest.mark.parametrize("who", ["sharer", "fetcher"])
def test_a_right_that_is_taken_away_ends_the_flow(who, camera, share, fetch, hub, keys):
    camera("far")
    programs = {
        "sharer": share("far", "--creds", keys[0].file),
        "fetcher": fetch("--creds", keys[1].file),
    }
    slot = programs["fetcher"].slot("far.default")
    slot.frame()
    everybody = [keys[0].sharer("far"), keys[1].fetcher()]
    left = [everybody[1] if who == "sharer" else everybody[0]]
    logged = len(programs[who].log())
    hub.reload(left)
    reloaded = time.time()

    def ended():
        slot.look()
        return slot.state()["state"] == "failed"

    wait_for(ended, lambda: f"an end: {slot.state()}")
    assert slot.mtime() < (reloaded + 2) * 1e9
    wait_for(
        lambda: "auth" in programs[who].log()[logged:].lower(),
        lambda: f"a word about it: {programs[who].log()}",
    )
    hub.reload(everybody)
    slot.frame(after=time.time() * 1e9)


def test_a_right_that_expires_ends_the_flow(start, camera, share, fetch, directory):
    operator = Operator()
    config = directory / "operator.conf"
    config.write_text(operator.configuration())
    hub = Hub(start, directory, more=f'include "{config.name}"')
    sharing, looking = directory / "sharer.creds", directory / "fetcher.creds"
    heard = ["eyelid.v1", "eyelid.v1.far", "eyelid.v1.far.>"]
    operator.credentials(sharing, publish=["eyelid.v1.far", "_INBOX.>"], subscribe=heard)
    expires = time.time() + 4
    operator.credentials(looking, expires, publish=["eyelid.v1", "eyelid.v1.>"])
    camera("far")
    share("far", "--creds", sharing, url=hub.url)
    near = fetch("--creds", looking, url=hub.url)
    slot = near.slot("far.default")
    slot.frame()

    def ended():
        slot.look()
        return slot.state()["state"] == "failed"

    wait_for(ended, lambda: f"an end: {slot.state()}")
    assert expires - 1 < time.time() < expires + 10
    assert slot.mtime() < (expires + 2) * 1e9
    near.wait_log("(?i)expired|auth")


def authority(directory):
    """Makes an authority, and a certificate of it for the hub; gives what the hub is told."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *key]
    ca = ["-subj", "/CN=Our cameras", "-keyout", "ca.key", "-out", "ca.pem"]
    subprocess.run([*command, *ca], cwd=directory, check=True, capture_output=True)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=hub"]
    signed += ["-addext", f"subjectAltName=IP:{HUB}", "-addext", "basicConstraints=CA:FALSE"]
    signed += ["-keyout", "hub.key", "-out", "hub.pem"]
    subprocess.run([*command, *signed], cwd=directory, check=True, capture_output=True)
    return f'tls {{cert_file: "{directory}/hub.pem", key_file: "{directory}/hub.key"}}'


def test_tls_with_an_authority_of_ones_own(start, directory, camera, share, fetch):
    hub = Hub(start, directory, more=authority(directory))
    camera("far")
    ca = ["--ca", directory / "ca.pem"]
    share("far", *ca, url=hub.url)
    near = fetch(*ca, url=hub.url)
    assert near.slot("far.default").frame().size == (640, 360)


def test_a_hub_that_nobody_vouches_for_is_not_believed(start, directory, fetch):
    hub = Hub(start, directory, more=authority(directory))
    fetch(url=hub.url).wait_log("(?i)certificate")


def test_a_hub_without_tls_is_not_talked_to_where_tls_is_asked_for(start, directory, hub, fetch):
    fetch(url=f"tls://{HUB}:{hub.port}").wait_log("(?i)tls")
