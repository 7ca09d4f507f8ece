"""Strangers who send as fast as they can: SYNs, then random segments (bench/flood/)."""
import os
import subprocess

import pytest

from lab import ROOT
from moves import ECHO, PORTS, finish, start_client

LAB_OPTIONS = ("--hosts", "2", "--forwarders", "1")
FLOOD = os.path.join(ROOT, "build", "release", "migd-bench-flood")
SECONDS = 3


@pytest.fixture(name="flood")
def fixture_flood(lab):
    link = lab.migd("f1", "status")[1]["link"]
    if "strangers apart" not in link:
        pytest.skip(f"needs a device that keeps strangers apart: {link}")
    # What they are answered goes nowhere.
    lab.run("router", "ip", "route", "replace", "blackhole", "10.77.128.0/17")

    def start():
        return lab.start("client", FLOOD, f"{lab.vip4}:{ECHO}", str(SECONDS),
                         stdout=subprocess.PIPE)
    return start


def test_a_flood_costs_who_is_there_no_packet(lab, flood):
    ports = [next(PORTS) for _ in range(4)]
    clients = [start_client(lab, "echo", lab.vip4, ECHO, port, 100, 3) for port in ports]
    for port in ports:
        lab.owner_of(port)
    with flood() as strangers:
        assert strangers.wait(timeout=60) == 0
    for client in clients:
        assert finish(client, lab)["retransmits"] == 0


def test_who_comes_during_a_flood_gets_in(lab, flood):
    with flood() as strangers:
        client = start_client(lab, "echo", lab.vip4, ECHO, next(PORTS), 10, 1)
        assert strangers.wait(timeout=60) == 0
    finish(client, lab)
