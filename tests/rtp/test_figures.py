"""What is sent, and how it arrives, as the server tells it: in /status and in /metrics."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import players
import pytest
from packets import receiver_report
from rtsp import INTERLEAVED, Client

from harness.http import get
from harness.processes import program_named, wake_ups
from harness.slot import Slot
from harness.waiting import wait_for

# Every fifth packet to this port of UDP is lost.
LOSS = """
table ip loss {{
    chain input {{
        type filter hook input priority 0
        udp dport {port} numgen inc mod 5 == 0 drop
    }}
}}
"""
HELD_S = 0.1  # for how long `late` holds a report


@contextmanager
def loss(port):
    """Loses every fifth packet to a port."""
    subprocess.run(["nft", "-f", "-"], input=LOSS.format(port=port), text=True, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "ip", "loss"], check=True)


@contextmanager
def late(port, to):
    """Hands on what comes to a port, later: so a way is longer than this host's."""
    over = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.bind(("127.0.0.1", port))
        way.settimeout(0.2)

        def hand_on():
            while not over.is_set():
                try:
                    packet = way.recv(2000)
                except TimeoutError:
                    continue
                time.sleep(HELD_S)
                way.sendto(packet, ("127.0.0.1", to))

        thread = threading.Thread(target=hand_on)
        thread.start()
        yield
        over.set()
        thread.join()


class Server:
    """A server that may ask what is sent."""

    def __init__(self, url):
        self.url = url

    def figures(self):
        """Gives what /status says of RTP."""
        return json.loads(get(self.url, "/status").body)["rtp"]

    def metrics(self):
        """Gives what /metrics says of RTP, by what stands before each value."""
        text = get(self.url, "/metrics").body.decode()
        return {
            name.removeprefix("eyelid_rtp_"): float(value)
            for name, value in re.findall(r"^(eyelid_rtp_\S+) (\S+)$", text, re.M)
        }

    def wait(self, condition):
        """Waits until the figures are so; gives what the condition does."""

        def holds():
            figures = self.figures()
            return figures and condition(figures)

        return wait_for(holds, lambda: f"other figures: {self.figures()}")


@pytest.fixture
def doors(directory):
    """A directory of doors, with one for what eyelid-rtp makes."""
    (directory / "doors" / "rtp").mkdir(parents=True)
    return directory / "doors"


@pytest.fixture
def server(start, doors):
    """Starts a server of slots."""

    def server(slots):
        listen = ["--listen", "127.0.0.1:0", "--slots", slots, "--doors", doors]
        program = start("eyelid-server", *listen)
        return Server(program.wait_log(r"http://127\.0\.0\.1:[1-9]\d*")[0])

    return server


@pytest.fixture
def status(doors):
    """What has eyelid-rtp tell the server."""
    return ["--status", doors / "rtp" / "status"]


def destination(figures):
    """Gives the only one."""
    (one,) = figures["destinations"]
    return one


