"""Connections of the kernel's TCP move between nodes while they are in use."""
import contextlib
import json
import subprocess
import time

import pytest

from lab import ramp
from moves import ECHO, PORTS, SOURCE, finish, keep_moving, start_client

@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_ping_pong_moves(lab, family):
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4 if family == "ipv4" else lab.vip6, ECHO, port,
                          1500, 1)
    assert keep_moving(lab, port, client, 10) >= 5
    finish(client, lab)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_full_duplex_at_full_speed_moves(lab, family):
    port = next(PORTS)
    client = start_client(lab, "bulk", lab.vip4 if family == "ipv4" else lab.vip6, ECHO, port,
                          2500 << 20)
    assert keep_moving(lab, port, client, 10, 0.1) >= 3
    finish(client, lab)


def test_half_closed_connection_moves(lab):
    """The client has sent all and its FIN; what is echoed waits at the server."""
    port = next(PORTS)
    client = start_client(lab, "half", lab.vip4, ECHO, port, 1_000_000, 20)
    assert keep_moving(lab, port, client, 4) >= 3
    assert finish(client, lab)["bytes"] == 1_000_000


def test_slow_reader_moves(lab):
    """The client's window is closed most of the time."""
    port = next(PORTS)
    client = start_client(lab, "source", lab.vip4, SOURCE, port, 20 << 20, 20)
    assert keep_moving(lab, port, client, 5, 0.2) >= 3
    finish(client, lab)


def test_download_by_path_and_upload(lab):
    lab.make_file("h1", "ramp.bin", 3_000_001)
    url = f"http://{lab.vip4}"
    got = lab.run("client", "curl", "-sf", f"{url}/h1/ramp.bin")
    assert got.stdout == ramp(3_000_001)
    got = lab.run("client", "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/h1/none")
    assert got.stdout == b"404"
    got = lab.run("client", "curl", "-s", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}",
                  f"{url}/h1/../../../etc/passwd")
    assert got.stdout.startswith(b"4")


def test_refused_moves_leave_the_connection_where_it_is(lab):
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4, ECHO, port, 400, 2)
    connection, owner = lab.owner_of(port)
    code, answer = lab.migd("f1", "migrate", connection, "--to", owner, "--wait")
    assert code == 1 and "already_here" in json.dumps(answer)
    code, answer = lab.migd("f1", "migrate", connection, "--to", "nowhere", "--wait")
    assert code == 1 and "nowhere" in json.dumps(answer)
    code, answer = lab.migd("f1", "migrate", "ffffffffffff", "--to", owner, "--wait")
    assert code == 1
    # f1 has no applications: it is asked, and says no; the connection goes on.
    code, answer = lab.migd(owner, "migrate", connection, "--to", "f1", "--wait")
    assert code == 1 and "not registered" in json.dumps(answer)
    finish(client, lab)
    _, status = lab.migd(owner, "status")
    assert status["migrations"]["refused"] >= 2


def test_an_id_may_be_shortened_and_any_node_may_be_asked(lab):
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4, ECHO, port, 600, 2)
    connection, owner = lab.owner_of(port)
    target = lab.next_host(owner)
    bystander = next(h for h in lab.hosts if h not in (owner, target))
    answer = lab.move(connection[:12], target, entry=bystander)
    assert answer["from"] == owner and answer["to"] == target
    code, trace = lab.migd(bystander, "trace", connection[:12])
    assert code == 0 and trace["owner"] == target
    placed, moved = trace["moves"]
    assert (placed["from"], placed["asked_by"], placed["to"]) == ("f1", "classifier", owner)
    assert (moved["from"], moved["asked_by"], moved["to"]) == (owner, "operator", target)
    assert 0 < moved["frozen_us"] < 1_000_000 and moved["ago_us"] < placed["ago_us"]
    assert moved["blob_bytes"] == answer["blob_bytes"]
    finish(client, lab)


@pytest.mark.parametrize("stage", ["silent", "promise-lost", "attached"])
def test_a_target_that_dies_before_the_grant_costs_nothing(lab, stage):
    """Stopped, or not heard any more, then killed: before it could promise, when its promise is
    lost, or, where the hosts ask for none, when it has attached the connection already."""
    with lab.hosts_without_prepare() if stage == "attached" else contextlib.nullcontext():
        die_before_the_grant(lab, stage)


def die_before_the_grant(lab, stage):
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4, ECHO, port, 4000, 2)
    connection, owner = lab.owner_of(port)
    target = lab.next_host(owner)
    address = next(n["tunnel_address"][0] for n in lab.status["nodes"] if n["name"] == target)
    if stage == "silent":
        lab.signal(target, "STOP")
    else:
        lab.run("router", "nft", "add table ip lost; add chain ip lost f "
                "{ type filter hook forward priority 0; }; add rule ip lost f "
                f"ip saddr {address} udp dport 7946 drop")
    try:
        asked = subprocess.Popen(lab.command("migd", "f1", "migrate", connection, "--to", target,
                                             "--wait", "--json"), env=lab.environment,
                                 stdout=subprocess.PIPE, text=True)
        if stage == "attached":
            give_up = time.monotonic() + 10
            while lab.migd(target, "status")[1]["frozen"] == 0:
                assert time.monotonic() < give_up, "the target has not attached it"
                time.sleep(0.02)
        else:
            time.sleep(0.5)
        lab.signal(target, "KILL")
        asked.communicate(timeout=30)
        assert asked.returncode in (1, 5)
        finish(client, lab)
    finally:
        lab.run("router", "nft", "delete table ip lost")
        lab.start_node(target)
