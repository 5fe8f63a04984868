"""Clients with slow links, each on a computer of its own.

    this namespace: servers --- router --(2 Mbit/s)--- slow0
                                       --(10 Mbit/s)-- slow1
                                       ...

The bottlenecks are at a router, as in life: what sends here learns of it by loss and by the clock
of the acknowledgements. The kernel's settings for TCP are those that most hosts have, not this
machine's.
"""

from harness import networks

HERE = "10.0.1.1"

TO_ROUTER = f"""
mount -t tmpfs none /run/netns
ip link set lo up
ip route replace local 127.0.0.0/8 dev lo table local congctl cubic
ip route replace local 127.0.0.1 dev lo table local congctl cubic
sysctl -qw net.ipv4.tcp_rmem=4096\t131072\t6291456
sysctl -qw net.ipv4.tcp_wmem=4096\t16384\t4194304
ip netns add router
ip link add router type veth peer name here netns router
ip addr add {HERE}/24 dev router
ip link set router up
ip route add default via 10.0.1.2 congctl cubic
ip -n router addr add 10.0.1.2/24 dev here
ip -n router link set here up
ip netns exec router sysctl -qw net.ipv4.ip_forward=1
"""

# Link number {n} to client {name}; the queue holds 50 ms of what it carries.
TO_CLIENT = """
ip netns add {name}
ip -n router link add {name} type veth peer name router netns {name}
ip -n router addr add 10.0.{n}.1/24 dev {name}
ip -n router link set {name} up
ip -n {name} addr add 10.0.{n}.2/24 dev router
ip -n {name} link set router up
ip -n {name} link set lo up
ip -n {name} route add default via 10.0.{n}.1
ip netns exec {name} sysctl -qw net.ipv4.tcp_rmem=4096\t131072\t6291456
ip netns exec router tc qdisc add dev {name} root tbf rate {mbit}mbit burst 15k latency 50ms
"""


def make(rates_mbit):
    """Makes links of these rates; gives the names of the computers at their ends."""
    networks.make(TO_ROUTER)
    names = [f"slow{number}" for number in range(len(rates_mbit))]
    for number, (name, mbit) in enumerate(zip(names, rates_mbit, strict=True)):
        networks.make(TO_CLIENT.format(name=name, n=2 + number, mbit=mbit))
    return names