def test_loss_and_round_trip_of_a_destination(start, server, slots, status):
    to = ["--to", "127.0.0.1:5000", "--local-port", "6000", "--stats-interval", "1s"]
    server = server(slots)
    program = start("eyelid-rtp", "--slots", slots, *to, *status)
    refused = server.wait(lambda it: destination(it)["state"] == "refused" and destination(it))
    assert "Connection refused" in refused["error"], refused
    assert (refused["camera"], refused["to"]) == ("default", "127.0.0.1:5000")
    with loss(5000), late(7001, to=6001):
        receiver = players.reporting(start, 5000, 7001)
        sent = server.wait(
            lambda it: (
                (one := destination(it))["round_trip_ms"]
                and one["fraction_lost"]
                and one["packets_lost"] > 100
                and one
            )
        )
        metrics = server.metrics()
    assert (sent["state"], sent["transport"], sent["rendition"]) == ("sending", "udp", "current")
    assert (sent["error"], sent["receivers"]) == (None, 1)
    assert 0.15 < sent["fraction_lost"] < 0.25, sent
    assert 0.1 < sent["packets_lost"] / sent["packets"] < 0.21, sent
    assert HELD_S * 1e3 <= sent["round_trip_ms"] < HELD_S * 1e3 + 400, sent
    assert sent["jitter_ms"] > 0
    labels = '{camera="default",to="127.0.0.1:5000"'
    assert metrics[f'streams{labels},state="sending"}}'] == 1
    assert metrics[f"lost_ratio{labels}}}"] == pytest.approx(sent["fraction_lost"], abs=0.05)
    assert metrics[f"round_trip_seconds{labels}}}"] >= HELD_S
    assert metrics[f"jitter_seconds{labels}}}"] > 0
    for name, key in ("packets", "packets"), ("sent_bytes", "bytes"), ("frames", "frames"):
        assert metrics[f"{name}_total{labels}}}"] >= sent[key] > 0
    assert metrics[f"packets_lost_total{labels}}}"] >= sent["packets_lost"]
    # What the log says of a second is what /status has counted in it, which may be of a moment ago.
    frames = [int(count) for count in re.findall(r"(\d+) frames, ", program.log())]
    assert server.wait(lambda it: destination(it)["frames"] >= sum(frames))
    receiver.end()


def test_sessions_have_their_figures_and_their_sum_stays(rtp, server, slots, status):
    server = server(slots)
    program = rtp(slots, *status)
    with Client(program.url) as client:
        described = client.set_up(INTERLEAVED)
        ready = server.wait(lambda it: it["sessions"])[0]
        assert (ready["state"], ready["transport"], ready["frames"]) == ("asleep", "tcp", 0)
        client.ask("PLAY")
        ssrc = int(re.search(r"ssrc=(\w+)", described.headers["transport"])[1], 16)
        last = client.rtp_packets(50)[-1].sequence
        # The highest sequence number received stands behind the losses.
        report = bytearray(receiver_report(ssrc, lost=7, fraction=64))
        report[18:20] = last.to_bytes(2)
        client.socket.sendall(b"$\x01" + len(report).to_bytes(2) + report)
        seen = server.wait(lambda it: (one := it["sessions"][0])["packets_lost"] and one)
        assert seen["peer"] == "{}:{}".format(*client.socket.getsockname())
        assert (seen["state"], seen["fraction_lost"], seen["packets_lost"]) == ("sending", 0.25, 7)
        assert seen["packets"] >= 50 and seen["bytes"] > 50 * 1000
        client.ask("PAUSE")
        assert server.wait(lambda it: it["sessions"][0]["state"] == "asleep")
    ended = server.wait(lambda it: it["sessions"] == [] and it["session_totals"])
    with Client(program.url) as client:
        client.play()
        (more,) = ended
        total = server.wait(
            lambda it: (one := it["session_totals"][0])["frames"] > more["frames"] and one
        )
        metrics = server.metrics()
    for key in "frames", "packets", "bytes":
        assert total[key] > more[key] >= seen[key]
    labels = '{camera="default",to="rtsp"}'
    assert metrics[f"packets_total{labels}"] >= total["packets"]
    assert metrics[f"packets_lost_total{labels}"] == 7
    assert metrics['streams{camera="default",to="rtsp",state="sending"}'] == 1


def test_a_session_by_udp_that_loses_packets(start, rtp, server, slots, status):
    server = server(slots)
    program = rtp(slots, *status)
    with loss(7000):
        source = f"rtspsrc location={program.url} protocols=udp port-range=7000-7001"
        start("gst-launch-1.0", "-q", *source.split(), "!", "rtpjpegdepay", "!", "fakesink")
        seen = server.wait(
            lambda it: (
                it["sessions"]
                and (one := it["sessions"][0])["round_trip_ms"] is not None
                and one["fraction_lost"]
                and one
            )
        )
    assert (seen["state"], seen["transport"], seen["receivers"]) == ("sending", "udp", 1)
    assert 0.15 < seen["fraction_lost"] < 0.25, seen
    assert 0 <= seen["round_trip_ms"] < 500


