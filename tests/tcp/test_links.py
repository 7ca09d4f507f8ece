"""A few cases over the packet link, which every user may have, whatever the suite has chosen."""
import pytest
from launch import run_cases

FEW = ("handshake-v4-every", "handshake-v6-3", "half_closed-v4-every", "half_closed-v6-never",
       "overlaps-v4-2", "slow_start-v6-every", "wrong_checksums_are_dropped-v4-never")


@pytest.fixture(scope="module")
def over_packet_link(pcaps):
    return run_cases(FEW, link="packet")


@pytest.mark.parametrize("name", FEW)
def test_over_the_packet_link(name, over_packet_link):
    found = over_packet_link[name]
    assert not found["problem"], found["problem"]
