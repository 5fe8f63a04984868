"""Who says nothing is given up in time, and whoever says a word now and then is not."""

import os
import time

import packets
import pytest
from rtsp import INTERLEAVED, Client, Ports

from harness.waiting import wait_for

TIMEOUT = 1  # s: what clients are told, without a session; with one a quarter more
WORDS = 0.4  # s from one word to the next

# How long a player is paused: EYELID_RTP_IDLE_S=1200 with the time-out that there is by itself, and
# a word as often as ffmpeg says one.
IDLE_S = float(os.environ.get("EYELID_RTP_IDLE_S", 3 * TIMEOUT))
USUAL_TIMEOUT, USUAL_WORDS = 60, 30


@pytest.fixture
def url(rtp, asleep):
    return rtp(asleep.path, "--session-timeout", f"{TIMEOUT}s").url


def no_session(client, _):
    client.ask("OPTIONS")
    return TIMEOUT


def set_up(client, _):
    assert client.set_up(INTERLEAVED).headers["session"].endswith(f";timeout={TIMEOUT}")
    return 1.25 * TIMEOUT


def paused(client, _):
    client.play()
    client.ask("PAUSE")
    return 1.25 * TIMEOUT


def by_udp(client, ports):
    ports.play(client)
    return 1.25 * TIMEOUT


def by_multicast(client, _):
    assert client.set_up("RTP/AVP;multicast").status == 200
    client.ask("PLAY")
    return 1.25 * TIMEOUT


@pytest.mark.parametrize("begin", [no_session, set_up, paused, by_udp, by_multicast])
def test_who_is_silent_is_given_up(rtp, asleep, begin):
    options = ["--session-timeout", f"{TIMEOUT}s", "--to", "239.10.0.1:5004"]
    program = rtp(asleep.path, *options)
    program.wait_log(r"sending to 239\.10\.0\.1")
    with Client(program.url) as client, Ports() as ports:
        limit = begin(client, ports)
        began = time.monotonic()
        wait_for(client.is_closed, "its end")
        assert limit - 0.1 < time.monotonic() - began < limit + 3
        if begin is by_udp:
            ports.rtp.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    ports.rtp.recv(2000)
            time.sleep(0.3)
            with pytest.raises(BlockingIOError):
                ports.rtp.recv(2000)


def words(client, _):
    return lambda: client.ask("GET_PARAMETER")


def reports(_, ports):
    return ports.report


def nothing(*_):
    return lambda: None


def play_by_udp(client, ports):
    ports.play(client)


def play_by_tcp(client, _):
    client.play()


@pytest.mark.parametrize(
    "play, speak",
    [(play_by_udp, words), (play_by_udp, reports), (play_by_tcp, nothing)],
)
def test_who_is_there_stays(url, play, speak):
    with Client(url) as client, Ports() as ports:
        play(client, ports)
        say = speak(client, ports)
        until = time.monotonic() + 3 * TIMEOUT
        while time.monotonic() < until:
            say()
            if play is play_by_udp:
                assert not client.is_closed()
            else:
                packets.check_frames(client.rtp_packets(20))
            time.sleep(WORDS / 4)
        assert client.ask("OPTIONS").status == 200
        if play is play_by_udp:
            assert ports.packets(1)


def test_one_that_listens_to_a_group_stays_for_its_reports(rtp, slots):
    options = ["--session-timeout", f"{TIMEOUT}s", "--stats-interval", "1s"]
    program = rtp(slots, *options, "--to", "239.10.0.1:5004")
    program.wait_log(r"sending to 239\.10\.0\.1")
    with Client(program.url) as client, Ports() as ports:
        transport = client.set_up("RTP/AVP;multicast").headers["transport"]
        ssrc = int(transport.rsplit("ssrc=", 1)[1], 16)
        assert "destination=239.10.0.1;port=5004-5005" in transport
        sequence = int(client.ask("PLAY").headers["rtp-info"].split("seq=")[1].split(";")[0])
        until = time.monotonic() + 3 * TIMEOUT
        while time.monotonic() < until:
            report = packets.receiver_report(ssrc, fraction=64, sequence=sequence)
            ports.rtcp.sendto(report, ("239.10.0.1", 5005))
            assert not client.is_closed()
            time.sleep(WORDS)
        # What it reports is that of the destination.
        program.wait_log(r"239\.10\.0\.1:5004: \d+ frames, .*, 25\.0 % lost")
        assert client.ask("OPTIONS").status == 200


def test_play_after_a_long_pause(rtp, asleep):
    is_long = IDLE_S > USUAL_TIMEOUT
    timeout, words = (USUAL_TIMEOUT, USUAL_WORDS) if is_long else (TIMEOUT, WORDS)
    url = rtp(asleep.path, "--session-timeout", f"{timeout}s").url
    with Client(url) as client:
        client.play()
        first, began = client.rtp_packets(1)[0], time.monotonic()
        client.ask("PAUSE")

        def speak():
            assert client.ask("GET_PARAMETER").status == 200
            return asleep.state()["state"] == "asleep"

        wait_for(speak, "the camera's sleep")
        until = time.monotonic() + IDLE_S
        while (left_s := until - time.monotonic()) > 0:
            time.sleep(min(words, left_s))
            assert speak(), "a word has woken it"
        asked = time.monotonic()
        assert client.ask("PLAY").status == 200
        after = client.rtp_packets(1)[0]
        assert after.ssrc == first.ssrc
        passed = packets.distance_90k(first.timestamp, after.timestamp) / 90_000
        assert abs(passed - (time.monotonic() - began)) < 0.5
        print(f"{(time.monotonic() - asked) * 1000:.0f} ms to the first packet")
