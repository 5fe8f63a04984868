"""What destinations get is as it was configured: each option is looked for on the wire."""

import re
import socket

import cable
import pytest
from packets import receiver_report
from sink import Sink, join, udp

from harness import networks
from harness.waiting import wait_for

# Two networks, each with both ends here: a zone tells them apart.
LINKS = """
ip link add one type veth peer name one-end
ip link add two type veth peer name two-end
"""
LINK = """
ip link set {link} addrgenmode none
ip address add fe80::{number}/64 dev {link} nodad
ip link set {link} up
"""


@pytest.fixture
def links():
    """Two links, `one` and `two`, and their other ends."""
    names = ["one", "one-end", "two", "two-end"]
    networks.make(LINKS)
    for number, link in enumerate(names, 1):
        networks.make(LINK.format(link=link, number=number))
    yield
    networks.make("ip link delete one\nip link delete two")


def table(to, **options):
    """Gives a table of a destination."""
    lines = [f"{key.replace('_', '-')} = {value}" for key, value in options.items()]
    return "\n".join(["[[cameras.default.rtp]]", f'to = "{to}"', "always = true", *lines, ""])


def senders(sink):
    """Gives the ports that packets came from."""
    return {sender[1] for sender in sink.senders}


def test_each_option_is_on_the_wire(start, slots, directory):
    asked = {
        "127.0.0.1:5000": {"dscp": '"AF41"', "ssrc": '"0xDEADBEEF"', "ttl": 7, "mtu": 256},
        "127.0.0.1:5002": {"dscp": 46, "ssrc": 7, "local_port": 6001, "mtu": 9000},
        "[::1]:5004": {"dscp": '"CS5"', "ttl": 9, "local_port": 6004, "fps": 3},
        "[::1]:5006": {"interface": '"lo"'},
    }
    config = directory / "rtp.toml"
    config.write_text("\n".join(table(to, **options) for to, options in asked.items()))
    sinks, reports = {}, {}
    for to in asked:
        host, port = to.rsplit(":", 1)
        sinks[to] = Sink(udp(host.strip("[]"), int(port)))
        reports[to] = Sink(udp(host.strip("[]"), int(port) + 1))
    start("eyelid-rtp", "--slots", slots, "--config", config)
    for to, sink in sinks.items():
        sink.wait(4)
        wait_for(lambda to=to: reports[to].datagrams, f"a report to {to}")
    sinks["[::1]:5006"].wait(200)
    for sink in [*sinks.values(), *reports.values()]:
        sink.close()
    bits = {"127.0.0.1:5000": 34, "127.0.0.1:5002": 46, "[::1]:5004": 40, "[::1]:5006": 0}
    for to, sink in [*sinks.items(), *reports.items()]:
        assert {marks["tos"] >> 2 for marks in sink.marks} == {bits[to]}, to
        hops = asked[to].get("ttl", 64)
        assert {marks["ttl"] for marks in sink.marks} == {hops}, to
    ports = {to: (senders(sinks[to]), senders(reports[to])) for to in asked}
    assert ports["127.0.0.1:5002"] == ({6001}, {6002}), "RTCP comes from the next one, odd or even"
    assert ports["[::1]:5004"] == ({6004}, {6005})
    for (rtp,), (rtcp,) in [ports["127.0.0.1:5000"], ports["[::1]:5006"]]:
        assert rtp % 2 == 0 and rtcp == rtp + 1
    assert {packet.ssrc for packet in sinks["127.0.0.1:5000"].packets} == {0xDEADBEEF}
    assert {packet.ssrc for packet in sinks["127.0.0.1:5002"].packets} == {7}
    assert max(map(len, sinks["127.0.0.1:5000"].datagrams)) == 256
    assert max(map(len, sinks["127.0.0.1:5002"].datagrams)) == 9000
    assert max(map(len, sinks["[::1]:5004"].datagrams)) == 1400
    frames, all_frames = (len(sinks[to].check_frames()) for to in ["[::1]:5004", "[::1]:5006"])
    assert frames < all_frames / 2, "3 frames a second of 15"


def test_packets_larger_than_the_networks_go_in_fragments(start, slots, receiver_computer):
    options = ["--mtu", "9000", "--stats-interval", "1s", "--always"]
    with Sink(cable.udp()) as sink:
        program = start("eyelid-rtp", "--slots", slots, "--to", f"{cable.THERE}:5000", *options)
        sink.wait(30)
        sink.check_frames()
        assert max(map(len, sink.datagrams)) == 9000
        program.wait_log(r"[1-9]\d* frames, .*, 0 dropped")


def test_a_zone_is_the_interface(start, slots, links):
    sinks = [Sink(join("ff02::7", f"{link}-end", 5004)) for link in ["one", "two"]]
    to = ["--to", "[ff02::7%one]:5004", "--ssrc", "1"]
    start("eyelid-rtp", "--slots", slots, *to)
    to = ["--to", "[ff02::7]:5004", "--interface", "two", "--ssrc", "2"]
    start("eyelid-rtp", "--slots", slots, *to)
    for sink in sinks:
        sink.wait(50)
        sink.close()
        sink.check_frames()
    assert [{p.ssrc for p in sink.packets} for sink in sinks] == [{1}, {2}]
    assert {s[0].split("%")[0] for s in sinks[0].senders} == {"fe80::1"}
    # One host, too, is there once for each link.
    with Sink(udp("::", 5006)) as sink:
        program = start("eyelid-rtp", "--slots", slots, "--to", "[fe80::4%two]:5006", "--always")
        sink.wait()
        program.wait_log(r"sending to \[fe80::4%\d+\]:5006")


def test_a_groups_receivers_report_by_its_interface(start, slots, links):
    options = ["--stats-interval", "1s"]
    to = ["--to", "[ff02::7%one]:5004", "--ssrc", "1"]
    program = start("eyelid-rtp", "--slots", slots, *to, *options)
    with Sink(join("ff02::7", "one-end", 5004)) as sink:
        sink.wait()
        end = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"one-end")

        def heard():
            report = receiver_report(1, sequence=sink.packets[-1].sequence)
            end.sendto(report, ("ff02::7", 5005, 0, socket.if_nametoindex("one-end")))
            return re.search(r"% lost, jitter", program.log())

        wait_for(heard, "the report in the log")
