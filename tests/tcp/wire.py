"""IP packets with TCP inside, built and read byte by byte: some of them no honest stack would send,
and there are many of them. test_wire.py compares it with scapy's encoding."""
import array
import dataclasses
import ipaddress
import struct
import sys

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
_LETTERS = "FSRPAU"
TCP, ICMP, ICMPV6 = 6, 1, 58
HOP_LIMIT = 64
RAMP = bytes(range(251))


def ramp(size, first=0):
    """Bytes 0..250 repeating: the period is prime, so a lost or repeated block shows."""
    start = first % 251
    return (RAMP * (size // 251 + 2))[start:start + size]


def flags_of(letters):
    return sum(1 << _LETTERS.index(letter) for letter in letters)


def letters_of(flags):
    return "".join(letter for bit, letter in enumerate(_LETTERS) if flags >> bit & 1)


def checksum(*parts):
    data = b"".join(parts)
    words = array.array("H", data + b"\0" if len(data) % 2 else data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    if sys.byteorder == "little":
        total = total >> 8 | (total & 0xff) << 8
    return ~total & 0xffff


def after(a, b):
    """a - b in the space of sequence numbers: negative when a is before b."""
    return ((a - b + 0x80000000) & 0xffffffff) - 0x80000000


# ---- options ----

NOP = b"\1"


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


def window_scale(shift):
    return struct.pack("!BBB", 3, 3, shift)


SACK_PERMITTED = b"\4\2"


def timestamps(value, echo):
    return struct.pack("!BBII", 8, 10, value & 0xffffffff, echo & 0xffffffff)


def sack(*blocks):
    return struct.pack("!BB", 5, 2 + 8 * len(blocks)) + b"".join(
        struct.pack("!II", *block) for block in blocks)


def padded(options):
    return options + b"\1" * (-len(options) % 4)


@dataclasses.dataclass
class Options:
    mss: int = None
    scale: int = None
    sack_permitted: bool = False
    timestamps: tuple = None
    sack: tuple = ()

    @classmethod
    def parse(cls, data):
        found, at = cls(), 0
        while at < len(data) and data[at] != 0:
            if data[at] == 1:
                at += 1
                continue
            if at + 1 >= len(data) or not 2 <= data[at + 1] <= len(data) - at:
                raise ValueError(f"malformed options {data.hex()}")
            kind, body = data[at], data[at + 2:at + data[at + 1]]
            at += data[at + 1]
            if kind == 2:
                found.mss, = struct.unpack("!H", body)
            elif kind == 3:
                found.scale, = body
            elif kind == 4:
                found.sack_permitted = True
            elif kind == 5:
                edges = struct.unpack(f"!{len(body) // 4}I", body)
                found.sack = tuple(zip(edges[::2], edges[1::2]))
            elif kind == 8:
                found.timestamps = struct.unpack("!II", body)
        return found


# ---- packets ----

@dataclasses.dataclass
class Packet:
    """A segment that was received; `at` is when, in seconds."""
    src: bytes
    dst: bytes
    src_port: int
    dst_port: int
    seq: int
    ack: int
    flags: int
    window: int  # as written, not scaled
    urgent: int
    options: Options
    data: bytes
    identification: int
    hop_limit: int
    at: float = 0.0
    spare: bool = False  # an ACK that a move has brought: it may be there
    raw: bytes = b""

    @property
    def letters(self):
        return letters_of(self.flags)

    @property
    def pure_ack(self):
        return self.flags == ACK and not self.data

    @property
    def end(self):
        """Behind its last byte, SYN and FIN included."""
        length = len(self.data) + bool(self.flags & SYN) + bool(self.flags & FIN)
        return (self.seq + length) & 0xffffffff

    def __str__(self):
        return (f"{self.letters or '-'} seq {self.seq} ack {self.ack} win {self.window} "
                f"data {len(self.data)} {self.options}")


def address(text):
    return ipaddress.ip_address(text).packed


def _pseudo(src, dst, protocol, length):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, protocol, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, protocol)


def ip_packet(src, dst, protocol, payload, identification=0, hop_limit=HOP_LIMIT):
    if len(src) == 16:
        head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, hop_limit)
        return head + src + dst + payload
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), identification, 0x4000, hop_limit,
                       protocol)
    total = checksum(head, src, dst)
    return head + struct.pack("!H", total) + src + dst + payload


def segment(source, destination, *, seq, ack, flags, window, options=b"", data=b"", urgent=0,
            bad_checksum=0, offset=None, reserved=0):
    """A TCP packet from (address, port) to (address, port). `offset`: the header's size in words,
    when it shall be a lie; `bad_checksum` is added to the right one."""
    options = padded(options)
    words = (20 + len(options)) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBH", source[1], destination[1], seq & 0xffffffff, ack & 0xffffffff,
                       words << 4 | reserved, flags, window)
    tail = struct.pack("!H", urgent) + options + data
    pseudo = _pseudo(source[0], destination[0], TCP, len(head) + 2 + len(tail))
    total = (checksum(pseudo, head, b"\0\0", tail) + bad_checksum) & 0xffff
    return ip_packet(source[0], destination[0], TCP, head + struct.pack("!H", total) + tail)


_ROUTER = {4: "10.77.3.3", 16: "fd77:3::3"}
_QUOTED_MAX = {4: 28, 16: 1232}  # RFC 792; RFC 4443 2.4: what fits 1280


def icmp_error(about, kind, code, rest=0):
    """A router's, about a packet that the server has sent: type, code, and the 32 bits behind the
    checksum."""
    v4 = about[0] >> 4 == 4
    src = about[12:16] if v4 else about[8:24]
    router, protocol = address(_ROUTER[len(src)]), ICMP if v4 else ICMPV6
    head, body = struct.pack("!BB", kind, code), struct.pack("!I", rest)
    body += about[:_QUOTED_MAX[len(src)]]
    pseudo = b"" if v4 else _pseudo(router, src, protocol, 4 + len(body))
    total = checksum(pseudo, head, b"\0\0", body)
    return ip_packet(router, src, protocol, head + struct.pack("!H", total) + body)


def too_big(about, mtu):
    return icmp_error(about, 3, 4, mtu) if about[0] >> 4 == 4 else icmp_error(about, 2, 0, mtu)


def parse(raw):
    """A Packet, or None for what is not TCP. Raises ValueError for what is malformed."""
    if raw[0] >> 4 == 4:
        head = (raw[0] & 15) * 4
        length, identification = struct.unpack_from("!HH", raw, 2)
        hop_limit, protocol, src, dst = raw[8], raw[9], raw[12:16], raw[16:20]
        if checksum(raw[:head]) != 0:
            raise ValueError("wrong checksum of the IP header")
    else:
        head, identification = 40, 0
        length = 40 + struct.unpack_from("!H", raw, 4)[0]
        protocol, hop_limit, src, dst = raw[6], raw[7], raw[8:24], raw[24:40]
    if protocol != TCP:
        return None
    if length != len(raw):
        raise ValueError(f"{len(raw)} bytes say that they are {length}")
    tcp = raw[head:]
    if checksum(_pseudo(src, dst, TCP, len(tcp)), tcp) != 0:
        raise ValueError("wrong TCP checksum")
    src_port, dst_port, seq, ack, words, flags, window = struct.unpack_from("!HHIIBBH", tcp)
    size = (words >> 4) * 4
    return Packet(src, dst, src_port, dst_port, seq, ack, flags & 63, window,
                  struct.unpack_from("!H", tcp, 18)[0], Options.parse(tcp[20:size]), tcp[size:],
                  identification, hop_limit, raw=raw)
