"""The configuration is read again with SIGHUP."""

import signal

from harness.waiting import wait_for


def read_again(program, config, table):
    """Changes `[relay]` in a file, and tells the program of it."""
    config.write_text(f"[relay]\n{table}\n")
    before = program.log().count("configuration read again")
    program.process.send_signal(signal.SIGHUP)
    wait_for(
        lambda: program.log().count("configuration read again") > before,
        lambda: f"a new configuration:\n{program.log()}",
    )


def test_other_cameras_are_shared_and_fetched(camera, share, fetch, near_names, directory):
    files = directory / "far.toml", directory / "near.toml"
    files[0].write_text('[relay]\nshare = ["door"]\n')
    files[1].write_text('[relay]\nfetch = ["far.*"]\n')
    camera("far")
    camera("far", "door")
    far = share("far", "--config", files[0])
    near = fetch("--config", files[1])
    door = near.slot("far.door")
    door.wait_state("asleep")
    door.frame()
    read_again(far, files[0], 'share = ["default"]\nas = "another"')
    assert "a change of" not in far.log(), "--as wins"

    def refused():
        door.look()
        return door.state()["state"] == "failed"

    wait_for(refused, lambda: f"a camera that is not shared: {door.state()}")
    read_again(near, files[1], 'fetch = ["*.default"]')
    wait_for(lambda: near_names() == {"far.default"}, lambda: f"the other one: {near_names()}")
    near.slot("far.default").frame()


def test_a_file_that_cannot_be_used_changes_nothing(camera, share, fetch, directory):
    config = directory / "far.toml"
    config.write_text('[relay]\nshare = ["door"]\n')
    camera("far", "door")
    far = share("far", "--config", config)
    door = fetch().slot("far.door")
    door.frame()
    config.write_text("[relay]\nmax-cameras = 0\n")
    far.process.send_signal(signal.SIGHUP)
    far.wait_log("configuration not used: .*max-cameras")
    door.frame(after=door.mtime())
    read_again(far, config, 'share = ["door"]\nlinger = "1s"')
    door.frame(after=door.mtime())
