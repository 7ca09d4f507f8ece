"""migd's wire formats as scapy layers, written from the bit diagrams in the headers they name, so
that two encoders that know nothing of each other meet at the vectors in tests/golden/."""

import hashlib
import struct

from scapy.all import (
    IP, TCP, UDP, BitField, ByteField, ConditionalField, FieldLenField, FlagsField, IntField,
    IP6Field, IPField, IPv6, LongField, Packet, PacketListField, ShortField, StrFixedLenField,
    StrLenField, XIntField, XLongField, XShortField, bind_layers)

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


# ---- migrator/channel/packet.h and hello.h: the blob channel -----------------------------------


def again(packet):
    """The packet taken apart and put together anew, from its fields."""
    apart = type(packet)(bytes(packet))
    apart.clear_cache()
    return apart


class MigdChannelHello(Packet):
    """A whole HELLO datagram; what is sealed is a MigdHello."""
    name = "migd HELLO datagram"
    fields_desc = [
        ByteField("type", 1),
        ByteField("version", 1),
        ShortField("sender", 0),
        XIntField("sender_key", 0),
        XIntField("receiver_key", 0),
        StrFixedLenField("nonce", b"", 24),
        StrFixedLenField("tag", b"", 16),
    ]


class MigdHello(Packet):
    """The inside of a HELLO."""
    name = "migd HELLO"
    fields_desc = [
        ShortField("receiver", 0),
        FlagsField("flags", 0, 8, "012345AE"),
        ByteField("reserved", 0),
        XLongField("boot", 0),
        StrFixedLenField("share", b"", 32),
        XLongField("association", 0),
        XLongField("echo_boot", 0),
        StrFixedLenField("echo_share", b"", 32),
        ByteField("channel_lowest", 1),
        ByteField("channel_highest", 1),
        ShortField("blob_lowest", 1),
        ShortField("blob_highest", 1),
        FlagsField("encapsulations", 3, 8, ["ports", "gue", "2", "3", "4", "5", "6", "7"]),
        ByteField("timestamps", 1),
        ByteField("window_profile", 1),
        FlagsField("ciphers", 1, 8, ["chacha", "aes", "2", "3", "4", "5", "6", "7"]),
        ShortField("datagram_max", 1400),
    ]


class MigdChannelData(Packet):
    """A DATA datagram: sealed frames and their tag, then the bodies as the payload."""
    name = "migd DATA datagram"
    fields_desc = [
        ByteField("type", 2),
        ByteField("version", 1),
        ShortField("sender", 0),
        XIntField("session", 0),
        LongField("packet", 0),
        FieldLenField("sealed_size", None, length_of="sealed", fmt="H"),
        StrLenField("sealed", b"", length_from=lambda packet: packet.sealed_size),
    ]


class _MigdFrame(Packet):
    """Frames follow each other; each says what it is in its first octet."""

    def guess_payload_class(self, payload):
        return {1: MigdAck, 2: MigdMessage, 3: MigdHeartbeat, 4: MigdClose}[payload[0]]


class MigdAckRun(Packet):
    name = "migd ACK run"
    fields_desc = [ShortField("missing", 1), ShortField("length", 1)]

    def extract_padding(self, payload):
        return b"", payload


class MigdAck(_MigdFrame):
    name = "migd ACK"
    fields_desc = [
        ByteField("type", 1),
        FieldLenField("more", None, count_of="runs", fmt="B"),
        IntField("delay", 0),
        LongField("largest", 0),
        ShortField("first_length", 1),
        PacketListField("runs", [], MigdAckRun, count_from=lambda packet: packet.more),
    ]


class MigdMessage(_MigdFrame):
    name = "migd MESSAGE"
    fields_desc = [
        ByteField("type", 2),
        FlagsField("flags", 0, 8, "0123456U"),
        ByteField("kind", 0),
        ByteField("reserved", 0),
        ShortField("origin", 0),
        ShortField("destination", 0),
        LongField("number", 0),
        XIntField("body_session", 0),
        IntField("body_size", 0),
        IntField("offset", 0),
        ShortField("size", 0),
        FieldLenField("head_size", None, length_of="head", fmt="H"),
        StrFixedLenField("tag", b"", 16),
        ConditionalField(StrLenField("head", b"", length_from=lambda packet: packet.head_size),
                         lambda packet: packet.offset == 0),
    ]


class MigdHeartbeat(_MigdFrame):
    name = "migd HEARTBEAT"
    fields_desc = [
        ByteField("type", 3),
        FieldLenField("size", None, length_of="load", fmt="B"),
        StrLenField("load", b"", length_from=lambda packet: packet.size),
    ]


class MigdClose(_MigdFrame):
    name = "migd CLOSE"
    fields_desc = [ByteField("type", 4), ByteField("cause", 1)]


def _derive(key, label, text, size):
    message = bytes([len(label)]) + label + text
    return hashlib.blake2b(message, key=key, digest_size=size).digest()


def session_secrets(low, high, cipher, shared, low_to_high, high_to_low):
    """What two nodes make of their offers, (node, boot, share, association) each: id, association,
    then the keys for datagrams and bodies of both directions (migrator/channel/session.h)."""
    text = b"".join(struct.pack(">HQ32sQ", *offer) for offer in (low, high))
    text += bytes([cipher]) + shared
    names = bytearray(_derive(low_to_high, b"migd channel session id 1", text, 16)[:12])
    names[11] |= 1
    return bytes(names) + b"".join(_derive(key, b"migd channel session 1", text, 64)
                                   for key in (low_to_high, high_to_low))
