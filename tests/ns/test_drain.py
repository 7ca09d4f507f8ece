"""A node gives away what it has, under load; and a client is held while the target is silent."""
import hashlib
import os
import subprocess
import time

from lab import ramp
from moves import ECHO, PORTS, finish, start_client

DOWNLOADS = 50
SIZE, RATE = 2_000_003, "150k"
HELD_S = 30


def connections_at(lab, node):
    return lab.migd(node, "status")[1]["connections"]


def arrived_at(lab, node):
    return lab.migd(node, "status")[1]["migrations"]["arrived"]


def start_downloads(lab, url):
    """Of the same file, each to a file of its own. They take some seconds, for the client takes
    little at a time: but for a few, which have all of it before curl looks at the rate."""
    folder = os.path.join(lab.runtime, "downloads")
    os.makedirs(folder, exist_ok=True)
    script = ("sysctl -qw net.ipv4.tcp_rmem='4096 65536 65536'; "
              f"for i in $(seq {DOWNLOADS}); do "
              f"curl -sf --limit-rate {RATE} -o {folder}/$i {url} & done; wait")
    return folder, lab.start("client", "sh", "-c", script)


def drain(lab, node, *arguments):
    code, report = lab.migd(node, "drain", "--wait", "--timeout", "40s", *arguments)
    assert (code, report["drain"], report["left"]) == (0, "done", 0), f"{report}\n{lab.logs()}"
    assert connections_at(lab, node) == 0
    return report["moved"]


def undrain(lab, *nodes):
    for node in nodes:
        assert lab.migd(node, "drain", "--stop")[0] == 0
    give_up = time.monotonic() + 10
    while any(peer["draining"] for host in lab.hosts
              for peer in lab.migd(host, "status")[1]["peers"]):
        assert time.monotonic() < give_up, "nobody has heard of it"
        time.sleep(0.05)


def test_a_drained_node_gives_its_downloads_away(lab):
    node, *others = lab.hosts
    lab.make_file(node, "drain.bin", SIZE)
    folder, downloads = start_downloads(lab, f"http://{lab.vip4}/{node}/drain.bin")
    give_up = time.monotonic() + 20
    while (connections_at(lab, "f1") != 0 or
           sum(connections_at(lab, host) for host in lab.hosts) < DOWNLOADS * 4 // 5):
        assert time.monotonic() < give_up, lab.logs()
        time.sleep(0.05)
    time.sleep(0.5)  # until all have begun
    try:
        for host in others:  # all to the one: whoever was classified too late is elsewhere
            drain(lab, host, "--to", node)
        undrain(lab, *others)
        downloading = connections_at(lab, node)
        assert downloading >= DOWNLOADS * 4 // 5
        earlier = [arrived_at(lab, host) for host in others]
        assert drain(lab, node) == downloading
        assert lab.migd(node, "status")[1]["state"] == "draining"
        assert downloads.poll() is None, "they ended too soon: nothing was moved under load"
        # Not those that are there now: some downloads may have ended since.
        shares = [arrived_at(lab, host) - before for host, before in zip(others, earlier)]
        assert sum(shares) == downloading and min(shares) >= downloading // 3, shares

        # What is new goes elsewhere.
        port = next(PORTS)
        client = start_client(lab, "echo", lab.vip4, ECHO, port, 800, 2)
        _, owner = lab.owner_of(port)
        assert owner != node
        finish(client, lab)
    finally:
        undrain(lab, *lab.hosts)
    assert downloads.wait(timeout=60) == 0
    expected = hashlib.sha256(ramp(SIZE)).hexdigest()
    for name in range(1, DOWNLOADS + 1):
        with open(os.path.join(folder, str(name)), "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == expected, name
    assert lab.migd(node, "status")[1]["state"] == "ready"


def test_what_is_blocked_is_left_when_the_time_is_over(lab):
    node = lab.hosts[0]
    code, report = lab.migd(node, "drain", "--to", "nowhere")
    assert code == 1 and "nowhere" in str(report)
    port = next(PORTS)
    client = start_client(lab, "echo", lab.vip4, ECHO, port, 6000, 2)
    connection, owner = lab.owner_of(port)
    others = [host for host in lab.hosts if host != owner]
    for host in others:  # both refuse
        assert lab.migd(host, "drain", "--wait")[0] == 0
    try:
        code, report = lab.migd(owner, "drain", "--wait", "--timeout", "1s")
        assert code == 5 and report["drain"] == "deadline" and report["left"] == 1, report
        assert lab.owner_of(port)[1] == owner
    finally:
        undrain(lab, *lab.hosts)
    finish(client, lab)


def test_a_client_is_held_while_the_target_is_silent(lab):
    port = next(PORTS)
    client = start_client(lab, "flow", lab.vip4, ECHO, port, 24 << 20, 3)
    connection, owner = lab.owner_of(port)
    target = lab.next_host(owner)
    lab.signal(target, "STOP")
    try:
        asked = subprocess.Popen(lab.command("migd", owner, "migrate", connection, "--to", target,
                                             "--mode", "hold", "--timeout", "60s", "--wait"),
                                 env=lab.environment, stdout=subprocess.PIPE, text=True)
        time.sleep(HELD_S)
        assert asked.poll() is None and client.poll() is None
    finally:
        lab.signal(target, "CONT")
    output, _ = asked.communicate(timeout=30)
    assert asked.returncode == 0, output
    result = finish(client, lab)
    assert result["window_closed_s"] > HELD_S - 5, result
    assert lab.migd(target, "status")[1]["migrations"]["arrived"] >= 1
