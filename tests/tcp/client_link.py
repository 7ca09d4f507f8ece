"""The device of the clients, and those of the nodes: TUN, or, for users who may not open it, veth
pairs with a packet socket at one end (stack/links/packet_link.h says how that works)."""
import fcntl
import os
import socket
import struct
import subprocess

CLIENT = "client"
MTU = 1500
_TUNSETIFF, _SIOCGIFHWADDR = 0x400454CA, 0x8927
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_UP = f"link set dev {{}} mtu {MTU} txqueuelen 10000 multicast off addrgenmode none {{}} up"
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
_BUFFER_BYTES = 32 << 20
_OFFLOADS = "tx", "sg", "tso", "gso", "gro"


def commands(link, node):
    """What `ip` is to do for a node's device."""
    if link == "tun":
        return [f"tuntap add dev {node} mode tun vnet_hdr", _UP.format(node, "")]
    return _veth(node)


def _veth(name):
    return [f"link add name {name} type veth peer name {peer(name)}",
            _UP.format(peer(name), "arp off"), _UP.format(name, "arp off")]


def peer(name):
    """The end that is not the kernel's."""
    return f"{name}-p"


def config(link, node):
    """The section [link] of a node's configuration."""
    device = f'device = "{peer(node)}"\n' if link == "packet" else ""
    return f'[link]\nkind = "{link}"\nname = "{node}"\n{device}mtu = {MTU}\n'


class TunClient:
    def __init__(self):
        self._file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self._file, _TUNSETIFF,
                    struct.pack("16sH22x", CLIENT.encode(), _IFF_TUN | _IFF_NO_PI))

    commands = [_UP.format(CLIENT, "")]

    def fileno(self):
        return self._file

    def set_up(self):
        pass

    def transmit(self, raw):
        os.write(self._file, raw)

    def receive(self):
        """A packet; BlockingIOError when there is none."""
        return os.read(self._file, 65536)


class PacketClient:
    commands = _veth(CLIENT)

    def __init__(self):
        self._socket = self._head = None

    def fileno(self):
        return self._socket.fileno()

    def set_up(self):
        # Segments shall come as they were sent, with their checksums.
        off = [word for name in _OFFLOADS for word in (name, "off")]
        for device in (CLIENT, peer(CLIENT)):
            subprocess.run(["ethtool", "-K", device, *off], check=True, capture_output=True)
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE, _BUFFER_BYTES)
        except (AttributeError, PermissionError):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        made.bind((peer(CLIENT), 3))  # ETH_P_ALL
        self._socket = made
        self._head = b"".join(_hardware_address(made, end) for end in (CLIENT, peer(CLIENT)))

    def transmit(self, raw):
        self._socket.send(self._head + _ETHERTYPE[raw[0] >> 4] + raw)

    def receive(self):
        while True:
            raw = self._socket.recv(65536 + 14)
            if raw[12:14] in _ETHERTYPE.values():
                return raw[14:]


def _hardware_address(made, device):
    return fcntl.ioctl(made, _SIOCGIFHWADDR, struct.pack("40s", device.encode()))[18:24]


CLIENTS = {"tun": TunClient, "packet": PacketClient}