def test_a_slow_session_by_tcp_says_what_it_did_not_get(rtp, server, slots, status):
    server = server(slots)
    with Client(rtp(slots, *status).url) as client:
        client.play()

        def dropped(figures):
            # Less than what comes.
            client.socket.recv(4000)
            (one,) = figures["sessions"]
            return one["dropped"] > 20 and one

        seen = server.wait(dropped)
    assert seen["state"] == "sending"


def test_why_nothing_goes(start, server, directory, status):
    to = [word for to in ("nowhere.invalid:5000", "127.0.0.1:5002") for word in ("--to", to)]
    server = server(directory / "slots")
    start("eyelid-rtp", "--slots", directory / "slots", *to, "--always", *status)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 5002))
        names, frames = server.wait(
            lambda it: (
                [one["state"] for one in it["destinations"]] == ["failed", "waiting"]
                and it["destinations"][1]["error"]
                and it["destinations"]
            )
        )
    assert 'cannot find "nowhere.invalid"' in names["error"], names
    assert (names["address"], frames["address"]) == (None, "127.0.0.1:5002")
    assert "no frame" in frames["error"], frames


def test_nothing_is_told_of_a_program_that_has_ended_or_is_stuck(start, server, slots, status):
    servers = [server(slots), server(slots)]
    assert [one.figures() for one in servers] == [None, None]
    arguments = ["--slots", slots, "--to", "127.0.0.1:5000", *status]
    program = start("eyelid-rtp", *arguments)
    for one in servers:
        one.wait(lambda it: it["destinations"])
    second = start("eyelid-rtp", "--slots", slots, "--to", "127.0.0.1:5002", *status)
    second.wait_log("/status of the server says nothing of RTP: cannot listen at")
    assert destination(servers[0].figures())["to"] == "127.0.0.1:5000"
    second.stop()
    program.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: servers[0].figures() is None, "nothing of a program that is stuck")
    began = time.monotonic()
    assert get(servers[0].url, "/metrics").status == 200
    assert time.monotonic() - began < 10, "it is not waited for"
    program.process.send_signal(signal.SIGCONT)
    servers[0].wait(lambda it: it["destinations"])
    program.process.kill()
    wait_for(lambda: servers[0].figures() is None, "nothing of a program that was killed")
    assert not any(name.startswith("packets") for name in servers[0].metrics())
    # It has left its socket behind.
    again = start("eyelid-rtp", *arguments)
    for one in servers:
        one.wait(lambda it: it["destinations"])
    again.stop()
    for one in servers:
        wait_for(lambda one=one: one.figures() is None, "nothing of a program that has ended")


def test_who_is_asked_sleeps_on_when_nobody_asks(rtp, server, slots, status):
    server = server(slots)
    program = rtp(slots, *status)
    server.wait(lambda it: it["sessions"] == [])

    time.sleep(0.5)
    before = wake_ups(program.pid)
    time.sleep(3)
    assert wake_ups(program.pid) == before


def test_eyelid_has_its_server_ask(eyelid, directory):
    config = directory / "eyelid.toml"
    config.write_text(
        f'[server]\nidle-exit = "1min"\n[rtp]\nrtsp = ["unix:{directory}/rtsp"]\n'
        '[cameras.door]\nsource = "test"\n[[cameras.door.rtp]]\nto = "127.0.0.1:5000"\n'
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 5000))
        program = eyelid("--config", config)
        server = Server(program.url)
        sent = server.wait(lambda it: (one := destination(it))["frames"] > 10 and one)
    assert sent["camera"] == "door"
    before = server.figures()["since"]
    os.kill(program_named(program.pid, "eyelid-rtp"), signal.SIGKILL)
    server.wait(lambda it: it["since"] != before)
    assert Slot(directory / "slots" / "door").state()
    program.stop()
    assert not (directory / "slots" / ".doors").exists()
