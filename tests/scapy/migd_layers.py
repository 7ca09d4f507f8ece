"""migd's wire formats as scapy layers, written from the bit diagrams in the headers they name, so
that two encoders that know nothing of each other meet at the vectors in tests/golden/."""

from scapy.all import (
    IP, TCP, UDP, BitField, ByteField, ConditionalField, FlagsField, IntField,
    IP6Field, IPField, IPv6, Packet, ShortField, StrFixedLenField, XIntField,
    XLongField, XShortField, bind_layers)

GUE_PORT = 6080


def ramp(size, start=0):
    """The payload of all tests: a period that is prime to every power of two."""
    return bytes((start + i) % 251 for i in range(size))


# ---- forwarder/mapped_format.h: format A -------------------------------------------------------


def mapped(packet, forwarder, host, flow):
    """A client's TCP packet as the forwarder sends it to the host: other ends, one hop less."""
    packet = packet.copy()
    ip = packet[IPv6] if IPv6 in packet else packet[IP]
    ip.src, ip.dst = forwarder, host
    if IPv6 in packet:
        ip.hlim -= 1
    else:
        ip.ttl -= 1
        ip.chksum = None
    packet[TCP].sport, packet[TCP].dport = flow >> 16, flow & 0xffff
    packet[TCP].chksum = None
    return packet


# ---- forwarder/gue.h: format B -----------------------------------------------------------------


def _has(flag):
    return lambda packet: bool(packet.flags & flag)


def _reference(ipv6):
    return lambda packet: bool(packet.flags.R) and bool(packet.flags.value & 0x20) == ipv6


class MigdGUE(Packet):
    """GUE variant 0, data message, with migd's private data; the inner packet is the payload."""
    name = "migd GUE"
    fields_desc = [
        BitField("variant", 0, 2),
        BitField("control", 0, 1),
        BitField("hlen", None, 5),
        ByteField("proto", None),
        XShortField("extensions", 0),
        ByteField("version", 1),
        FlagsField("flags", 0, 8, "0123A6RF"),
        ByteField("hops", 1),
        ByteField("reserved1", 0),
        IntField("epoch", 0),
        XIntField("flow", 0),
        ShortField("next_hop", 0),
        ShortField("reserved2", 0),
        ShortField("node", 0),
        BitField("boot", 0, 48),
        XLongField("counter", 0),
        ConditionalField(IPField("local", "0.0.0.0"), _reference(False)),
        ConditionalField(IPField("peer", "0.0.0.0"), _reference(False)),
        ConditionalField(IP6Field("local6", "::"), _reference(True)),
        ConditionalField(IP6Field("peer6", "::"), _reference(True)),
        ConditionalField(ShortField("local_port", 0), _has(0x40)),
        ConditionalField(ShortField("peer_port", 0), _has(0x40)),
        ConditionalField(XIntField("send_next", 0), _has(0x40)),
        ConditionalField(XIntField("receive_next", 0), _has(0x40)),
        ConditionalField(StrFixedLenField("tag", b"", 16), _has(0x10)),
    ]

    def post_build(self, header, payload):
        first, proto = header[0], header[1]
        if self.hlen is None:
            first = (first & 0xe0) | (len(header) // 4 - 1)
        if self.proto is None and payload:
            proto = {4: 4, 6: 41}[payload[0] >> 4]
        return bytes([first, proto]) + header[2:] + payload


bind_layers(UDP, MigdGUE, dport=GUE_PORT)
bind_layers(MigdGUE, IP, proto=4)
bind_layers(MigdGUE, IPv6, proto=41)
