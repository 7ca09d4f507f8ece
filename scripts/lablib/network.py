"""Namespaces, links, addresses and routes of a lab. Runs as pid 1 of the lab."""
import fcntl
import os
import struct
import subprocess

from . import kernel
from .plan import (CLIENT, CLIENT_ID, DEVICE, DEVICE_PEER, MTU, ROUTER, VIP4, VIP6)

NETNS_FOLDER = "/run/netns"

# In force before the first link exists: addresses are there at once, and routes are ours alone.
_SETTINGS_ALL = {
    "net/ipv6/conf/{}/accept_dad": "0",
    "net/ipv6/conf/{}/accept_ra": "0",
    "net/ipv6/conf/{}/router_solicitations": "0",
}
# A migrated connection is answered by another node than its packets came to: no path is "reverse".
_SETTINGS_FORWARDING = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv6/conf/all/forwarding": "1",
    # The kernel forwards by "all". With "default" a device would also announce a router's groups.
    "net/ipv6/conf/default/forwarding": "0",
}
# A flow's packets go by one processor, whichever its sender runs on: otherwise it overtakes itself.
# Only by those that the lab itself may use: started by `taskset`, it stays on them altogether.
# Linux before 6.4 has no such setting.
_SETTINGS_ORDER = {
    "net/core/rps_default_mask": f"{sum(1 << cpu for cpu in os.sched_getaffinity(0)):x}"}
_SETTINGS_ROUTER = {
    "net/ipv4/fib_multipath_hash_policy": "1",  # several forwarders: by flow, not by address pair
    "net/ipv6/fib_multipath_hash_policy": "1",
}

# The kernel says nothing by itself on migd's device. (The other links need a link-local address:
# from it a router asks for neighbours.)
_QUIET = "multicast off addrgenmode none"

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000

# Of packets that wait for migd; the kernel's 500 are less than one client's full window.
_QUEUE = 4096


def netns_path(name):
    return f"{NETNS_FOLDER}/{name}"


def why_no_tun():
    """None when this process can make a TUN device in its network namespace, else what hinders."""
    try:
        fd = os.open("/dev/net/tun", os.O_RDWR)
    except OSError as error:
        return f"/dev/net/tun cannot be opened ({error.strerror})"
    try:
        request = struct.pack("16sH22x", b"probe%d", _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR)
        fcntl.ioctl(fd, _TUNSETIFF, request)
    except OSError as error:
        return f"no TUN device can be made ({error.strerror})"
    finally:
        os.close(fd)  # the device goes with it
    return None


def build(plan):
    os.makedirs(NETNS_FOLDER, exist_ok=True)
    _ip(None, [f"netns add {name}" for name in plan.namespaces])
    for name in plan.namespaces:
        _settings(name)
    _ip(None, [_link(name) for name in plan.namespaces if name != ROUTER])
    _ip(CLIENT, _edge(CLIENT_ID))
    for node in plan.nodes:
        _ip(node.name, _edge(node.id) + _device(plan.link) + _device_routes(node))
    _ip(ROUTER, _router(plan))


def _ip(namespace, lines):
    """Runs `ip` once for all lines; the first that fails is the error."""
    command = ["ip"] + (["-n", namespace] if namespace else []) + ["-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        message = " ".join(done.stderr.split())
        where = f" in {namespace}" if namespace else ""
        raise OSError(f"ip failed{where}: {message}")


def _settings(name):
    values = {}
    for pattern, value in _SETTINGS_ALL.items():
        values[pattern.format("all")] = values[pattern.format("default")] = value
    if name != CLIENT:
        values.update(_SETTINGS_FORWARDING)
    if name == ROUTER:
        values.update(_SETTINGS_ROUTER)
    if all(os.path.exists(f"/proc/sys/{path}") for path in _SETTINGS_ORDER):
        values.update(_SETTINGS_ORDER)

    def write():
        with open(netns_path(name), encoding="ascii") as namespace:
            kernel.setns(namespace.fileno(), name)
        for path, value in values.items():
            try:
                with open(f"/proc/sys/{path}", "w", encoding="ascii") as stream:
                    stream.write(value)
            except OSError as error:
                raise OSError(f"cannot set {path.replace('/', '.')} to {value} in {name}: "
                              f"{error.strerror}") from error

    kernel.run_in_child(write)


def _link(name):
    return f"link add r-{name} netns {ROUTER} type veth peer name eth0 netns {name}"


def _edge(number):
    """The node's or client's end of its link to the router."""
    return [
        "link set lo up",
        f"link set eth0 mtu {MTU} up",
        f"address add 10.77.{number}.2/24 dev eth0",
        f"address add fd77:0:0:{number}::2/64 dev eth0 nodad",
        f"route add 0.0.0.0/0 via 10.77.{number}.1",
        f"route add ::/0 via fd77:0:0:{number}::1",
    ]


def _device(link):
    """The device that migd opens. It exists before migd, so that its routes do too."""
    if link == "tun":
        return [
            f"tuntap add dev {DEVICE} mode tun vnet_hdr multi_queue",
            f"link set {DEVICE} mtu {MTU} txqueuelen {_QUEUE} {_QUIET} up",
        ]
    # Without ARP the kernel puts the device's own hardware address into each frame it sends. The
    # other end has another one, so that the kernel there does not take the frame for its own.
    return [
        f"link add {DEVICE} type veth peer name {DEVICE_PEER}",
        f"link set {DEVICE_PEER} mtu {MTU} {_QUIET} arp off up",
        f"link set {DEVICE} mtu {MTU} {_QUIET} arp off up",
    ]


def _device_routes(node):
    targets = [f"{VIP4}/32", f"{VIP6}/128", f"{node.tunnel4}/32", f"{node.tunnel6}/128"]
    return [f"route add {target} dev {DEVICE}" for target in targets]


def _router(plan):
    lines = ["link set lo up"]
    for name, number in [(CLIENT, CLIENT_ID)] + [(node.name, node.id) for node in plan.nodes]:
        lines += [
            f"link set r-{name} mtu {MTU} up",
            f"address add 10.77.{number}.1/24 dev r-{name}",
            f"address add fd77:0:0:{number}::1/64 dev r-{name} nodad",
        ]
    for node in plan.nodes:
        lines += [
            f"route add {node.tunnel4}/32 via {node.link4}",
            f"route add {node.tunnel6}/128 via {node.link6}",
        ]
    forwarders = plan.with_role("forwarder")
    for vip, hops in ((f"{VIP4}/32", [node.link4 for node in forwarders]),
                      (f"{VIP6}/128", [node.link6 for node in forwarders])):
        if len(hops) == 1:
            lines.append(f"route add {vip} via {hops[0]}")
        else:
            lines.append(f"route add {vip} " + " ".join(f"nexthop via {hop}" for hop in hops))
    return lines
