"""Reports from who is no receiver, or has our SSRC, and our own that come back; and ports that are
closed: they are nobody's word, and others do not notice."""

import time

import packets
import pytest
from figures import told
from rtsp import Client, Ports
from sink import udp

from harness.waiting import wait_for

TIMEOUT = 1  # s: of a session that says nothing, and a quarter more
RECEIVER = 0x5EE  # the SSRC of `packets.receiver_report`
STRANGER = "127.0.0.9"
WHILE = 2  # s


def for_a_while(act):
    """Does it again and again."""
    until = time.monotonic() + WHILE
    while time.monotonic() < until:
        act()
        time.sleep(0.05)


def harm(sender, ssrc, to):
    """Says what would do harm, were it the receiver's."""
    lossy = packets.receiver_report(ssrc, lost=9999, fraction=255)
    for data in [lossy, packets.goodbye(RECEIVER), packets.goodbye(ssrc), lossy[:20]]:
        sender.sendto(data, to)


def test_nobody_else_reports_for_a_session(rtp, asleep, status):
    options = ["--session-timeout", f"{TIMEOUT}s", "--status", status]
    program = rtp(asleep.path, *options)
    with (
        Client(program.url) as healthy,
        Client(program.url) as client,
        Ports() as ports,
        udp(STRANGER, 0) as stranger,
        udp("127.0.0.1", 0) as neighbour,
    ):
        healthy.play()
        ports.play(client)
        (packet,) = ports.packets(1)
        to = ports.server
        # From now on it is known which port is the client's.
        ports.rtcp.sendto(packets.receiver_report(ports.ssrc, sequence=packet.sequence), to)
        reported = time.monotonic()

        def session():
            figures = [it for it in told(status)["sessions"] if it["transport"] == "udp"]
            return figures and figures[0]

        def spoof():
            for sender in [stranger, neighbour]:
                harm(sender, ports.ssrc, to)

        wait_for(lambda: session()["receivers"] == 1, "the client's own report")
        while not client.is_closed():
            spoof()
            if seen := session():
                assert seen["receivers"] == 1, "another was heard"
                assert (seen["fraction_lost"], seen["packets_lost"]) == (0, 0)
            packets.check_frames(healthy.rtp_packets(20))
            assert time.monotonic() - reported < TIMEOUT * 1.25 + 10, "kept by spoofed reports"
        assert time.monotonic() - reported > TIMEOUT
        healthy.socket.close()

        def sleeps():
            spoof()
            return asleep.state()["state"] == "asleep"

        wait_for(sleeps, "the camera's sleep")


def test_a_session_that_reflects_is_not_there(rtp, slots, status):
    options = ["--session-timeout", f"{TIMEOUT}s", "--status", status]
    program = rtp(slots, *options)
    with Client(program.url) as client, Ports() as ports:
        ports.play(client)
        own = ports.rtcp.recv(2000)
        began = time.monotonic()
        while not client.is_closed():
            ports.rtcp.sendto(own, ports.server)
            assert all(it["receivers"] == 0 for it in told(status)["sessions"])
            assert time.monotonic() - began < TIMEOUT * 1.25 + 10, "kept by our own reports"
            time.sleep(0.05)


def test_a_session_whose_client_has_our_ssrc_goes_on(rtp, slots, status):
    options = ["--session-timeout", f"{TIMEOUT}s", "--status", status]
    program = rtp(slots, *options)
    with Client(program.url) as client, Ports() as ports:
        ports.play(client)
        until = time.monotonic() + 3 * TIMEOUT
        while time.monotonic() < until:
            (packet,) = ports.packets(1)
            # It was told of this one at SETUP.
            assert packet.ssrc == ports.ssrc
            report = packets.receiver_report(
                ports.ssrc, fraction=64, ssrc=ports.ssrc, sequence=packet.sequence
            )
            ports.rtcp.sendto(report, ports.server)
            assert not client.is_closed()
        (seen,) = told(status)["sessions"]
        assert (seen["receivers"], seen["fraction_lost"]) == (1, 0.25)


@pytest.mark.parametrize("options", [[], ["--ssrc", "0xDEADBEEF"]], ids=["random", "configured"])
def test_a_destination_hears_its_receiver_alone(start, asleep, status, options):
    with (
        udp("127.0.0.1", 5001) as reports,
        udp("127.0.0.1", 0) as receiver,
        udp(STRANGER, 0) as stranger,
    ):
        to = ["--to", "127.0.0.1:5000", "--local-port", "6000", "--status", status]
        program = start("eyelid-rtp", "--slots", asleep.path, *to, *options)
        reports.settimeout(20)
        own = reports.recv(2000)
        ssrc = packets.sender_report(own).ssrc
        program.wait_log("Connection refused")
        asleep.wait_state("asleep")

        def wake():
            harm(stranger, ssrc, ("127.0.0.1", 6001))
            # Our own report, which somebody sends back.
            receiver.sendto(own, ("127.0.0.1", 6001))
            assert asleep.state()["state"] == "asleep"
            assert told(status)["destinations"][0]["receivers"] == 0

        for_a_while(wake)
        report = packets.receiver_report(ssrc, ssrc=ssrc)
        receiver.sendto(report, ("127.0.0.1", 6001))
        asleep.wait_state("awake")
        assert told(status)["destinations"][0]["receivers"] == 1
        said = f"a receiver has the SSRC 0x{ssrc:08X}, too; it "
        if options:
            program.wait_log(said + "stays")
            return
        new = int(program.wait_log(said + r"is (0x\w+) now")[1], 16)
        wait_for(lambda: packets.is_goodbye(reports.recv(2000), ssrc), "a farewell of the SSRC")
        with udp("127.0.0.1", 5000) as taking:
            taking.settimeout(20)
            wait_for(lambda: packets.packet(taking.recv(2000)).ssrc == new, "packets of the other")


def test_who_has_closed_its_ports_disturbs_nobody(rtp, asleep, status):
    options = ["--session-timeout", f"{TIMEOUT}s", "--status", status]
    program = rtp(asleep.path, *options)
    with Client(program.url) as healthy, Client(program.url) as client:
        healthy.play()
        with Ports() as ports:
            ports.play(client)
            ports.packets(10)

        def sent():
            (one,) = [it for it in told(status)["sessions"] if it["transport"] == "udp"]
            return one["frames"]

        # As long as it says a word: a host behind a filter is not told from this one.
        before, until = sent(), time.monotonic() + 3 * TIMEOUT
        while time.monotonic() < until:
            assert client.ask("GET_PARAMETER").status == 200
            packets.check_frames(healthy.rtp_packets(20))
        assert sent() > before
        began = time.monotonic()
        while not client.is_closed():
            packets.check_frames(healthy.rtp_packets(20))
            assert time.monotonic() - began < TIMEOUT * 1.25 + 10, "it is sent to for ever"
        healthy.socket.close()
        asleep.wait_state("asleep")
    assert "refused" not in program.log()
