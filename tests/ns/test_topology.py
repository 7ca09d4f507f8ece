"""Several forwarders, and a classifier that is neither forwarder nor host."""
import hashlib
import subprocess

import pytest

from lab import ramp
from moves import ECHO, PORTS, finish, keep_moving, start_client

LAB_OPTIONS = ("--hosts", "2", "--forwarders", "2", "--classifiers", "1")


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
