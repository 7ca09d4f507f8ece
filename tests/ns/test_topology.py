"""Several forwarders, and classifiers that are neither forwarder nor host."""
import hashlib
import json
import subprocess
import time

import pytest

from lab import ramp
from moves import ECHO, PORTS, finish, keep_moving, start_client

LAB_OPTIONS = ("--hosts", "2", "--forwarders", "2", "--classifiers", "2")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_connections_by_any_forwarder_move(lab, family):
    """Several client ports, so that the router's hash takes both forwarders."""
    address = lab.vip4 if family == "ipv4" else lab.vip6
    ports = [next(PORTS) for _ in range(4)]
    clients = [start_client(lab, "echo", address, ECHO, port, 5000, 1) for port in ports]
    for port, client in zip(ports, clients):
        assert keep_moving(lab, port, client, 2) >= 1
    for client in clients:
        finish(client, lab)


def test_a_download_is_classified_by_a_third_node_and_moves(lab):
    size = 50_000_003
    lab.make_file("h1", "ramp.bin", size)
    port = next(PORTS)
    client = lab.start("client", "curl", "-sf", "--limit-rate", "20M", "--local-port", str(port),
                       f"http://{lab.vip4}/h1/ramp.bin", stdout=subprocess.PIPE)
    digest = hashlib.sha256()
    digest.update(client.stdout.read(1 << 16))
    connection, owner = lab.owner_of(port)
    lab.move(connection, lab.next_host(owner), entry="k1")
    while chunk := client.stdout.read(1 << 16):
        digest.update(chunk)
    assert client.wait() == 0
    assert digest.digest() == hashlib.sha256(ramp(size)).digest()


def hops_of(lab, vip):
    """Where the router sends the VIP's packets: the forwarders, in their order."""
    family = "-6" if ":" in vip else "-4"
    shown = json.loads(lab.run("router", "ip", "-j", family, "route", "show", vip).stdout)
    return [hop["gateway"] for route in shown for hop in route.get("nexthops", [route])]


def turn_to(lab, vip, hops):
    family = "-6" if ":" in vip else "-4"
    vias = [word for hop in hops for word in ("nexthop", "via", hop)]
    assert lab.run("router", "ip", family, "route", "replace", vip, *vias).returncode == 0


def wait_for_more(lab, connection):
    """Until the owner, whoever that is, has read more of the connection."""
    def read():
        rows = [row for host in lab.hosts for row in lab.migd(host, "conns")[1]["connections"]]
        return max((row["bytes_in"] for row in rows if row["id"] == connection), default=0)

    before, give_up = read(), time.monotonic() + 30
    while read() <= before:
        assert time.monotonic() < give_up, "the client's packets do not arrive\n" + lab.logs()
        time.sleep(0.1)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_flow_goes_on_by_another_forwarder(lab, family):
    """Its forwarder dies, and the classifiers, whose tombstone would show the way; then it is back
    with an empty table."""
    vip = lab.vip4 if family == "ipv4" else lab.vip6
    hops = hops_of(lab, vip)
    assert len(hops) == 2
    try:
        turn_to(lab, vip, hops[:1])
        port = next(PORTS)
        client = start_client(lab, "echo", vip, ECHO, port, 200, 10)
        connection, owner = lab.owner_of(port)
        for node in ("f1", "k1", "k2"):
            lab.signal(node, "KILL")
        turn_to(lab, vip, hops[1:])
        wait_for_more(lab, connection)
        lab.move(connection, lab.next_host(owner), entry="f2")
        wait_for_more(lab, connection)
        lab.lab("start", "k1")
        lab.lab("start", "k2")
        lab.start_node("f1")
        turn_to(lab, vip, hops[:1])
        wait_for_more(lab, connection)
        lab.move(connection, owner)
        finish(client, lab)
    finally:
        turn_to(lab, vip, hops)


def test_who_drains_still_shows_the_way(lab):
    """A flow is turned to a forwarder that has never seen it, while the classifier that took it
    drains; then one that another has taken since is asked for at both."""
    hops = hops_of(lab, lab.vip4)
    try:
        turn_to(lab, lab.vip4, hops[:1])
        before, *since = [next(PORTS) for _ in range(6)]
        first = start_client(lab, "echo", lab.vip4, ECHO, before, 100, 10)
        connection, owner = lab.owner_of(before)
        taker = lab.migd(owner, "trace", connection)[1]["moves"][0]["from"]
        assert lab.migd(taker, "drain")[0] == 0
        time.sleep(1)  # its heartbeats say so
        turn_to(lab, lab.vip4, hops[1:])
        wait_for_more(lab, connection)
        others = [start_client(lab, "echo", lab.vip4, ECHO, port, 100, 10) for port in since]
        for client in (first, *others):
            finish(client, lab)
    finally:
        lab.migd("k1", "drain", "--stop")
        lab.migd("k2", "drain", "--stop")
        turn_to(lab, lab.vip4, hops)
