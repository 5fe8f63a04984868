"""Hosts in network namespaces of their own, each joined by a cable to a router: for the benchmarks
that are scripts. Those in Rust have `src/network.rs`."""

import subprocess
from collections.abc import Sequence


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def build(router: str, hosts: Sequence[str], network: str) -> None:
    """Makes them. Host N, counted from 0, has the address NETWORK.N.1, and is at the router's
    interface portN."""
    for name in (router, *hosts):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    for number, name in enumerate(hosts):
        port = f"port{number}"
        run(*f"ip -n {name} link add uplink type veth peer name {port} netns {router}".split())
        run(*f"ip -n {name} addr add {network}.{number}.1/24 dev uplink".split())
        run(*f"ip -n {router} addr add {network}.{number}.2/24 dev {port}".split())
        run(*f"ip -n {name} link set uplink up".split())
        run(*f"ip -n {router} link set {port} up".split())
        # cubic, as most hosts have it.
        run(*f"ip -n {name} route add default via {network}.{number}.2 congctl cubic".split())
    run("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")


def shape(name: str, device: str, rate: str, queue: str) -> None:
    """Has an interface send no more than this, before which nothing waits for longer than this."""
    limit = f"rate {rate} burst 15k latency {queue}"
    run(*f"tc -n {name} qdisc replace dev {device} root tbf {limit}".split())


def remove(*names: str) -> None:
    """Removes those of them that there are."""
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
