"""Each golden vector is what scapy makes of the expression in its second line, and comes back to
the same bytes when scapy takes it apart. The C++ code meets the same files in its own tests.

A vector is a text file: a line `# what it is`, a line `# a scapy expression`, then its bytes in
hex.
"""

import pathlib
import sys

import pytest
import scapy.all

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import migd_layers  # noqa: E402

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
NAMES = {**vars(scapy.all), **vars(migd_layers)}

# By the first word of the file's name: how to take the bytes apart.
DISSECTORS = {
    "mapped": lambda raw: (scapy.all.IPv6 if raw[0] >> 4 == 6 else scapy.all.IP)(raw),
    "gue": migd_layers.MigdGUE,
    "tunnelled": lambda raw: (scapy.all.IPv6 if raw[0] >> 4 == 6 else scapy.all.IP)(raw),
}


def vectors():
    return sorted(GOLDEN.glob("*.hex"))


def load(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ") and lines[1].startswith("# "), f"{path.name}: two comments"
    return lines[1][2:], bytes.fromhex("".join(lines[2:]))


def test_there_are_vectors():
    assert len(vectors()) >= 7


@pytest.mark.parametrize("path", vectors(), ids=lambda path: path.stem)
def test_scapy_makes_the_same_bytes(path):
    expression, expected = load(path)
    made = bytes(eval(expression, dict(NAMES)))  # our own files
    assert made.hex() == expected.hex()


@pytest.mark.parametrize("path", vectors(), ids=lambda path: path.stem)
def test_scapy_takes_it_apart_and_together(path):
    dissect = DISSECTORS.get(path.stem.split("_")[0])
    if dissect is None:
        return
    _, expected = load(path)
    packet = dissect(expected)
    assert scapy.all.Raw not in packet or packet[scapy.all.Raw].underlayer.name == "TCP"
    for layer in (scapy.all.IP, scapy.all.TCP, scapy.all.UDP):
        if layer in packet and not (layer is scapy.all.UDP and packet[layer].chksum == 0):
            packet[layer].chksum = None  # computed anew
    if migd_layers.MigdGUE in packet:
        packet[migd_layers.MigdGUE].hlen = packet[migd_layers.MigdGUE].proto = None
    assert bytes(packet).hex() == expected.hex()


def _leftovers(packet):
    """The classes in the packet that hold bytes which no field took."""
    while packet:
        yield from (inner for field in packet.packetfields if field.islist
                    for part in packet.getfieldval(field.name) for inner in _leftovers(part))
        if isinstance(packet.payload, scapy.all.Raw):
            yield type(packet).__name__, packet.getfieldval("type")
        packet = packet.payload


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("blob_*.hex")), ids=lambda path: path.stem)
def test_every_section_of_a_blob_is_understood(path):
    _, raw = load(path)
    left = list(_leftovers(migd_layers.MigdBlob(raw)))
    assert set(left) <= {("MigdBlobSection", number) for number in (4, 5, 8)}


def test_a_wrong_vector_would_be_noticed(tmp_path):
    path = next(p for p in vectors() if p.stem.startswith("gue"))
    expression, expected = load(path)
    damaged = bytes([expected[0] ^ 1]) + expected[1:]
    assert bytes(eval(expression, dict(NAMES))) != damaged
