"""The packets that the cases are made of, against scapy's encoding of the same."""
import pytest
import wire
from scapy.all import IP, TCP, IPv6

ENDS = {4: (("10.77.128.1", 20000), ("10.77.100.1", 7)),
        6: (("fd77:0:0:1::1", 20000), ("fd77:0:0:100::1", 7))}
OPTIONS = {
    "none": (b"", []),
    "syn": (wire.mss(1460) + wire.SACK_PERMITTED + wire.timestamps(7, 0) + wire.NOP
            + wire.window_scale(7),
            [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]),
    "sack": (wire.NOP * 2 + wire.sack((1, 2), (5, 9)),
             [("NOP", None), ("NOP", None), ("SAck", (1, 2, 5, 9))]),
}


def by_scapy(family, options, data):
    (src, sport), (dst, dport) = ENDS[family]
    ip = IP(src=src, dst=dst, id=0, flags="DF", ttl=64) if family == 4 else IPv6(
        src=src, dst=dst, hlim=64)
    return bytes(ip / TCP(sport=sport, dport=dport, seq=1 << 31, ack=77, flags="PA", window=1234,
                          urgptr=5, options=options) / data)


def by_wire(family, options, data):
    src, dst = ((wire.address(host), port) for host, port in ENDS[family])
    return wire.segment(src, dst, seq=1 << 31, ack=77, flags=wire.flags_of("PA"), window=1234,
                        urgent=5, options=options, data=data)


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", (0, 1, 100))
def test_built_as_scapy_builds_it(family, options, size):
    ours, theirs = OPTIONS[options]
    data = wire.ramp(size)
    assert by_wire(family, ours, data).hex() == by_scapy(family, theirs, data).hex()


@pytest.mark.parametrize("family", (4, 6))
def test_what_scapy_has_built_is_read(family):
    packet = wire.parse(by_scapy(family, OPTIONS["syn"][1], b"data"))
    assert (packet.seq, packet.ack, packet.letters, packet.window, packet.urgent, packet.data) == (
        1 << 31, 77, "PA", 1234, 5, b"data")
    assert packet.options == wire.Options(1460, 7, True, (7, 0))
    packet = wire.parse(by_scapy(family, OPTIONS["sack"][1], b""))
    assert packet.options.sack == ((1, 2), (5, 9))


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("at", (30, 45, 60))
def test_a_bit_that_has_flipped_is_found(family, at):
    raw = bytearray(by_scapy(family, [], wire.ramp(100)))
    raw[at] ^= 4
    with pytest.raises(ValueError):
        wire.parse(bytes(raw))
